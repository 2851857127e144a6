// SPDX-License-Identifier: MIT

// The echo task: three LSTM layers read random bits and learn to say each of them again three steps
// later. With the same seed it prints what examples/echo.c prints.
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"

	"mlstm"
)

const (
	totalSeriesLength       = 50000
	truncatedBackpropLength = 15
	stateSize               = 4
	numClasses              = 2
	echoStep                = 3
	batchSize               = 5
	numLayers               = 3
	columns                 = totalSeriesLength / batchSize
	numBatches              = columns / truncatedBackpropLength
	seed                    = 1
)

var numEpochs = 100

// A generator of 64 random bits (SplitMix64, Steele et al. 2014).
type generator uint64

func (g *generator) next() uint64 {
	*g += 0x9e3779b97f4a7c15
	z := uint64(*g)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// generateData makes x [columns,B], a series of bits cut into B rows, and y, the same bits echoStep
// later.
func generateData(bits *generator, x []float32, y []int32) {
	var series [totalSeriesLength]int32
	var word uint64
	for i := range series {
		if i%64 == 0 {
			word = bits.next()
		}
		series[i] = int32(word >> (i % 64) & 1)
		place := i%columns*batchSize + i/columns
		x[place] = float32(series[i])
		y[place] = 0
		if i >= echoStep {
			y[place] = series[i-echoStep]
		}
	}
}

// must is for a program that has nothing better to do about an error.
func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func made[T any](handle T, err error) T {
	must(err)
	return handle
}

func createStack() *mlstm.Stack {
	cells := []*mlstm.Cell{made(mlstm.NewCell(1, stateSize))}
	for len(cells) < numLayers {
		cells = append(cells, made(mlstm.NewCell(stateSize, stateSize)))
	}
	stack := made(mlstm.NewStack(cells...))
	must(stack.SetReadout(numClasses, mlstm.ReadoutC|mlstm.ReadoutH))
	must(stack.Init(mlstm.GlorotUniform, seed))
	must(stack.InitParam("readout.kernel_c", mlstm.Uniform, 0, 1, seed))
	must(stack.InitParam("readout.kernel_h", mlstm.Uniform, 0, 1, seed))
	return stack
}

func main() {
	if len(os.Args) > 1 {
		numEpochs = made(strconv.Atoi(os.Args[1]))
	}
	stack := createStack()
	state := made(mlstm.NewState(stack, batchSize, truncatedBackpropLength))
	grads := made(mlstm.NewGrads(stack))
	adagrad := made(mlstm.NewAdagrad(stack, 0.3, 0.1))

	const window = truncatedBackpropLength * batchSize
	bits := generator(seed)
	x, y := make([]float32, totalSeriesLength), make([]int32, totalSeriesLength)
	logits, dlogits := make([]float32, window*numClasses), make([]float32, window*numClasses)

	for epoch := 0; epoch < numEpochs; epoch++ {
		generateData(&bits, x, y)
		must(state.Zero())
		fmt.Printf("New data, epoch %d\n", epoch)

		for step := 0; step < numBatches; step++ {
			batchX, batchY := x[step*window:][:window], y[step*window:][:window]
			must(state.BeginWindow())
			must(stack.Forward(state, batchX, logits))
			loss := made(mlstm.SoftmaxCrossEntropy(logits, batchY, nil, dlogits))
			must(grads.Zero())
			must(stack.Backward(state, dlogits, grads))
			must(adagrad.Apply(stack, grads))
			if step%100 == 0 {
				fmt.Printf("Step %d Batch loss %g\n", step, loss)
			}
		}
	}
}

// SPDX-License-Identifier: MIT

package mlstm

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// readGolden gives the numbers of every record of a golden file, by path; text records have none.
func readGolden(t *testing.T) map[string][]float32 {
	text, err := os.ReadFile(os.Getenv("MLSTM_GOLDEN"))
	if err != nil {
		t.Fatal("MLSTM_GOLDEN must name the golden file: ", err)
	}
	records := map[string][]float32{}
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines)-1; i++ {
		words := strings.Fields(lines[i])
		path, values := words[1], words[2:]
		if words[0] == "T" {
			i++
			values = strings.Fields(lines[i])
		}
		for _, word := range values {
			number, err := strconv.ParseFloat(word, 32)
			if err != nil {
				break
			}
			records[path] = append(records[path], float32(number))
		}
	}
	return records
}

func TestLossesAreThoseOfTheGoldenFile(t *testing.T) {
	const steps, batch, hidden, outputs = 15, 5, 4, 2
	golden := readGolden(t)
	stack := made(NewStack(made(NewCell(1, hidden)), made(NewCell(hidden, hidden)),
		made(NewCell(hidden, hidden))))
	must(stack.SetReadout(outputs, ReadoutC|ReadoutH))
	for name, record := range map[string]string{
		"layer0.kernel": "kernel_0", "layer1.kernel": "kernel_1", "layer2.kernel": "kernel_2",
		"layer0.bias": "bias_0", "layer1.bias": "bias_1", "layer2.bias": "bias_2",
		"readout.kernel_c": "W1", "readout.kernel_h": "W2", "readout.bias": "b2",
	} {
		must(stack.SetParam(name, golden["initial_params/"+record]))
	}
	state, grads := made(NewState(stack, batch, steps)), made(NewGrads(stack))
	adagrad := made(NewAdagrad(stack, 0.3, 0.1))

	x, y := make([]float32, steps*batch), make([]int32, steps*batch)
	logits, dlogits := make([]float32, steps*batch*outputs), make([]float32, steps*batch*outputs)
	for window := 0; window < 20; window++ {
		record := func(name string) []float32 {
			return golden[fmt.Sprintf("windows/%d/%s", window, name)]
		}
		for i := range x { // from [B,T] to [T,B]
			x[i] = record("x")[i%batch*steps+i/batch]
			y[i] = int32(record("y")[i%batch*steps+i/batch])
		}
		must(state.BeginWindow())
		must(stack.Forward(state, x, logits))
		loss := made(SoftmaxCrossEntropy(logits, y, nil, dlogits))
		must(grads.Zero())
		must(stack.Backward(state, dlogits, grads))
		must(adagrad.Apply(stack, grads))

		expected := record("loss")[0]
		if !(math.Abs(float64(loss-expected)) <= 5e-6) {
			t.Errorf("window %d: loss %g, expected %g", window, loss, expected)
		}
	}
}

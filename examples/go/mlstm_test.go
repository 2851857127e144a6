// SPDX-License-Identifier: MIT

package mlstm

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func made[T any](handle T, err error) T {
	must(err)
	return handle
}

func newStack() *Stack {
	stack := made(NewStack(made(NewCell(3, 16)), made(NewCell(16, 16))))
	must(stack.SetReadout(2, ReadoutH))
	must(stack.Init(GlorotUniform, 1))
	return stack
}

func expectError(t *testing.T, err error, status Status, words ...string) {
	t.Helper()
	if !errors.Is(err, status) {
		t.Errorf("got the error %v, expected %v", err, status)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func TestErrorsCarryTheSentenceOfTheLibrary(t *testing.T) {
	_, err := NewCell(0, 4)
	expectError(t, err, InvalidArgument, "input_size must be at least 1, got 0")
	_, err = NewStack()
	expectError(t, err, InvalidArgument)
	_, err = NewStack(made(NewCell(1, 4)), made(NewCell(5, 4)))
	expectError(t, err, Mismatch, "4", "5")
	cell := made(NewCell(4, 4))
	_, err = NewStack(cell, cell)
	expectError(t, err, Owned, "0", "1")

	stack := newStack()
	expectError(t, stack.SetParam("layer9.bias", []float32{0}), NotFound, "layer9.bias")
	state, grads := made(NewState(stack, 2, 4)), made(NewGrads(stack))
	expectError(t, newStack().Forward(state, make([]float32, 6), nil), Mismatch)
	expectError(t, stack.Forward(state, make([]float32, 7), nil), Mismatch,
		"x must have 6 numbers, got 7")
	expectError(t, stack.Forward(state, nil, nil), InvalidArgument)
	expectError(t, stack.Forward(state, make([]float32, 6), make([]float32, 3)), Mismatch)
	expectError(t, stack.Backward(state, make([]float32, 4), grads), Order)
	must(stack.Forward(state, make([]float32, 6), nil))
	expectError(t, stack.Backward(state, make([]float32, 5), grads), Mismatch)
	expectError(t, stack.Backward(state, nil, grads), Mismatch)
	must(stack.Backward(state, make([]float32, 4), grads))
}

func TestClosedHandlesAreRefused(t *testing.T) {
	cell := made(NewCell(1, 1))
	stack := made(NewStack(cell))
	expectError(t, cell.SetForgetBias(1), InvalidArgument, "cell is NULL") // the stack's now
	cell.Close()

	state, grads := made(NewState(stack, 1, 1)), made(NewGrads(stack))
	adagrad := made(NewAdagrad(stack, 0.3, 0.1))
	must(stack.Forward(state, []float32{1}, nil))
	for i := 0; i < 2; i++ {
		grads.Close()
		expectError(t, stack.BackwardPass(state, Pass{Grads: grads}), InvalidArgument)
		expectError(t, adagrad.Apply(stack, grads), InvalidArgument)
		stack.Close()
		expectError(t, stack.Forward(state, []float32{1}, nil), InvalidArgument)
		state.Close()
		expectError(t, state.Zero(), InvalidArgument)
		expectError(t, state.Apply(adagrad, stack, grads), InvalidArgument)
		adagrad.Close()
		expectError(t, adagrad.SetRate(1), InvalidArgument)
	}
}

func TestGoroutinesShareAStack(t *testing.T) {
	const steps, goroutines, rounds = 200, 100, 20
	x := make([]float32, steps*3)
	for i := range x {
		x[i] = float32(i%7) - 3
	}
	stack := newStack()
	run := func(number int) []float32 {
		state, grads := made(NewState(stack, 1, steps)), made(NewGrads(stack))
		defer state.Close()
		defer grads.Close()
		logits, labels := make([]float32, 100000+number), make([]int32, 100000+number)
		labels[len(labels)-1] = 1
		y, kernel := make([]float32, steps*2), make([]float32, 19*64)
		for i := 0; i < rounds; i++ {
			must(state.Zero())
			must(stack.Forward(state, x, y))
			// The sentence is this goroutine's own, though a call this long may move it to another
			// thread.
			_, err := SoftmaxCrossEntropy(logits, labels, nil, nil)
			expectError(t, err, InvalidArgument, fmt.Sprintf("label of row %d ", len(labels)-1))
		}
		must(stack.Backward(state, y, grads))
		must(grads.Get("layer0.kernel", kernel))
		return append(y, kernel...)
	}
	alone := run(0)
	var all sync.WaitGroup
	for i := 1; i <= goroutines; i++ {
		all.Add(1)
		go func(number int) {
			defer all.Done()
			if !reflect.DeepEqual(run(number), alone) {
				t.Errorf("goroutine %d computed something else", number)
			}
		}(i)
	}
	all.Wait()
}

func residentBytes() int {
	statm := made(os.ReadFile("/proc/self/statm"))
	var total, resident int
	made(fmt.Sscan(string(statm), &total, &resident))
	return resident * os.Getpagesize()
}

// collect returns when all handles that nothing refers to are closed. What one collection finds is
// closed in any order, but before what the next one finds.
func collect() {
	for i := 0; i < 2; i++ {
		closed := make(chan struct{})
		runtime.SetFinalizer(new([32]byte), func(*[32]byte) { close(closed) })
		runtime.GC()
		<-closed
	}
}

// createMany makes all kinds of handles many times, and closes them or leaves them to the collector.
func createMany(times int, closed bool) {
	for i := 0; i < times; i++ {
		for j := 0; j < 10; j++ { // so small that the loss of one would not show
			if cell := made(NewCell(1, 1)); closed {
				cell.Close()
			}
		}
		stack := newStack()
		state, grads := made(NewState(stack, 1, 8)), made(NewGrads(stack))
		sgd := made(NewSGD(stack, 0.1, 0.9, true))
		if closed {
			stack.Close()
			state.Close()
			grads.Close()
			sgd.Close()
		} else if i%100 == 99 { // the collector does not know how much lies behind a handle
			collect()
		}
	}
}

func expectNoGrowth(t *testing.T, closed bool) {
	// malloc keeps what was freed for the thread that asked for it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	createMany(1000, closed)
	before := residentBytes()
	createMany(10000, closed)
	if grown := residentBytes() - before; grown > 4<<20 {
		t.Errorf("%d bytes more after 10000 creations", grown)
	}
}

func TestClosingFrees(t *testing.T)    { expectNoGrowth(t, true) }
func TestCollectingFrees(t *testing.T) { expectNoGrowth(t, false) }

// SPDX-License-Identifier: MIT

package mlstm

import (
	"fmt"
	"math"
	"reflect"
	"testing"
)

const partSteps, partRows = 3, 2

// newParts makes two layers without a readout, so that y is h of the top one.
func newParts() *Stack {
	stack := made(NewStack(made(NewCell(2, 4)), made(NewCell(4, 3))))
	must(stack.Init(GlorotUniform, 1))
	return stack
}

func partInputs() []float32 {
	x := make([]float32, partSteps*partRows*2)
	for i := range x {
		x[i] = float32(i%5)/5 - 0.4
	}
	return x
}

// readParts gives a state that has read partInputs, and y.
func readParts(stack *Stack) (*State, []float32) {
	state := made(NewState(stack, partRows, partSteps))
	y := make([]float32, partSteps*partRows*stack.OutputSize())
	must(stack.Forward(state, partInputs(), y))
	return state, y
}

func expectEqual(t *testing.T, name string, got, expected interface{}) {
	t.Helper()
	if !reflect.DeepEqual(got, expected) {
		t.Errorf("%s: %v, expected %v", name, got, expected)
	}
}

func filled(count int, value float32) []float32 {
	values := make([]float32, count)
	for i := range values {
		values[i] = value
	}
	return values
}

func TestHandlesDescribeThemselves(t *testing.T) {
	switch ISA() {
	case "avx512", "avx2", "neon", "portable":
	default:
		t.Errorf("no instruction set %q", ISA())
	}
	number := VersionNumber()
	expectEqual(t, "version", Version(),
		fmt.Sprintf("%d.%d.%d", number/10000, number/100%100, number%100))
	stack := newParts()
	must(stack.SetReadout(5, ReadoutH))
	expectEqual(t, "layers", stack.LayerCount(), 2)
	expectEqual(t, "parameters", made(stack.Params()), []Param{
		{"layer0.kernel", []int{6, 16}}, {"layer0.bias", []int{16}},
		{"layer1.kernel", []int{7, 12}}, {"layer1.bias", []int{12}},
		{"readout.kernel_h", []int{3, 5}}, {"readout.bias", []int{5}},
	})
	state := made(NewState(stack, partRows, partSteps))
	must(state.SetThreads(2))
	expectEqual(t, "window", state.Window(), partSteps)
	expectEqual(t, "threads", state.Threads(), 2)
	if state.Bytes() <= 4*state.Size() {
		t.Errorf("a state of %d numbers holds %d bytes", state.Size(), state.Bytes())
	}
}

func TestStepsAreAWindow(t *testing.T) {
	stack := newParts()
	window, expected := readParts(stack)
	state, x, y := made(NewState(stack, partRows, partSteps)), partInputs(), make([]float32, 18)
	for step := 0; step < partSteps; step++ {
		must(stack.StepForward(state, x[4*step:4*step+4], y[6*step:6*step+6]))
	}
	expectEqual(t, "y", y, expected)
	expectError(t, stack.StepForward(state, x[:3], nil), Mismatch, "x must have 4 numbers, got 3")
	expectError(t, stack.StepForward(state, x[:4], y[:3]), Mismatch, "y")

	c, h, lastC, lastH := make([]float32, 18), make([]float32, 18), make([]float32, 6), make([]float32, 6)
	must(window.GetTop(c, h))
	expectEqual(t, "h of the top layer", h, expected)
	expectError(t, window.GetTop(nil, h[:3]), Mismatch, "h")
	must(window.GetLayer(1, lastC, lastH))
	expectEqual(t, "the last c", lastC, c[12:])
	expectEqual(t, "the last h", lastH, h[12:])

	must(state.SetLayer(1, filled(6, 0.5), nil))
	must(state.GetLayer(1, lastC, lastH))
	expectEqual(t, "c that was set", lastC, filled(6, 0.5))
	expectEqual(t, "h that was left", lastH, h[12:])
	expectError(t, state.SetLayer(1, nil, h[:4]), Mismatch, "h")
	expectError(t, state.GetLayer(2, nil, h[:4]), InvalidArgument, "layer")
}

// The layers of two directions and the projection are as wide as stack.h says.
func TestDirectionsAreSideBySide(t *testing.T) {
	for merge, width := range map[Merge]int{MergeConcat: 2, MergeSum: 1} {
		cell := made(NewCell(2, 4))
		options := cell.Options()
		options.Projection, options.Bidirectional = 3, merge
		must(cell.SetOptions(options))
		stack := made(NewStack(cell))
		must(stack.Init(GlorotUniform, 1))
		state, y := readParts(stack)
		c, h := make([]float32, 24*width), make([]float32, 18*width)
		must(state.GetTop(c, h))
		expectEqual(t, "h", h, y)
		values := make([]float32, state.Size())
		must(state.Get(values))
		c, h = make([]float32, 2*8), make([]float32, 2*6)
		must(state.GetLayer(0, c, h))
		expectEqual(t, "c of the forward direction", c[:8], values[:8])
		expectEqual(t, "h of the reverse direction", h[6:], values[8+6+8:])
	}
}

func TestGradientsComeInAndLeaveEverywhere(t *testing.T) {
	stack := newParts()
	state, _ := readParts(stack)
	back := func(pass Pass) []float32 {
		pass.DX = make([]float32, 12)
		must(stack.BackwardPass(state, pass))
		return pass.DX
	}
	near := func(name string, got, expected []float32) {
		t.Helper()
		for i := range got {
			expectNear(t, name, got[i], expected[i])
		}
	}
	dy := append(make([]float32, 12), filled(6, 1)...) // of the last step
	expected := back(Pass{DY: dy})
	if math.Abs(float64(expected[11])) < 1e-4 {
		t.Errorf("dx is %v", expected)
	}
	near("by dh_top", back(Pass{DHTop: dy}), expected)

	ofC := back(Pass{DCTop: dy})
	if reflect.DeepEqual(ofC, expected) {
		t.Error("c and h have one gradient")
	}
	last, first := make([]float32, state.Size()), make([]float32, state.Size())
	copy(last[16:], filled(6, 1)) // c of the upper layer
	must(state.SetFinalGrad(last))
	near("by the final gradient", back(Pass{}), ofC)
	must(state.GetInitialGrad(first))
	for _, grad := range first[:16] { // c and h of the lower layer
		if grad == 0 {
			t.Errorf("the initial gradient is %v", first)
		}
	}
	must(state.SetFinalGrad(nil))
	expectEqual(t, "dx of nothing", back(Pass{}), make([]float32, 12))

	expectError(t, stack.BackwardPass(state, Pass{DHTop: dy[1:]}), Mismatch, "dh_top")
	expectError(t, stack.BackwardPass(state, Pass{DCTop: dy[1:]}), Mismatch, "dc_top")
	expectError(t, stack.BackwardPass(state, Pass{DX: dy[1:]}), Mismatch, "dx")
	expectError(t, state.SetFinalGrad(last[1:]), Mismatch)
}

func TestGradientsCanBeSet(t *testing.T) {
	grads, bias := made(NewGrads(newParts())), make([]float32, 12)
	bias[0], bias[1] = 3, 4
	must(grads.Set("layer1.bias", bias))
	expectNear(t, "norm", made(grads.Norm()), 5)
	must(grads.Data(func(data []float32) {
		for i := range data {
			data[i] *= 2
		}
	}))
	must(grads.Get("layer1.bias", bias))
	expectEqual(t, "gradients", bias[:3], []float32{6, 8, 0})
	expectError(t, grads.Set("layer1.bias", bias[1:]), Mismatch)
	grads.Close()
	expectError(t, grads.Data(func([]float32) { t.Error("closed gradients are lent") }), InvalidArgument)
}

// updateOnce gives every parameter after one update.
func updateOnce(onThreads bool) []float32 {
	stack := newParts()
	state, y := readParts(stack)
	grads, optimizer := made(NewGrads(stack)), made(NewAdamW(stack, 0.5, 0.9, 0.999, 1e-8, 0.25))
	must(state.SetThreads(2))
	must(stack.Backward(state, y, grads))
	if onThreads {
		must(state.Apply(optimizer, stack, grads))
	} else {
		must(optimizer.Apply(stack, grads))
	}
	all := make([]float32, 96+16+84+12)
	must(stack.GetParam("layer0.kernel", all[:96]))
	must(stack.GetParam("layer0.bias", all[96:112]))
	must(stack.GetParam("layer1.kernel", all[112:196]))
	must(stack.GetParam("layer1.bias", all[196:]))
	return all
}

func TestUpdatesOnThreadsAreTheSame(t *testing.T) {
	expectEqual(t, "parameters", updateOnce(true), updateOnce(false))
}

func TestOptimizersCanBeRead(t *testing.T) {
	optimizer := made(NewAdamW(newParts(), 0.5, 0.9, 0.999, 1e-8, 0.25))
	must(optimizer.SetWeightDecay("layer1.bias", 0))
	must(optimizer.SetFrozen("layer1.bias", true))
	must(optimizer.SetRate(0.125))
	expectEqual(t, "rate", optimizer.Rate(), float32(0.125))
	for name, decay := range map[string]float32{"layer0.bias": 0.25, "layer1.bias": 0, "layer9.bias": 0} {
		expectEqual(t, name+" frozen", optimizer.Frozen(name), name == "layer1.bias")
		expectEqual(t, name+" decay", optimizer.WeightDecay(name), decay)
	}
	expectEqual(t, "slots", optimizer.Slots(), []string{"exp_avg", "exp_avg_sq"})
	values := make([]float32, 12)
	must(optimizer.SetSlot("exp_avg_sq", "layer1.bias", filled(12, 2)))
	must(optimizer.GetSlot("exp_avg_sq", "layer1.bias", values))
	expectEqual(t, "the slot that was set", values, filled(12, 2))
	must(optimizer.GetSlot("exp_avg", "layer1.bias", values))
	expectEqual(t, "the other", values, make([]float32, 12))
	expectError(t, optimizer.GetSlot("momentum", "layer1.bias", values), NotFound, "momentum")
}

// SPDX-License-Identifier: MIT

package mlstm

import (
	"math"
	"reflect"
	"testing"
)

// newVariants makes a bidirectional layer with most options below one with the rest.
func newVariants() *Stack {
	below, above := made(NewCell(2, 6)), made(NewCell(8, 8))
	options := below.Options()
	options.Biases, options.Peepholes, options.LearnedState = 2, true, true
	options.Projection, options.ProjectionClip, options.CellClip = 4, 3, 5
	options.Bidirectional = MergeConcat
	must(below.SetOptions(options))
	must(above.SetOptions(aboveOptions(above.Options())))
	stack := made(NewStack(below, above))
	must(stack.SetReadout(1, ReadoutH))
	must(stack.Init(Orthogonal, 1))
	must(stack.InitParam("layer0.peephole_i", TruncatedNormal, 0, 0.1, 1))
	return stack
}

func aboveOptions(options Options) Options {
	options.Coupled, options.Norm, options.NormEpsilon = true, NormProducts, 1e-5
	options.ZoneoutC, options.ZoneoutH = 0.25, 0.125
	options.Dropout, options.DropoutMask = 0.125, MaskSequence
	options.RecurrentDropout, options.RecurrentDropoutWhat = 0.25, DropCandidate
	options.RecurrentDropoutMask = MaskSequence
	options.Skip = SkipResidual
	return options
}

func TestOptionsAreThoseThatWereSet(t *testing.T) {
	stack, cell := newVariants(), made(NewCell(1, 1))
	plain := cell.Options()
	if plain.ForgetBias != 1 || plain.Biases != 1 {
		t.Errorf("a new cell has %+v", plain)
	}
	below := stack.Options(0)
	if below.Projection != 4 || below.Bidirectional != MergeConcat || !below.Peepholes {
		t.Errorf("layer 0 has %+v", below)
	}
	if above := stack.Options(1); above != aboveOptions(plain) {
		t.Errorf("layer 1 has %+v", above)
	}
	if none := stack.Options(2); none != (Options{}) {
		t.Errorf("a layer that is not there has %+v", none)
	}
	for layer, expected := range []Sizes{{2, 6, 4, 8, 12}, {8, 8, 8, 8, 8}, {}} {
		if sizes := stack.Sizes(layer); sizes != expected {
			t.Errorf("layer %d has %+v", layer, sizes)
		}
	}
	if sizes := cell.Sizes(); sizes != (Sizes{1, 1, 1, 1, 1}) {
		t.Errorf("a new cell has %+v", sizes)
	}
	expectEqual(t, "what the readout reads", stack.Readout(), ReadoutH)
	must(stack.GetParam("layer0.reverse.projection", make([]float32, 6*4)))
	plain.Dropout = 1
	expectError(t, cell.SetOptions(plain), InvalidArgument, "rate")
}

// Rows of 4, 2 and 3 steps learn the first number of each pair.
func TestRowsOfDifferentLengthsLearn(t *testing.T) {
	lengths := []int32{4, 2, 3}
	x, y, targets, dy := make([]float32, 24), make([]float32, 12), make([]float32, 12), make([]float32, 12)
	for i := range targets {
		x[2*i], x[2*i+1] = float32(i%5)/5-0.4, 1
		if int32(i/3) < lengths[i%3] {
			targets[i] = x[2*i]
		}
	}
	stack := newVariants()
	state, grads := made(NewState(stack, 3, 4)), made(NewGrads(stack))
	optimizer := made(NewAdamW(stack, 0.02, 0.9, 0.999, 1e-8, 0.01))
	must(optimizer.SetWeightDecay("readout.bias", 0))
	must(optimizer.SetFrozen("layer1.kernel", true))
	frozen, after := make([]float32, 16*32), make([]float32, 16*32)
	must(stack.GetParam("layer1.kernel", frozen))

	loss := func() float32 {
		must(state.BeginSequence(stack))
		must(state.SetLengths(lengths))
		must(stack.Forward(state, x, y))
		if y[10] != 0 || y[11] != 0 {
			t.Errorf("rows do not end: %v", y)
		}
		return made(HuberLoss(y, targets, 1, dy))
	}
	before := loss()
	for update := uint64(0); update < 60; update++ {
		must(state.SetTraining(true, update))
		if !state.Training() {
			t.Error("training is off")
		}
		loss()
		must(grads.Zero())
		must(stack.Backward(state, dy, grads))
		must(grads.ClipValue(1))
		must(optimizer.SetRate(ScheduleWarmup(0.02, optimizer.StepCount(), 10, 0.1)))
		must(optimizer.Apply(stack, grads))
	}
	must(state.SetTraining(false, 0))
	if learned := loss(); learned >= before/4 {
		t.Errorf("loss %v, then %v", before, learned)
	}
	must(stack.GetParam("layer1.kernel", after))
	if !reflect.DeepEqual(frozen, after) {
		t.Error("what was frozen has changed")
	}

	expectError(t, state.KeepSteps(1), Order, "bidirectional")
	must(grads.Check())
	dy[0] = float32(math.NaN())
	must(stack.Backward(state, dy, grads))
	expectError(t, grads.Check(), NotFinite)
	expectError(t, grads.ClipParamNorm(1), NotFinite)
}

func TestOptimizersDescend(t *testing.T) {
	stack := made(NewStack(made(NewCell(1, 1))))
	must(stack.SetReadout(1, ReadoutH))
	state, grads := made(NewState(stack, 1, 1)), made(NewGrads(stack))
	must(stack.Forward(state, []float32{1}, nil))
	must(stack.Backward(state, []float32{1}, grads))
	for i, optimizer := range []*Optimizer{
		made(NewSGD(stack, 0.5, 0.5, true)),
		made(NewAdagrad(stack, 0.5, 0.1)),
		made(NewRMSProp(stack, 0.5, 0.9, 0, 1e-10, true)),
		made(NewAdam(stack, 0.5, 0.9, 0.999, 1e-8)),
		made(NewAdamW(stack, 0.5, 0.9, 0.999, 1e-8, 0.01)),
		made(NewAMSGrad(stack, 0.5, 0.9, 0.999, 1e-8)),
		made(NewNAdam(stack, 0.5, 0.9, 0.999, 1e-8, 0.004)),
		made(NewLion(stack, 0.5, 0.9, 0.99, 0)),
	} {
		bias := []float32{1}
		must(stack.Init(Zeros, 0))
		must(optimizer.SetStepCount(7))
		must(optimizer.Apply(stack, grads))
		must(stack.GetParam("readout.bias", bias))
		if bias[0] >= 0 || optimizer.StepCount() != 8 {
			t.Errorf("optimizer %d: bias %v, %d steps", i, bias[0], optimizer.StepCount())
		}
		expectError(t, optimizer.SetRate(ScheduleCosine(0.5, -1, 10, 0)), InvalidArgument)
	}
}

func expectNear(t *testing.T, name string, got, expected float32) {
	t.Helper()
	if math.Abs(float64(got-expected)) > 1e-6 {
		t.Errorf("%s: %v, expected %v", name, got, expected)
	}
}

func TestLossesAndTheirGradients(t *testing.T) {
	near := func(name string, loss, expected float32) {
		t.Helper()
		expectNear(t, name, loss, expected)
	}
	outputs, targets, gradient := []float32{0, 3}, []float32{0, 1}, make([]float32, 2)
	near("absolute", made(AbsoluteError(outputs, targets, gradient)), 1)
	near("its gradient", gradient[1], 0.5)
	near("Huber", made(HuberLoss(outputs, targets, 1, nil)), 0.75)
	near("squared", made(SquaredError(outputs, targets, nil)), 2)
	near("sigmoid", made(SigmoidCrossEntropy([]float32{0}, []float32{1}, nil)), math.Ln2)
	dlogits := make([]float32, 4)
	near("weighted", made(SoftmaxCrossEntropyWeighted([]float32{0, 0, 5, 9}, []int32{1, -1},
		[]float32{2, 3}, -1, 0, nil, dlogits)), 2*math.Ln2)
	near("its gradient", dlogits[0], 1)
	near("what was ignored", dlogits[2], 0)
	p := []float32{0, 0, 5, 5 + float32(math.Log(3))}
	must(Softmax(p, 2, p))
	near("a probability", p[1], 0.5)
	near("the largest", p[3], 0.75)
	expectError(t, Softmax(p, 3, p), Mismatch, "logits")
	expectError(t, Softmax(p, 2, p[1:]), Mismatch, "probabilities")
	expectError(t, Softmax(p, -2, p), InvalidArgument, "got -2")
	_, err := AbsoluteError(outputs, targets[1:], nil)
	expectError(t, err, Mismatch, "targets")
}

func TestWeightedLosses(t *testing.T) {
	outputs, targets, ones := []float32{0, 3}, []float32{0, 1}, []float32{1, 1}
	plain, gradient := make([]float32, 2), make([]float32, 2)
	for loss, expected := range map[Loss]func() (float32, error){
		LossSquaredError:        func() (float32, error) { return SquaredError(outputs, targets, plain) },
		LossAbsoluteError:       func() (float32, error) { return AbsoluteError(outputs, targets, plain) },
		LossHuber:               func() (float32, error) { return HuberLoss(outputs, targets, 0.5, plain) },
		LossSigmoidCrossEntropy: func() (float32, error) { return SigmoidCrossEntropy(outputs, targets, plain) },
	} {
		expectNear(t, "weights of 1", made(WeightedLoss(loss, outputs, targets, ones, 0.5, gradient)),
			made(expected()))
		expectNear(t, "gradient of row 0", gradient[0], plain[0])
		expectNear(t, "gradient of row 1", gradient[1], plain[1])
	}
	expectNear(t, "a weight of 0", made(WeightedLoss(LossAbsoluteError, outputs, targets,
		[]float32{0, 2}, 0, gradient)), 4)
	if gradient[0] != 0 || gradient[1] != 2 {
		t.Errorf("with a weight of 0 the gradient is %v", gradient)
	}
	_, err := WeightedLoss(LossAbsoluteError, outputs, targets, make([]float32, 3), 0, nil)
	expectError(t, err, Mismatch, "outputs")
}

func TestLossScalesFollowTheGradients(t *testing.T) {
	scale, streak := float32(8), int64(0)
	for i, expected := range []float32{8, 16, 16, 8} {
		scale = ScheduleLossScale(scale, i < 3, 2, 2, 0.5, &streak)
		if scale != expected {
			t.Errorf("window %d: %v, expected %v", i, scale, expected)
		}
	}
}

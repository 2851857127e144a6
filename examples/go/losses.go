// SPDX-License-Identifier: MIT

package mlstm

// #include <mlstm/mlstm.h>
import "C"

// Softmax fills probabilities with the softmax of each row of logits [rows, classes]; both may be the
// same.
func Softmax(logits []float32, classes int, probabilities []float32) error {
	rows := len(logits)
	if classes > 0 {
		rows /= classes
		if err := checkLength("logits", len(logits), rows*classes); err != nil {
			return err
		}
	}
	if err := checkLength("probabilities", len(probabilities), len(logits)); err != nil {
		return err
	}
	return check(func() C.mlstm_status {
		return C.mlstm_softmax(floats(logits), C.size_t(rows), size(classes), floats(probabilities))
	})
}

// SoftmaxCrossEntropy returns the loss averaged over the rows of logits [rows, classes], with a label
// for each, and fills probabilities and dlogits, its gradient, where they are not nil.
func SoftmaxCrossEntropy(logits []float32, labels []int32, probabilities, dlogits []float32) (float32, error) {
	classes, err := checkSoftmax(logits, labels, probabilities, dlogits)
	if err != nil {
		return 0, err
	}
	var loss C.float
	err = check(func() C.mlstm_status {
		return C.mlstm_softmax_cross_entropy(floats(logits), ints(labels), C.size_t(len(labels)),
			classes, floats(probabilities), floats(dlogits), &loss)
	})
	return float32(loss), err
}

// SoftmaxCrossEntropyWeighted is SoftmaxCrossEntropy with a weight for each row, where weights is not
// nil, a label that is ignored, and label smoothing.
func SoftmaxCrossEntropyWeighted(logits []float32, labels []int32, weights []float32, ignored int32,
	smoothing float32, probabilities, dlogits []float32) (float32, error) {
	classes, err := checkSoftmax(logits, labels, probabilities, dlogits)
	if err != nil {
		return 0, err
	}
	if err := checkGiven("weights", weights, len(labels)); err != nil {
		return 0, err
	}
	var loss C.float
	err = check(func() C.mlstm_status {
		return C.mlstm_softmax_cross_entropy_weighted(floats(logits), ints(labels), floats(weights),
			C.size_t(len(labels)), classes, C.int32_t(ignored), C.float(smoothing),
			floats(probabilities), floats(dlogits), &loss)
	})
	return float32(loss), err
}

// checkSoftmax checks lengths and returns the number of classes.
func checkSoftmax(logits []float32, labels []int32, outputs ...[]float32) (C.int32_t, error) {
	classes, err := columns("logits", logits, len(labels))
	if err != nil {
		return 0, err
	}
	for _, array := range outputs {
		if array == nil {
			continue
		}
		if err := checkLength("each output", len(array), len(logits)); err != nil {
			return 0, err
		}
	}
	return classes, nil
}

// columns returns how many numbers each row of an array has.
func columns(name string, array []float32, rows int) (C.int32_t, error) {
	count := 0
	if rows > 0 {
		count = len(array) / rows
	}
	return size(count), checkLength(name, len(array), rows*count)
}

// SigmoidCrossEntropy returns the loss averaged over logits and targets, and fills dlogits, its
// gradient, where it is not nil; so do the following.
func SigmoidCrossEntropy(logits, targets, dlogits []float32) (float32, error) {
	return compare(logits, targets, dlogits, func(loss *C.float) C.mlstm_status {
		return C.mlstm_sigmoid_cross_entropy(floats(logits), floats(targets), C.size_t(len(logits)),
			floats(dlogits), loss)
	})
}

func AbsoluteError(outputs, targets, doutputs []float32) (float32, error) {
	return compare(outputs, targets, doutputs, func(loss *C.float) C.mlstm_status {
		return C.mlstm_absolute_error(floats(outputs), floats(targets), C.size_t(len(outputs)),
			floats(doutputs), loss)
	})
}

func HuberLoss(outputs, targets []float32, delta float32, doutputs []float32) (float32, error) {
	return compare(outputs, targets, doutputs, func(loss *C.float) C.mlstm_status {
		return C.mlstm_huber_loss(floats(outputs), floats(targets), C.size_t(len(outputs)),
			C.float(delta), floats(doutputs), loss)
	})
}

func SquaredError(outputs, targets, doutputs []float32) (float32, error) {
	return compare(outputs, targets, doutputs, func(loss *C.float) C.mlstm_status {
		return C.mlstm_squared_error(floats(outputs), floats(targets), C.size_t(len(outputs)),
			floats(doutputs), loss)
	})
}

// Loss is one of the four above, for WeightedLoss.
type Loss int32

const (
	LossSquaredError        Loss = C.MLSTM_SQUARED_ERROR
	LossAbsoluteError       Loss = C.MLSTM_ABSOLUTE_ERROR
	LossHuber               Loss = C.MLSTM_HUBER_LOSS
	LossSigmoidCrossEntropy Loss = C.MLSTM_SIGMOID_CROSS_ENTROPY
)

// WeightedLoss is one of the losses above with a weight for each row of outputs and targets; delta is
// that of LossHuber.
func WeightedLoss(loss Loss, outputs, targets, weights []float32, delta float32, doutputs []float32) (float32, error) {
	rows := len(weights)
	columns, err := columns("outputs", outputs, rows)
	if err != nil {
		return 0, err
	}
	return compare(outputs, targets, doutputs, func(value *C.float) C.mlstm_status {
		return C.mlstm_weighted_loss(C.int32_t(loss), floats(outputs), floats(targets),
			floats(weights), C.size_t(rows), columns, C.float(delta), floats(doutputs), value)
	})
}

func compare(outputs, targets, doutputs []float32, call func(*C.float) C.mlstm_status) (float32, error) {
	if err := checkLength("targets", len(targets), len(outputs)); err != nil {
		return 0, err
	}
	if doutputs != nil {
		if err := checkLength("the gradient", len(doutputs), len(outputs)); err != nil {
			return 0, err
		}
	}
	var loss C.float
	err := check(func() C.mlstm_status { return call(&loss) })
	return float32(loss), err
}

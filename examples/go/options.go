// SPDX-License-Identifier: MIT

package mlstm

// #include <mlstm/mlstm.h>
import "C"

import "runtime"

// Norm says where layer normalisation is.
type Norm int32

const (
	NormNone     Norm = C.MLSTM_NORM_NONE
	NormGates    Norm = C.MLSTM_NORM_GATES
	NormProducts Norm = C.MLSTM_NORM_PRODUCTS
)

// Mask says for how long a mask of dropout holds.
type Mask int32

const (
	MaskStep     Mask = C.MLSTM_MASK_STEP
	MaskSequence Mask = C.MLSTM_MASK_SEQUENCE
)

// Drop says what recurrent dropout drops.
type Drop int32

const (
	DropHidden    Drop = C.MLSTM_DROP_HIDDEN
	DropCandidate Drop = C.MLSTM_DROP_CANDIDATE
)

// Skip says how what a layer reads goes past it.
type Skip int32

const (
	SkipNone     Skip = C.MLSTM_SKIP_NONE
	SkipResidual Skip = C.MLSTM_SKIP_RESIDUAL
	SkipHighway  Skip = C.MLSTM_SKIP_HIGHWAY
)

// Merge says what becomes of the two directions of a layer; with MergeNone there is only one.
type Merge int32

const (
	MergeNone   Merge = C.MLSTM_MERGE_NONE
	MergeConcat Merge = C.MLSTM_MERGE_CONCAT
	MergeSum    Merge = C.MLSTM_MERGE_SUM
)

// Options are those of a cell; cell.h says what each of them is. Those of a new cell are a start:
//
//	options := cell.Options()
//	options.Peepholes = true
//	err := cell.SetOptions(options)
type Options struct {
	ForgetBias           float32
	Biases               int
	Peepholes            bool
	Projection           int // 0 for none, as in all that follow
	ProjectionClip       float32
	CellClip             float32
	Coupled              bool
	Norm                 Norm
	NormEpsilon          float32
	ZoneoutC, ZoneoutH   float32
	Dropout              float32
	DropoutMask          Mask
	RecurrentDropout     float32
	RecurrentDropoutWhat Drop
	RecurrentDropoutMask Mask
	Skip                 Skip
	Bidirectional        Merge
	LearnedState         bool
}

func (cell *Cell) SetOptions(o Options) error {
	for _, set := range []func() C.mlstm_status{
		func() C.mlstm_status { return C.mlstm_cell_set_forget_bias(cell.c, C.float(o.ForgetBias)) },
		func() C.mlstm_status { return C.mlstm_cell_set_biases(cell.c, size(o.Biases)) },
		func() C.mlstm_status { return C.mlstm_cell_set_peepholes(cell.c, flag(o.Peepholes)) },
		func() C.mlstm_status { return C.mlstm_cell_set_projection(cell.c, size(o.Projection)) },
		func() C.mlstm_status {
			return C.mlstm_cell_set_projection_clip(cell.c, C.float(o.ProjectionClip))
		},
		func() C.mlstm_status { return C.mlstm_cell_set_cell_clip(cell.c, C.float(o.CellClip)) },
		func() C.mlstm_status { return C.mlstm_cell_set_coupled(cell.c, flag(o.Coupled)) },
		func() C.mlstm_status {
			return C.mlstm_cell_set_norm(cell.c, C.int32_t(o.Norm), C.float(o.NormEpsilon))
		},
		func() C.mlstm_status {
			return C.mlstm_cell_set_zoneout(cell.c, C.float(o.ZoneoutC), C.float(o.ZoneoutH))
		},
		func() C.mlstm_status {
			return C.mlstm_cell_set_dropout(cell.c, C.float(o.Dropout), C.int32_t(o.DropoutMask))
		},
		func() C.mlstm_status {
			return C.mlstm_cell_set_recurrent_dropout(cell.c, C.float(o.RecurrentDropout),
				C.int32_t(o.RecurrentDropoutWhat), C.int32_t(o.RecurrentDropoutMask))
		},
		func() C.mlstm_status { return C.mlstm_cell_set_skip(cell.c, C.int32_t(o.Skip)) },
		func() C.mlstm_status {
			return C.mlstm_cell_set_bidirectional(cell.c, C.int32_t(o.Bidirectional))
		},
		func() C.mlstm_status { return C.mlstm_cell_set_learned_state(cell.c, flag(o.LearnedState)) },
	} {
		if err := check(set); err != nil {
			return err
		}
	}
	return nil
}

func (cell *Cell) Options() Options {
	defer runtime.KeepAlive(cell)
	return optionsOf(cell.c)
}

// Options are those of a layer, and all zero for one that is not there.
func (stack *Stack) Options(layer int) Options {
	defer runtime.KeepAlive(stack)
	return optionsOf(C.mlstm_stack_cell(stack.c, size(layer)))
}

// Sizes are a cell's: what it reads, its units, the numbers in h, what it gives, and c beside it.
type Sizes struct {
	Input, Hidden, Recurrent, Output, OutputC int
}

func (cell *Cell) Sizes() Sizes {
	defer runtime.KeepAlive(cell)
	return sizesOf(cell.c)
}

// Sizes are those of a layer, and all zero for one that is not there.
func (stack *Stack) Sizes(layer int) Sizes {
	defer runtime.KeepAlive(stack)
	return sizesOf(C.mlstm_stack_cell(stack.c, size(layer)))
}

func sizesOf(cell *C.mlstm_cell) Sizes {
	return Sizes{
		Input:     int(C.mlstm_cell_input_size(cell)),
		Hidden:    int(C.mlstm_cell_hidden_size(cell)),
		Recurrent: int(C.mlstm_cell_recurrent_size(cell)),
		Output:    int(C.mlstm_cell_output_size(cell)),
		OutputC:   int(C.mlstm_cell_output_c_size(cell)),
	}
}

// widths are how many numbers a row has in c and in h.
type widths struct{ c, h int }

func (w widths) check(rows int, c, h []float32) error {
	if err := checkGiven("c", c, rows*w.c); err != nil {
		return err
	}
	return checkGiven("h", h, rows*w.h)
}

// widthsOf are those of the state of each layer, both directions together, and of what the top layer
// gives.
func widthsOf(stack *Stack) (layers []widths, top widths) {
	for layer := 0; layer < stack.LayerCount(); layer++ {
		sizes, directions := stack.Sizes(layer), 1
		if stack.Options(layer).Bidirectional != MergeNone {
			directions = 2
		}
		layers = append(layers, widths{directions * sizes.Hidden, directions * sizes.Recurrent})
		top = widths{sizes.OutputC, sizes.Output}
	}
	return layers, top
}

func optionsOf(cell *C.mlstm_cell) Options {
	var epsilon, zoneoutC, zoneoutH C.float
	var mask, what, recurrentMask C.int32_t
	norm := C.mlstm_cell_norm(cell, &epsilon)
	C.mlstm_cell_zoneout(cell, &zoneoutC, &zoneoutH)
	dropout := C.mlstm_cell_dropout(cell, &mask)
	recurrentDropout := C.mlstm_cell_recurrent_dropout(cell, &what, &recurrentMask)
	return Options{
		ForgetBias:           float32(C.mlstm_cell_forget_bias(cell)),
		Biases:               int(C.mlstm_cell_biases(cell)),
		Peepholes:            C.mlstm_cell_peepholes(cell) != 0,
		Projection:           int(C.mlstm_cell_projection(cell)),
		ProjectionClip:       float32(C.mlstm_cell_projection_clip(cell)),
		CellClip:             float32(C.mlstm_cell_cell_clip(cell)),
		Coupled:              C.mlstm_cell_coupled(cell) != 0,
		Norm:                 Norm(norm),
		NormEpsilon:          float32(epsilon),
		ZoneoutC:             float32(zoneoutC),
		ZoneoutH:             float32(zoneoutH),
		Dropout:              float32(dropout),
		DropoutMask:          Mask(mask),
		RecurrentDropout:     float32(recurrentDropout),
		RecurrentDropoutWhat: Drop(what),
		RecurrentDropoutMask: Mask(recurrentMask),
		Skip:                 Skip(C.mlstm_cell_skip(cell)),
		Bidirectional:        Merge(C.mlstm_cell_bidirectional(cell)),
		LearnedState:         C.mlstm_cell_learned_state(cell) != 0,
	}
}

// SPDX-License-Identifier: MIT

// Package mlstm trains and runs multi-layer LSTMs with libmlstm.
//
// Every handle of the library is a type with a Close method; what is not closed is freed when it is
// garbage collected. A closed handle may be closed again, and is refused by everything else.
//
// Any number of goroutines may use one Stack, each with a State and Grads of its own, while nobody
// changes its parameters; every other handle belongs to one goroutine at a time.
//
// In the shapes T is steps, B batch rows, I the input size and O the outputs; H, P, C and D are the
// units, the numbers in h, and those of c and h that the top layer gives, as in cell.h and stack.h.
package mlstm

// #cgo pkg-config: mlstm
// #include <stdlib.h>
// #include <mlstm/mlstm.h>
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"
)

// Status is the kind of an Error, for errors.Is.
type Status int

const (
	InvalidArgument Status = C.MLSTM_ERROR_INVALID_ARGUMENT
	OutOfMemory     Status = C.MLSTM_ERROR_OUT_OF_MEMORY
	TooLarge        Status = C.MLSTM_ERROR_TOO_LARGE
	Mismatch        Status = C.MLSTM_ERROR_MISMATCH
	Owned           Status = C.MLSTM_ERROR_OWNED
	Order           Status = C.MLSTM_ERROR_ORDER
	NotFound        Status = C.MLSTM_ERROR_NOT_FOUND
	NotFinite       Status = C.MLSTM_ERROR_NOT_FINITE
	System          Status = C.MLSTM_ERROR_SYSTEM
)

func (s Status) Error() string {
	return C.GoString(C.mlstm_status_text(C.mlstm_status(s)))
}

// Error is what the library, or this package before it, refused, in a sentence.
type Error struct {
	Status   Status
	Sentence string
}

func (e *Error) Error() string { return e.Sentence }

func (e *Error) Unwrap() error { return e.Status }

// check makes a call. The library keeps its sentence for each thread, so the goroutine must not move
// to another one before it is read; and the handles that the call uses must live until it returns.
func check(call func() C.mlstm_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	status := call()
	runtime.KeepAlive(call)
	if status != C.MLSTM_OK {
		return &Error{Status(status), C.GoString(C.mlstm_last_error())}
	}
	return nil
}

// The C functions take arrays without their lengths; here is where these are checked.
func checkLength(array string, got, expected int) error {
	if got != expected {
		return &Error{Mismatch, fmt.Sprintf("%s must have %d numbers, got %d", array, expected, got)}
	}
	return nil
}

// checkGiven is checkLength where the array may be nil.
func checkGiven(array string, values []float32, expected int) error {
	if values == nil {
		return nil
	}
	return checkLength(array, len(values), expected)
}

// size makes one that does not fit one that the library refuses.
func size(n int) C.int32_t {
	if n < math.MinInt32 || n > math.MaxInt32 {
		return -1
	}
	return C.int32_t(n)
}

func flag(set bool) C.int32_t {
	if set {
		return 1
	}
	return 0
}

func ints(array []int32) *C.int32_t {
	if len(array) == 0 {
		return nil
	}
	return (*C.int32_t)(&array[0])
}

func floats(array []float32) *C.float {
	if len(array) == 0 {
		return nil
	}
	return (*C.float)(unsafe.Pointer(&array[0]))
}

// Version is that of the library that is loaded.
func Version() string { return C.GoString(C.mlstm_version()) }

// VersionNumber is the same as a number to compare: 10203 for 1.2.3.
func VersionNumber() int { return int(C.mlstm_version_number()) }

// ISA is the instruction set whose kernels run.
func ISA() string { return C.GoString(C.mlstm_isa()) }

// Cell describes one layer.
type Cell struct{ c *C.mlstm_cell }

func NewCell(inputSize, hiddenSize int) (*Cell, error) {
	cell := new(Cell)
	err := check(func() C.mlstm_status {
		return C.mlstm_cell_create(size(inputSize), size(hiddenSize), &cell.c)
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(cell, (*Cell).Close)
	return cell, nil
}

func (cell *Cell) Close() {
	C.mlstm_cell_destroy(cell.c)
	cell.release()
}

// release forgets the cell without freeing it.
func (cell *Cell) release() {
	cell.c = nil
	runtime.SetFinalizer(cell, nil)
}

func (cell *Cell) SetForgetBias(forgetBias float32) error {
	return check(func() C.mlstm_status {
		return C.mlstm_cell_set_forget_bias(cell.c, C.float(forgetBias))
	})
}

// Stack has the layers, the readout, and every parameter.
type Stack struct{ c *C.mlstm_stack }

// NewStack makes a stack of the given layers, bottom first. It takes the cells: they are closed then.
func NewStack(cells ...*Cell) (*Stack, error) {
	stack := new(Stack)
	pointers := make([]*C.mlstm_cell, len(cells)+1) // so that there is a first
	for i, cell := range cells {
		pointers[i] = cell.c
	}
	err := check(func() C.mlstm_status {
		return C.mlstm_stack_create(&pointers[0], size(len(cells)), &stack.c)
	})
	if err != nil {
		return nil, err
	}
	for _, cell := range cells {
		cell.release()
	}
	runtime.SetFinalizer(stack, (*Stack).Close)
	return stack, nil
}

func (stack *Stack) Close() {
	C.mlstm_stack_destroy(stack.c)
	stack.c = nil
	runtime.SetFinalizer(stack, nil)
}

// Readout says what the readout reads of the top layer; values may be combined with |.
type Readout int32

const (
	ReadoutC Readout = C.MLSTM_READOUT_C
	ReadoutH Readout = C.MLSTM_READOUT_H
)

func (stack *Stack) SetReadout(outputs int, sources Readout) error {
	return check(func() C.mlstm_status {
		return C.mlstm_stack_set_readout(stack.c, size(outputs), C.int32_t(sources))
	})
}

// Readout is what the readout reads, as SetReadout takes it, or 0.
func (stack *Stack) Readout() Readout {
	defer runtime.KeepAlive(stack)
	return Readout(C.mlstm_stack_readout(stack.c))
}

func (stack *Stack) LayerCount() int {
	defer runtime.KeepAlive(stack)
	return int(C.mlstm_stack_layer_count(stack.c))
}

func (stack *Stack) InputSize() int {
	defer runtime.KeepAlive(stack)
	return int(C.mlstm_stack_input_size(stack.c))
}

func (stack *Stack) OutputSize() int {
	defer runtime.KeepAlive(stack)
	return int(C.mlstm_stack_output_size(stack.c))
}

// Initializer says how initial values are drawn.
type Initializer int32

const (
	Zeros           Initializer = C.MLSTM_ZEROS
	Uniform         Initializer = C.MLSTM_UNIFORM
	GlorotUniform   Initializer = C.MLSTM_GLOROT_UNIFORM
	GlorotNormal    Initializer = C.MLSTM_GLOROT_NORMAL
	HeUniform       Initializer = C.MLSTM_HE_UNIFORM
	HeNormal        Initializer = C.MLSTM_HE_NORMAL
	Normal          Initializer = C.MLSTM_NORMAL
	TruncatedNormal Initializer = C.MLSTM_TRUNCATED_NORMAL
	Constant        Initializer = C.MLSTM_CONSTANT
	Orthogonal      Initializer = C.MLSTM_ORTHOGONAL
)

// Init gives every kernel and projection new values, gains and highway biases 1, and everything else 0.
func (stack *Stack) Init(initializer Initializer, seed uint64) error {
	return check(func() C.mlstm_status {
		return C.mlstm_stack_init(stack.c, C.int32_t(initializer), C.uint64_t(seed))
	})
}

// InitParam gives one parameter new values; a and b are what the initializer takes: the bounds of
// Uniform, mean and deviation of Normal and TruncatedNormal, the value of Constant, the gain of
// Orthogonal.
func (stack *Stack) InitParam(name string, initializer Initializer, a, b float32, seed uint64) error {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	return check(func() C.mlstm_status {
		return C.mlstm_stack_init_param(stack.c, cName, C.int32_t(initializer), C.float(a),
			C.float(b), C.uint64_t(seed))
	})
}

// Param is a parameter of a stack; it has one dimension or two.
type Param struct {
	Name  string
	Shape []int
}

// Params are all parameters, from the bottom layer to the readout.
func (stack *Stack) Params() ([]Param, error) {
	params := make([]Param, C.mlstm_stack_param_count(stack.c))
	for i := range params {
		var name *C.char
		var rank C.int32_t
		var shape [2]C.int32_t
		err := check(func() C.mlstm_status {
			return C.mlstm_stack_param_info(stack.c, size(i), &name, &rank, &shape[0])
		})
		if err != nil {
			return nil, err
		}
		params[i].Name = C.GoString(name)
		for _, n := range shape[:rank] {
			params[i].Shape = append(params[i].Shape, int(n))
		}
	}
	runtime.KeepAlive(stack)
	return params, nil
}

func (stack *Stack) GetParam(name string, values []float32) error {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	return check(func() C.mlstm_status {
		return C.mlstm_stack_get_param(stack.c, cName, floats(values), C.size_t(len(values)))
	})
}

func (stack *Stack) SetParam(name string, values []float32) error {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	return check(func() C.mlstm_status {
		return C.mlstm_stack_set_param(stack.c, cName, floats(values), C.size_t(len(values)))
	})
}

// StepForward moves a state on by one step: x is [B,I], y [B,O], or nil.
func (stack *Stack) StepForward(state *State, x, y []float32) error {
	if row := state.Batch() * stack.InputSize(); row > 0 {
		if err := checkLength("x", len(x), row); err != nil {
			return err
		}
	}
	if err := checkGiven("y", y, state.Batch()*stack.OutputSize()); err != nil {
		return err
	}
	return check(func() C.mlstm_status {
		return C.mlstm_step_forward(stack.c, state.c, floats(x), floats(y))
	})
}

// Forward moves a state on by the steps that x [T,B,I] has; y is [T,B,O], or nil.
func (stack *Stack) Forward(state *State, x, y []float32) error {
	row := state.Batch() * stack.InputSize()
	steps := 0
	if row > 0 {
		steps = len(x) / row
		if err := checkLength("x", len(x), steps*row); err != nil {
			return err
		}
	}
	if err := checkGiven("y", y, steps*state.Batch()*stack.OutputSize()); err != nil {
		return err
	}
	return check(func() C.mlstm_status {
		return C.mlstm_forward(stack.c, state.c, floats(x), size(steps), floats(y))
	})
}

// Backward walks the recorded steps back and adds to grads; dy [T,B,O] is the gradient of y.
func (stack *Stack) Backward(state *State, dy []float32, grads *Grads) error {
	if dy == nil {
		dy = []float32{} // not left out, but too short
	}
	return stack.BackwardPass(state, Pass{DY: dy, Grads: grads})
}

// Pass is what a backward pass reads and writes; whatever is nil is left out.
type Pass struct {
	DY    []float32 // the gradient of y, [T,B,O]
	DHTop []float32 // that of h of the top layer, [T,B,D], beside what comes through y
	DCTop []float32 // the same for c, [T,B,C]
	DX    []float32 // becomes the gradient of x, [T,B,I]
	Grads *Grads    // is added to
}

// BackwardPass is Backward with more that is given or wanted.
func (stack *Stack) BackwardPass(state *State, pass Pass) error {
	if rows := state.Steps() * state.Batch(); rows > 0 {
		for _, array := range []struct {
			name   string
			values []float32
			width  int
		}{
			{"dy", pass.DY, stack.OutputSize()},
			{"dh_top", pass.DHTop, state.top.h},
			{"dc_top", pass.DCTop, state.top.c},
			{"dx", pass.DX, stack.InputSize()},
		} {
			if err := checkGiven(array.name, array.values, rows*array.width); err != nil {
				return err
			}
		}
	}
	var grads *C.mlstm_grads
	if pass.Grads != nil {
		if grads = pass.Grads.c; grads == nil {
			return &Error{InvalidArgument, "grads are closed"} // to C, NULL is none
		}
	}
	defer runtime.KeepAlive(pass.Grads)
	return check(func() C.mlstm_status {
		return C.mlstm_backward(stack.c, state.c, floats(pass.DY), floats(pass.DHTop),
			floats(pass.DCTop), floats(pass.DX), grads)
	})
}

// State has c and h of every layer, and the recorded window.
type State struct {
	c      *C.mlstm_state
	layers []widths
	top    widths // of what the top layer gives
}

// NewState makes a state of 0 for batch rows that records up to window steps; 0 is for inference.
func NewState(stack *Stack, batch, window int) (*State, error) {
	state := new(State)
	err := check(func() C.mlstm_status {
		return C.mlstm_state_create(stack.c, size(batch), size(window), &state.c)
	})
	if err != nil {
		return nil, err
	}
	state.layers, state.top = widthsOf(stack)
	runtime.SetFinalizer(state, (*State).Close)
	return state, nil
}

func (state *State) Close() {
	C.mlstm_state_destroy(state.c)
	state.c = nil
	runtime.SetFinalizer(state, nil)
}

func (state *State) SetThreads(threads int) error {
	return check(func() C.mlstm_status { return C.mlstm_state_set_threads(state.c, size(threads)) })
}

func (state *State) Threads() int {
	defer runtime.KeepAlive(state)
	return int(C.mlstm_state_threads(state.c))
}

// Zero sets c and h to 0 and begins a window.
func (state *State) Zero() error {
	return check(func() C.mlstm_status { return C.mlstm_state_zero(state.c) })
}

// BeginSequence is Zero, but layers with a learned state begin with theirs.
func (state *State) BeginSequence(stack *Stack) error {
	return check(func() C.mlstm_status { return C.mlstm_state_begin_sequence(stack.c, state.c) })
}

// BeginWindow keeps c and h and forgets the recorded steps.
func (state *State) BeginWindow() error {
	return check(func() C.mlstm_status { return C.mlstm_state_begin_window(state.c) })
}

// KeepSteps begins a window whose first steps are the last ones that were recorded.
func (state *State) KeepSteps(steps int) error {
	return check(func() C.mlstm_status { return C.mlstm_state_keep_steps(state.c, size(steps)) })
}

// SetLengths says how many steps each row still has, [B]; nil is for no end.
func (state *State) SetLengths(lengths []int32) error {
	return check(func() C.mlstm_status {
		return C.mlstm_state_set_lengths(state.c, ints(lengths), C.size_t(len(lengths)))
	})
}

// SetTraining turns dropout and zoneout at random on, with a seed, or off; it begins a window.
func (state *State) SetTraining(training bool, seed uint64) error {
	return check(func() C.mlstm_status {
		return C.mlstm_state_set_training(state.c, flag(training), C.uint64_t(seed))
	})
}

func (state *State) Training() bool {
	defer runtime.KeepAlive(state)
	return C.mlstm_state_training(state.c) != 0
}

// Size is how many numbers the state tensor [L,2,B,H] has.
func (state *State) Size() int {
	defer runtime.KeepAlive(state)
	return int(C.mlstm_state_size(state.c))
}

func (state *State) Batch() int {
	defer runtime.KeepAlive(state)
	return int(C.mlstm_state_batch(state.c))
}

// Window is how many steps one can record.
func (state *State) Window() int {
	defer runtime.KeepAlive(state)
	return int(C.mlstm_state_window(state.c))
}

// Steps is how many were recorded since the window began.
func (state *State) Steps() int {
	defer runtime.KeepAlive(state)
	return int(C.mlstm_state_steps(state.c))
}

// Bytes is how many the state holds.
func (state *State) Bytes() int {
	defer runtime.KeepAlive(state)
	return int(C.mlstm_state_bytes(state.c))
}

func (state *State) Get(values []float32) error {
	return check(func() C.mlstm_status {
		return C.mlstm_state_get(state.c, floats(values), C.size_t(len(values)))
	})
}

func (state *State) Set(values []float32) error {
	return check(func() C.mlstm_status {
		return C.mlstm_state_set(state.c, floats(values), C.size_t(len(values)))
	})
}

// GetLayer copies c [B,H] and h [B,P] of a layer out, [2,B,H] and [2,B,P] of a bidirectional one; nil
// is for what is not wanted.
func (state *State) GetLayer(layer int, c, h []float32) error {
	if err := state.checkLayer(layer, c, h); err != nil {
		return err
	}
	return check(func() C.mlstm_status {
		return C.mlstm_state_get_layer(state.c, size(layer), floats(c), floats(h))
	})
}

// SetLayer replaces c and h of a layer, as they are in GetLayer, and begins a window; nil leaves that
// half as it is.
func (state *State) SetLayer(layer int, c, h []float32) error {
	if err := state.checkLayer(layer, c, h); err != nil {
		return err
	}
	return check(func() C.mlstm_status {
		return C.mlstm_state_set_layer(state.c, size(layer), floats(c), floats(h))
	})
}

// The library has the sentence for a layer that is not there.
func (state *State) checkLayer(layer int, c, h []float32) error {
	if layer < 0 || layer >= len(state.layers) {
		return nil
	}
	return state.layers[layer].check(state.Batch(), c, h)
}

// GetTop copies c [T,B,C] and h [T,B,D] of the top layer out, of every recorded step; nil is for what
// is not wanted.
func (state *State) GetTop(c, h []float32) error {
	if rows := state.Steps() * state.Batch(); rows > 0 {
		if err := state.top.check(rows, c, h); err != nil {
			return err
		}
	}
	return check(func() C.mlstm_status {
		return C.mlstm_state_get_top(state.c, floats(c), floats(h))
	})
}

// SetFinalGrad gives the gradient of the loss beyond this window, [L,2,B,H]; nil is for none.
func (state *State) SetFinalGrad(values []float32) error {
	return check(func() C.mlstm_status {
		return C.mlstm_state_set_final_grad(state.c, floats(values), C.size_t(len(values)))
	})
}

// GetInitialGrad copies the gradient of the state at the beginning of the window out, as the last
// backward pass found it.
func (state *State) GetInitialGrad(values []float32) error {
	return check(func() C.mlstm_status {
		return C.mlstm_state_get_initial_grad(state.c, floats(values), C.size_t(len(values)))
	})
}

// Apply is Apply of the optimizer, on the threads of this state.
func (state *State) Apply(optimizer *Optimizer, stack *Stack, grads *Grads) error {
	return check(func() C.mlstm_status {
		return C.mlstm_state_apply_grads(state.c, optimizer.c, stack.c, grads.c)
	})
}

// Grads has one gradient for each parameter.
type Grads struct{ c *C.mlstm_grads }

func NewGrads(stack *Stack) (*Grads, error) {
	grads := new(Grads)
	err := check(func() C.mlstm_status { return C.mlstm_grads_create(stack.c, &grads.c) })
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(grads, (*Grads).Close)
	return grads, nil
}

func (grads *Grads) Close() {
	C.mlstm_grads_destroy(grads.c)
	grads.c = nil
	runtime.SetFinalizer(grads, nil)
}

func (grads *Grads) Zero() error {
	return check(func() C.mlstm_status { return C.mlstm_grads_zero(grads.c) })
}

func (grads *Grads) Scale(factor float32) error {
	return check(func() C.mlstm_status { return C.mlstm_grads_scale(grads.c, C.float(factor)) })
}

func (grads *Grads) Add(other *Grads) error {
	return check(func() C.mlstm_status { return C.mlstm_grads_add(grads.c, other.c) })
}

// Norm is the global norm.
func (grads *Grads) Norm() (float32, error) {
	var norm C.float
	err := check(func() C.mlstm_status { return C.mlstm_grads_norm(grads.c, &norm) })
	return float32(norm), err
}

// ClipNorm clips by the global norm and returns what that was before.
func (grads *Grads) ClipNorm(maxNorm float32) (float32, error) {
	var norm C.float
	err := check(func() C.mlstm_status {
		return C.mlstm_grads_clip_norm(grads.c, C.float(maxNorm), &norm)
	})
	return float32(norm), err
}

// ClipParamNorm clips the gradient of every parameter by its own norm.
func (grads *Grads) ClipParamNorm(maxNorm float32) error {
	return check(func() C.mlstm_status {
		return C.mlstm_grads_clip_param_norm(grads.c, C.float(maxNorm))
	})
}

// ClipValue clips every number to -limit to limit.
func (grads *Grads) ClipValue(limit float32) error {
	return check(func() C.mlstm_status { return C.mlstm_grads_clip_value(grads.c, C.float(limit)) })
}

// Check gives NotFinite, naming the parameter, where a number is not finite.
func (grads *Grads) Check() error {
	return check(func() C.mlstm_status { return C.mlstm_grads_check(grads.c, nil) })
}

func (grads *Grads) Get(name string, values []float32) error {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	return check(func() C.mlstm_status {
		return C.mlstm_grads_get(grads.c, cName, floats(values), C.size_t(len(values)))
	})
}

func (grads *Grads) Set(name string, values []float32) error {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	return check(func() C.mlstm_status {
		return C.mlstm_grads_set(grads.c, cName, floats(values), C.size_t(len(values)))
	})
}

// Data lends the block itself, in the kernels' own order, for what is done to all gradients alike;
// padding in it is 0 and has to stay so. The slice is good until use returns.
func (grads *Grads) Data(use func(data []float32)) error {
	var data *C.float
	var count C.size_t
	err := check(func() C.mlstm_status { return C.mlstm_grads_data(grads.c, &data, &count) })
	if err != nil {
		return err
	}
	use(unsafe.Slice((*float32)(unsafe.Pointer(data)), int(count)))
	runtime.KeepAlive(grads)
	return nil
}

// Optimizer is an update rule and its slots.
type Optimizer struct{ c *C.mlstm_optimizer }

func NewSGD(stack *Stack, rate, momentum float32, nesterov bool) (*Optimizer, error) {
	return newOptimizer(func(c **C.mlstm_optimizer) C.mlstm_status {
		return C.mlstm_sgd_create(stack.c, C.float(rate), C.float(momentum), flag(nesterov), c)
	})
}

func NewAdagrad(stack *Stack, rate, initialAccumulator float32) (*Optimizer, error) {
	return newOptimizer(func(c **C.mlstm_optimizer) C.mlstm_status {
		return C.mlstm_adagrad_create(stack.c, C.float(rate), C.float(initialAccumulator), c)
	})
}

func NewRMSProp(stack *Stack, rate, decay, momentum, epsilon float32, centered bool) (*Optimizer, error) {
	return newOptimizer(func(c **C.mlstm_optimizer) C.mlstm_status {
		return C.mlstm_rmsprop_create(stack.c, C.float(rate), C.float(decay), C.float(momentum),
			C.float(epsilon), flag(centered), c)
	})
}

func NewAdam(stack *Stack, rate, beta1, beta2, epsilon float32) (*Optimizer, error) {
	return newOptimizer(func(c **C.mlstm_optimizer) C.mlstm_status {
		return C.mlstm_adam_create(stack.c, C.float(rate), C.float(beta1), C.float(beta2),
			C.float(epsilon), c)
	})
}

func NewAdamW(stack *Stack, rate, beta1, beta2, epsilon, weightDecay float32) (*Optimizer, error) {
	return newOptimizer(func(c **C.mlstm_optimizer) C.mlstm_status {
		return C.mlstm_adamw_create(stack.c, C.float(rate), C.float(beta1), C.float(beta2),
			C.float(epsilon), C.float(weightDecay), c)
	})
}

func NewAMSGrad(stack *Stack, rate, beta1, beta2, epsilon float32) (*Optimizer, error) {
	return newOptimizer(func(c **C.mlstm_optimizer) C.mlstm_status {
		return C.mlstm_amsgrad_create(stack.c, C.float(rate), C.float(beta1), C.float(beta2),
			C.float(epsilon), c)
	})
}

func NewNAdam(stack *Stack, rate, beta1, beta2, epsilon, momentumDecay float32) (*Optimizer, error) {
	return newOptimizer(func(c **C.mlstm_optimizer) C.mlstm_status {
		return C.mlstm_nadam_create(stack.c, C.float(rate), C.float(beta1), C.float(beta2),
			C.float(epsilon), C.float(momentumDecay), c)
	})
}

func NewLion(stack *Stack, rate, beta1, beta2, weightDecay float32) (*Optimizer, error) {
	return newOptimizer(func(c **C.mlstm_optimizer) C.mlstm_status {
		return C.mlstm_lion_create(stack.c, C.float(rate), C.float(beta1), C.float(beta2),
			C.float(weightDecay), c)
	})
}

func newOptimizer(create func(**C.mlstm_optimizer) C.mlstm_status) (*Optimizer, error) {
	optimizer := new(Optimizer)
	if err := check(func() C.mlstm_status { return create(&optimizer.c) }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(optimizer, (*Optimizer).Close)
	return optimizer, nil
}

func (optimizer *Optimizer) Close() {
	C.mlstm_optimizer_destroy(optimizer.c)
	optimizer.c = nil
	runtime.SetFinalizer(optimizer, nil)
}

func (optimizer *Optimizer) SetRate(rate float32) error {
	return check(func() C.mlstm_status {
		return C.mlstm_optimizer_set_rate(optimizer.c, C.float(rate))
	})
}

func (optimizer *Optimizer) Rate() float32 {
	defer runtime.KeepAlive(optimizer)
	return float32(C.mlstm_optimizer_rate(optimizer.c))
}

// StepCount is how many updates were made.
func (optimizer *Optimizer) StepCount() int64 {
	defer runtime.KeepAlive(optimizer)
	return int64(C.mlstm_optimizer_step_count(optimizer.c))
}

func (optimizer *Optimizer) SetStepCount(count int64) error {
	return check(func() C.mlstm_status {
		return C.mlstm_optimizer_set_step_count(optimizer.c, C.int64_t(count))
	})
}

// Slots are the names of those that the rule keeps for each parameter.
func (optimizer *Optimizer) Slots() []string {
	defer runtime.KeepAlive(optimizer)
	slots := make([]string, C.mlstm_optimizer_slot_count(optimizer.c))
	for i := range slots {
		slots[i] = C.GoString(C.mlstm_optimizer_slot_name(optimizer.c, size(i)))
	}
	return slots
}

func (optimizer *Optimizer) GetSlot(slot, name string, values []float32) error {
	cSlot, cName := C.CString(slot), C.CString(name)
	defer C.free(unsafe.Pointer(cSlot))
	defer C.free(unsafe.Pointer(cName))
	return check(func() C.mlstm_status {
		return C.mlstm_optimizer_get_slot(optimizer.c, cSlot, cName, floats(values),
			C.size_t(len(values)))
	})
}

func (optimizer *Optimizer) SetSlot(slot, name string, values []float32) error {
	cSlot, cName := C.CString(slot), C.CString(name)
	defer C.free(unsafe.Pointer(cSlot))
	defer C.free(unsafe.Pointer(cName))
	return check(func() C.mlstm_status {
		return C.mlstm_optimizer_set_slot(optimizer.c, cSlot, cName, floats(values),
			C.size_t(len(values)))
	})
}

// WeightDecay is that of one parameter, and 0 for one that is not there.
func (optimizer *Optimizer) WeightDecay(name string) float32 {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	defer runtime.KeepAlive(optimizer)
	return float32(C.mlstm_optimizer_weight_decay(optimizer.c, cName))
}

// SetWeightDecay sets that of one parameter.
func (optimizer *Optimizer) SetWeightDecay(name string, decay float32) error {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	return check(func() C.mlstm_status {
		return C.mlstm_optimizer_set_weight_decay(optimizer.c, cName, C.float(decay))
	})
}

func (optimizer *Optimizer) Frozen(name string) bool {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	defer runtime.KeepAlive(optimizer)
	return C.mlstm_optimizer_frozen(optimizer.c, cName) != 0
}

// SetFrozen freezes one parameter, or lets it go on.
func (optimizer *Optimizer) SetFrozen(name string, frozen bool) error {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	return check(func() C.mlstm_status {
		return C.mlstm_optimizer_set_frozen(optimizer.c, cName, flag(frozen))
	})
}

// Apply updates every parameter of the stack that is not frozen by its gradient.
func (optimizer *Optimizer) Apply(stack *Stack, grads *Grads) error {
	return check(func() C.mlstm_status {
		return C.mlstm_apply_grads(optimizer.c, stack.c, grads.c)
	})
}

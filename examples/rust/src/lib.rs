// SPDX-License-Identifier: MIT
//! A safe layer over libmlstm.
//!
//! Every handle of the library is a type that frees it when dropped, so that no handle can be freed
//! twice or used afterwards. All of them may move to another thread; a [`Stack`] may also be shared,
//! since passes only read it:
//!
//! ```compile_fail,E0277
//! fn share<T: Sync>() {}
//! share::<mlstm::State>(); // a state belongs to one thread at a time
//! ```
//!
//! A stack takes its cells; the compiler sees to it that they are not used again:
//!
//! ```compile_fail,E0382
//! # fn main() -> Result<(), mlstm::Error> {
//! let cell = mlstm::Cell::new(1, 4)?;
//! let stack = mlstm::Stack::new(vec![cell])?;
//! drop(cell);
//! # Ok(()) }
//! ```
//!
//! In the shapes T is steps, B batch rows, I the input size and O the outputs; H, P, C and D are
//! the units, the numbers in h, and those of c and h that the top layer gives, as in `cell.h` and
//! `stack.h`.

mod ffi;
mod losses;
mod options;
mod schedules;

pub use losses::*;
pub use options::*;
pub use schedules::*;

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::raw::c_char;
use std::ptr;

/// What the library, or this layer before it, refused; prints as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// One of the library's statuses.
    pub status: i32,
    message: String,
}

impl Error {
    pub const INVALID_ARGUMENT: i32 = 1;
    pub const OUT_OF_MEMORY: i32 = 2;
    pub const TOO_LARGE: i32 = 3;
    pub const MISMATCH: i32 = 4;
    pub const OWNED: i32 = 5;
    pub const ORDER: i32 = 6;
    pub const NOT_FOUND: i32 = 7;
    pub const NOT_FINITE: i32 = 8;
    pub const SYSTEM: i32 = 9;
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;

fn text(pointer: *const c_char) -> String {
    // SAFETY: the library's strings are never NULL and outlive this call.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}

fn check(status: i32) -> Result<()> {
    match status {
        0 => Ok(()),
        _ => Err(Error {
            status,
            message: text(unsafe { ffi::mlstm_last_error() }),
        }),
    }
}

/// The C functions take arrays without their lengths; here is where these are checked.
fn check_length(array: &str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    let message = format!("{} must have {} numbers, got {}", array, expected, got);
    Err(Error {
        status: Error::MISMATCH,
        message,
    })
}

fn c_string(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| Error {
        status: Error::NOT_FOUND,
        message: format!("{:?} is no name: it contains NUL", name),
    })
}

/// A size for C; one that does not fit becomes one that the library refuses.
fn size(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(-1)
}

/// As `check_length`, where an array may be left out.
fn check_given(array: &str, given: Option<&[f32]>, expected: usize) -> Result<()> {
    given.map_or(Ok(()), |given| check_length(array, given.len(), expected))
}

/// The same for c and h of so many rows.
fn check_pair(
    c: Option<&[f32]>,
    h: Option<&[f32]>,
    rows: usize,
    widths: (usize, usize),
) -> Result<()> {
    check_given("c", c, rows * widths.0)?;
    check_given("h", h, rows * widths.1)
}

fn read_or_null(array: Option<&[f32]>) -> *const f32 {
    array.map_or(ptr::null(), <[f32]>::as_ptr)
}

fn or_null(array: Option<&mut [f32]>) -> *mut f32 {
    array.map_or(ptr::null_mut(), <[f32]>::as_mut_ptr)
}

/// The version of the library that is loaded.
pub fn version() -> String {
    text(unsafe { ffi::mlstm_version() })
}

/// The same as a number to compare: 10203 for 1.2.3.
pub fn version_number() -> i32 {
    unsafe { ffi::mlstm_version_number() }
}

/// The instruction set whose kernels run.
pub fn isa() -> String {
    text(unsafe { ffi::mlstm_isa() })
}

/// A type that owns a handle and frees it when dropped; it may keep something beside it.
macro_rules! handle {
    ($name:ident, $destroy:ident, $about:literal $(, $kept:ident: $type:ty)?) => {
        #[doc = $about]
        #[derive(Debug)]
        pub struct $name(*mut ffi::$name $(, $type)?);

        // SAFETY: a handle may be used from any thread, by one at a time.
        unsafe impl Send for $name {}

        impl $name {
            fn create(
                make: impl FnOnce(*mut *mut ffi::$name) -> i32
                $(, $kept: $type)?
            ) -> Result<$name> {
                let mut pointer = ptr::null_mut();
                check(make(&mut pointer))?;
                Ok($name(pointer $(, $kept)?))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: the pointer is this value's own.
                unsafe { ffi::$destroy(self.0) }
            }
        }
    };
}

handle!(Cell, mlstm_cell_destroy, "The description of one layer.");
handle!(
    Stack,
    mlstm_stack_destroy,
    "The layers, the readout, and every parameter."
);
handle!(
    State,
    mlstm_state_destroy,
    "c and h of every layer, and the recorded window.",
    widths: Widths
);
handle!(
    Grads,
    mlstm_grads_destroy,
    "One gradient for each parameter."
);
handle!(
    Optimizer,
    mlstm_optimizer_destroy,
    "An update rule and its slots."
);

// SAFETY: any number of threads may read one stack; what changes it takes `&mut self`.
unsafe impl Sync for Stack {}

impl Cell {
    pub fn new(input_size: usize, hidden_size: usize) -> Result<Cell> {
        let (input_size, hidden_size) = (size(input_size), size(hidden_size));
        Cell::create(|cell| unsafe { ffi::mlstm_cell_create(input_size, hidden_size, cell) })
    }

    pub fn set_forget_bias(&mut self, forget_bias: f32) -> Result<()> {
        check(unsafe { ffi::mlstm_cell_set_forget_bias(self.0, forget_bias) })
    }

    pub fn set_options(&mut self, options: &Options) -> Result<()> {
        options.set(self.0)
    }

    pub fn options(&self) -> Options {
        Options::of(self.0)
    }

    pub fn sizes(&self) -> Sizes {
        Sizes::of(self.0)
    }
}

/// What the readout reads of the top layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readout {
    C = 1,
    H = 2,
    Both = 3,
}

/// How initial values are drawn.
#[derive(Clone, Copy, Debug)]
pub enum Initializer {
    Zeros,
    /// From the first number to below the second.
    Uniform(f32, f32),
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    /// With this mean and this standard deviation.
    Normal(f32, f32),
    /// As `Normal`, less than two standard deviations from the mean.
    TruncatedNormal(f32, f32),
    Constant(f32),
    /// With this gain.
    Orthogonal(f32),
}

impl Initializer {
    fn in_c(self) -> (i32, f32, f32) {
        match self {
            Initializer::Zeros => (0, 0.0, 0.0),
            Initializer::Uniform(a, b) => (1, a, b),
            Initializer::GlorotUniform => (2, 0.0, 0.0),
            Initializer::GlorotNormal => (3, 0.0, 0.0),
            Initializer::HeUniform => (4, 0.0, 0.0),
            Initializer::HeNormal => (5, 0.0, 0.0),
            Initializer::Normal(mean, deviation) => (6, mean, deviation),
            Initializer::TruncatedNormal(mean, deviation) => (7, mean, deviation),
            Initializer::Constant(value) => (8, value, 0.0),
            Initializer::Orthogonal(gain) => (9, gain, 0.0),
        }
    }
}

/// A parameter of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    pub name: String,
    /// One dimension or two.
    pub shape: Vec<usize>,
}

/// What a backward pass reads and writes; whatever is `None` is left out.
#[derive(Default)]
pub struct Backward<'a> {
    /// The gradient of y, `[T,B,O]`.
    pub dy: Option<&'a [f32]>,
    /// The gradient of h of the top layer, `[T,B,D]`, beside what comes through y.
    pub dh_top: Option<&'a [f32]>,
    /// The same for c, `[T,B,C]`.
    pub dc_top: Option<&'a [f32]>,
    /// Becomes the gradient of x, `[T,B,I]`.
    pub dx: Option<&'a mut [f32]>,
    /// Gradients are added to it.
    pub grads: Option<&'a mut Grads>,
}

impl Stack {
    /// A stack of the given layers, bottom first.
    pub fn new(cells: Vec<Cell>) -> Result<Stack> {
        let pointers: Vec<_> = cells.iter().map(|cell| cell.0).collect();
        let count = size(pointers.len());
        let stack = Stack::create(|stack| unsafe {
            ffi::mlstm_stack_create(pointers.as_ptr(), count, stack)
        })?;
        cells.into_iter().for_each(std::mem::forget); // the stack frees them
        Ok(stack)
    }

    pub fn set_readout(&mut self, outputs: usize, sources: Readout) -> Result<()> {
        check(unsafe { ffi::mlstm_stack_set_readout(self.0, size(outputs), sources as i32) })
    }

    /// What the readout reads; `None` without one.
    pub fn readout(&self) -> Option<Readout> {
        let sources = unsafe { ffi::mlstm_stack_readout(self.0) };
        let all = [Readout::C, Readout::H, Readout::Both];
        all.into_iter().find(|each| *each as i32 == sources)
    }

    pub fn input_size(&self) -> usize {
        unsafe { ffi::mlstm_stack_input_size(self.0) as usize }
    }

    pub fn output_size(&self) -> usize {
        unsafe { ffi::mlstm_stack_output_size(self.0) as usize }
    }

    pub fn layer_count(&self) -> usize {
        unsafe { ffi::mlstm_stack_layer_count(self.0) as usize }
    }

    fn cell(&self, layer: usize) -> Option<*const ffi::Cell> {
        let cell = unsafe { ffi::mlstm_stack_cell(self.0, size(layer)) };
        (!cell.is_null()).then_some(cell)
    }

    /// The options of a layer; `None` for one that is not there.
    pub fn options(&self, layer: usize) -> Option<Options> {
        self.cell(layer).map(Options::of)
    }

    /// The sizes of a layer; `None` for one that is not there.
    pub fn sizes(&self, layer: usize) -> Option<Sizes> {
        self.cell(layer).map(Sizes::of)
    }

    /// Gives every kernel and projection new values, gains and highway biases 1, and everything else
    /// 0. The numbers of the initializer are not used: `Orthogonal` has gain 1.
    pub fn init(&mut self, initializer: Initializer, seed: u64) -> Result<()> {
        check(unsafe { ffi::mlstm_stack_init(self.0, initializer.in_c().0, seed) })
    }

    pub fn init_param(&mut self, name: &str, initializer: Initializer, seed: u64) -> Result<()> {
        let (name, (kind, a, b)) = (c_string(name)?, initializer.in_c());
        check(unsafe { ffi::mlstm_stack_init_param(self.0, name.as_ptr(), kind, a, b, seed) })
    }

    /// Every parameter, from the bottom layer to the readout.
    pub fn params(&self) -> Result<Vec<Param>> {
        let count = unsafe { ffi::mlstm_stack_param_count(self.0) };
        (0..count).map(|index| self.param(index)).collect()
    }

    fn param(&self, index: i32) -> Result<Param> {
        let (mut name, mut rank, mut shape) = (ptr::null(), 0, [0; 2]);
        check(unsafe {
            let shape = shape.as_mut_ptr();
            ffi::mlstm_stack_param_info(self.0, index, &mut name, &mut rank, shape)
        })?;
        let shape = shape[..rank as usize].iter().map(|&n| n as usize);
        Ok(Param {
            name: text(name),
            shape: shape.collect(),
        })
    }

    pub fn get_param(&self, name: &str, values: &mut [f32]) -> Result<()> {
        let (name, count) = (c_string(name)?, values.len());
        check(unsafe {
            ffi::mlstm_stack_get_param(self.0, name.as_ptr(), values.as_mut_ptr(), count)
        })
    }

    pub fn set_param(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let (name, count) = (c_string(name)?, values.len());
        check(unsafe { ffi::mlstm_stack_set_param(self.0, name.as_ptr(), values.as_ptr(), count) })
    }

    /// Moves a state on by one step: `x` is `[B,I]`, `y` `[B,O]`.
    pub fn step_forward(&self, state: &mut State, x: &[f32], y: Option<&mut [f32]>) -> Result<()> {
        check_length("x", x.len(), state.batch() * self.input_size())?;
        check_given("y", y.as_deref(), state.batch() * self.output_size())?;
        check(unsafe { ffi::mlstm_step_forward(self.0, state.0, x.as_ptr(), or_null(y)) })
    }

    /// Moves a state on by the steps that `x` `[T,B,I]` has; `y` is `[T,B,O]`.
    pub fn forward(&self, state: &mut State, x: &[f32], y: Option<&mut [f32]>) -> Result<()> {
        let row = state.batch() * self.input_size();
        let steps = x.len() / row;
        check_length("x", x.len(), steps.max(1) * row)?;
        let outputs = steps * state.batch() * self.output_size();
        check_given("y", y.as_deref(), outputs)?;
        let (x, y) = (x.as_ptr(), or_null(y));
        check(unsafe { ffi::mlstm_forward(self.0, state.0, x, size(steps), y) })
    }

    /// Walks the recorded steps back and adds to `grads`; `dy` `[T,B,O]` is the gradient of y.
    pub fn backward(&self, state: &mut State, dy: &[f32], grads: &mut Grads) -> Result<()> {
        let pass = Backward {
            dy: Some(dy),
            grads: Some(grads),
            ..Backward::default()
        };
        self.backward_with(state, pass)
    }

    /// As `backward`, with more that is given or wanted.
    pub fn backward_with(&self, state: &mut State, pass: Backward) -> Result<()> {
        let (rows, (c, h)) = (state.steps() * state.batch(), state.1.top);
        if rows > 0 {
            check_given("dy", pass.dy, rows * self.output_size())?;
            check_given("dh_top", pass.dh_top, rows * h)?;
            check_given("dc_top", pass.dc_top, rows * c)?;
            check_given("dx", pass.dx.as_deref(), rows * self.input_size())?;
        }
        let (dy, dh_top) = (read_or_null(pass.dy), read_or_null(pass.dh_top));
        let (dc_top, dx) = (read_or_null(pass.dc_top), or_null(pass.dx));
        let grads = pass.grads.map_or(ptr::null_mut(), |grads| grads.0);
        check(unsafe { ffi::mlstm_backward(self.0, state.0, dy, dh_top, dc_top, dx, grads) })
    }
}

impl State {
    /// A state of 0 for `batch` rows that records up to `window` steps; 0 is for inference.
    pub fn new(stack: &Stack, batch: usize, window: usize) -> Result<State> {
        let (batch, window) = (size(batch), size(window));
        State::create(
            |state| unsafe { ffi::mlstm_state_create(stack.0, batch, window, state) },
            Widths::of(stack),
        )
    }

    pub fn set_threads(&mut self, threads: usize) -> Result<()> {
        check(unsafe { ffi::mlstm_state_set_threads(self.0, size(threads)) })
    }

    pub fn threads(&self) -> usize {
        unsafe { ffi::mlstm_state_threads(self.0) as usize }
    }

    /// Sets c and h to 0 and begins a window.
    pub fn zero(&mut self) -> Result<()> {
        check(unsafe { ffi::mlstm_state_zero(self.0) })
    }

    /// As `zero`, but layers with a learned state begin with theirs.
    pub fn begin_sequence(&mut self, stack: &Stack) -> Result<()> {
        check(unsafe { ffi::mlstm_state_begin_sequence(stack.0, self.0) })
    }

    /// Keeps c and h, forgets the recorded steps.
    pub fn begin_window(&mut self) -> Result<()> {
        check(unsafe { ffi::mlstm_state_begin_window(self.0) })
    }

    /// Begins a window whose first steps are the last ones that were recorded.
    pub fn keep_steps(&mut self, steps: usize) -> Result<()> {
        check(unsafe { ffi::mlstm_state_keep_steps(self.0, size(steps)) })
    }

    /// How many steps each row still has, `[B]`; `None` for no end.
    pub fn set_lengths(&mut self, lengths: Option<&[i32]>) -> Result<()> {
        let (pointer, count) = lengths.map_or((ptr::null(), 0), |of| (of.as_ptr(), of.len()));
        check(unsafe { ffi::mlstm_state_set_lengths(self.0, pointer, count) })
    }

    /// Turns dropout and zoneout at random on with this seed, or off with `None`; begins a window.
    pub fn set_training(&mut self, seed: Option<u64>) -> Result<()> {
        let (training, seed) = (i32::from(seed.is_some()), seed.unwrap_or(0));
        check(unsafe { ffi::mlstm_state_set_training(self.0, training, seed) })
    }

    pub fn training(&self) -> bool {
        unsafe { ffi::mlstm_state_training(self.0) != 0 }
    }

    /// How many numbers the state tensor `[L,2,B,H]` has.
    pub fn size(&self) -> usize {
        unsafe { ffi::mlstm_state_size(self.0) }
    }

    pub fn batch(&self) -> usize {
        unsafe { ffi::mlstm_state_batch(self.0) as usize }
    }

    /// Steps that a window can record.
    pub fn window(&self) -> usize {
        unsafe { ffi::mlstm_state_window(self.0) as usize }
    }

    /// Steps recorded since the window began.
    pub fn steps(&self) -> usize {
        unsafe { ffi::mlstm_state_steps(self.0) as usize }
    }

    /// Bytes that the state holds.
    pub fn bytes(&self) -> usize {
        unsafe { ffi::mlstm_state_bytes(self.0) }
    }

    pub fn get(&self, values: &mut [f32]) -> Result<()> {
        check(unsafe { ffi::mlstm_state_get(self.0, values.as_mut_ptr(), values.len()) })
    }

    pub fn set(&mut self, values: &[f32]) -> Result<()> {
        check(unsafe { ffi::mlstm_state_set(self.0, values.as_ptr(), values.len()) })
    }

    /// Copies c `[B,H]` and h `[B,P]` of one layer out, of a bidirectional one `[2,B,H]` and
    /// `[2,B,P]`.
    pub fn get_layer(
        &self,
        layer: usize,
        c: Option<&mut [f32]>,
        h: Option<&mut [f32]>,
    ) -> Result<()> {
        self.check_layer(layer, c.as_deref(), h.as_deref())?;
        let (layer, c, h) = (size(layer), or_null(c), or_null(h));
        check(unsafe { ffi::mlstm_state_get_layer(self.0, layer, c, h) })
    }

    /// Replaces c, h or both of one layer and begins a window.
    pub fn set_layer(&mut self, layer: usize, c: Option<&[f32]>, h: Option<&[f32]>) -> Result<()> {
        self.check_layer(layer, c, h)?;
        let (layer, c, h) = (size(layer), read_or_null(c), read_or_null(h));
        check(unsafe { ffi::mlstm_state_set_layer(self.0, layer, c, h) })
    }

    /// The library has the sentence for a layer that is not there.
    fn check_layer(&self, layer: usize, c: Option<&[f32]>, h: Option<&[f32]>) -> Result<()> {
        self.1
            .layers
            .get(layer)
            .map_or(Ok(()), |&widths| check_pair(c, h, self.batch(), widths))
    }

    /// Copies c `[T,B,C]` and h `[T,B,D]` of the top layer out, of every recorded step.
    pub fn get_top(&self, c: Option<&mut [f32]>, h: Option<&mut [f32]>) -> Result<()> {
        let rows = self.steps() * self.batch();
        if rows > 0 {
            check_pair(c.as_deref(), h.as_deref(), rows, self.1.top)?;
        }
        check(unsafe { ffi::mlstm_state_get_top(self.0, or_null(c), or_null(h)) })
    }

    /// Gives the gradient of the loss beyond this window, `[L,2,B,H]`; `None` for none.
    pub fn set_final_grad(&mut self, values: Option<&[f32]>) -> Result<()> {
        let (pointer, count) = (read_or_null(values), values.map_or(0, <[f32]>::len));
        check(unsafe { ffi::mlstm_state_set_final_grad(self.0, pointer, count) })
    }

    /// The gradient of the state at the beginning of the window, as the last backward pass found
    /// it.
    pub fn get_initial_grad(&self, values: &mut [f32]) -> Result<()> {
        let (pointer, count) = (values.as_mut_ptr(), values.len());
        check(unsafe { ffi::mlstm_state_get_initial_grad(self.0, pointer, count) })
    }

    /// As `apply` of the optimizer, on the threads of this state.
    pub fn apply(
        &mut self,
        optimizer: &mut Optimizer,
        stack: &mut Stack,
        grads: &Grads,
    ) -> Result<()> {
        check(unsafe { ffi::mlstm_state_apply_grads(self.0, optimizer.0, stack.0, grads.0) })
    }
}

impl Grads {
    pub fn new(stack: &Stack) -> Result<Grads> {
        Grads::create(|grads| unsafe { ffi::mlstm_grads_create(stack.0, grads) })
    }

    pub fn zero(&mut self) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_zero(self.0) })
    }

    pub fn scale(&mut self, factor: f32) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_scale(self.0, factor) })
    }

    pub fn add(&mut self, other: &Grads) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_add(self.0, other.0) })
    }

    /// The global norm.
    pub fn norm(&self) -> Result<f32> {
        let mut norm = 0.0;
        check(unsafe { ffi::mlstm_grads_norm(self.0, &mut norm) })?;
        Ok(norm)
    }

    /// Clips by the global norm and returns what that was before.
    pub fn clip_norm(&mut self, max_norm: f32) -> Result<f32> {
        let mut norm = 0.0;
        check(unsafe { ffi::mlstm_grads_clip_norm(self.0, max_norm, &mut norm) })?;
        Ok(norm)
    }

    /// Clips the gradient of every parameter by its own norm.
    pub fn clip_param_norm(&mut self, max_norm: f32) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_clip_param_norm(self.0, max_norm) })
    }

    /// Clips every number to -limit to limit.
    pub fn clip_value(&mut self, limit: f32) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_clip_value(self.0, limit) })
    }

    /// `Error::NOT_FINITE`, naming the parameter, where a number is not finite.
    pub fn check(&self) -> Result<()> {
        check(unsafe { ffi::mlstm_grads_check(self.0, ptr::null_mut()) })
    }

    pub fn get(&self, name: &str, values: &mut [f32]) -> Result<()> {
        let (name, count) = (c_string(name)?, values.len());
        check(unsafe { ffi::mlstm_grads_get(self.0, name.as_ptr(), values.as_mut_ptr(), count) })
    }

    pub fn set(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let (name, count) = (c_string(name)?, values.len());
        check(unsafe { ffi::mlstm_grads_set(self.0, name.as_ptr(), values.as_ptr(), count) })
    }

    /// The block itself, in the kernels' own order, for what is done to all gradients alike;
    /// padding in it is 0 and has to stay so.
    pub fn data(&mut self) -> Result<&mut [f32]> {
        let (mut data, mut count) = (ptr::null_mut(), 0);
        check(unsafe { ffi::mlstm_grads_data(self.0, &mut data, &mut count) })?;
        // SAFETY: the block is there until the gradients are freed, and nobody else has it.
        Ok(unsafe { std::slice::from_raw_parts_mut(data, count) })
    }
}

macro_rules! rules {
    ($($name:ident($($setting:ident),*): $create:ident;)*) => {
        impl Optimizer {$(
            /// The rule of this name; its settings are as in C.
            pub fn $name(stack: &Stack, rate: f32, $($setting: f32),*) -> Result<Optimizer> {
                Optimizer::create(|optimizer| unsafe {
                    ffi::$create(stack.0, rate, $($setting,)* optimizer)
                })
            }
        )*}
    };
}
rules! {
    adagrad(initial_accumulator): mlstm_adagrad_create;
    adam(beta1, beta2, epsilon): mlstm_adam_create;
    adamw(beta1, beta2, epsilon, weight_decay): mlstm_adamw_create;
    amsgrad(beta1, beta2, epsilon): mlstm_amsgrad_create;
    nadam(beta1, beta2, epsilon, momentum_decay): mlstm_nadam_create;
    lion(beta1, beta2, weight_decay): mlstm_lion_create;
}

impl Optimizer {
    pub fn sgd(stack: &Stack, rate: f32, momentum: f32, nesterov: bool) -> Result<Optimizer> {
        Optimizer::create(|optimizer| unsafe {
            ffi::mlstm_sgd_create(stack.0, rate, momentum, i32::from(nesterov), optimizer)
        })
    }

    pub fn rmsprop(
        stack: &Stack,
        rate: f32,
        decay: f32,
        momentum: f32,
        epsilon: f32,
        centered: bool,
    ) -> Result<Optimizer> {
        let centered = i32::from(centered);
        Optimizer::create(|optimizer| unsafe {
            ffi::mlstm_rmsprop_create(stack.0, rate, decay, momentum, epsilon, centered, optimizer)
        })
    }

    pub fn set_rate(&mut self, rate: f32) -> Result<()> {
        check(unsafe { ffi::mlstm_optimizer_set_rate(self.0, rate) })
    }

    pub fn rate(&self) -> f32 {
        unsafe { ffi::mlstm_optimizer_rate(self.0) }
    }

    /// How many updates were made.
    pub fn step_count(&self) -> i64 {
        unsafe { ffi::mlstm_optimizer_step_count(self.0) }
    }

    pub fn set_step_count(&mut self, count: i64) -> Result<()> {
        check(unsafe { ffi::mlstm_optimizer_set_step_count(self.0, count) })
    }

    /// The names of the slots that the rule keeps for each parameter.
    pub fn slots(&self) -> Vec<String> {
        let count = unsafe { ffi::mlstm_optimizer_slot_count(self.0) };
        let name = |index| text(unsafe { ffi::mlstm_optimizer_slot_name(self.0, index) });
        (0..count).map(name).collect()
    }

    pub fn get_slot(&self, slot: &str, param: &str, values: &mut [f32]) -> Result<()> {
        let (slot, param) = (c_string(slot)?, c_string(param)?);
        let (slot, param, count) = (slot.as_ptr(), param.as_ptr(), values.len());
        let values = values.as_mut_ptr();
        check(unsafe { ffi::mlstm_optimizer_get_slot(self.0, slot, param, values, count) })
    }

    pub fn set_slot(&mut self, slot: &str, param: &str, values: &[f32]) -> Result<()> {
        let (slot, param) = (c_string(slot)?, c_string(param)?);
        let (slot, param, count) = (slot.as_ptr(), param.as_ptr(), values.len());
        let values = values.as_ptr();
        check(unsafe { ffi::mlstm_optimizer_set_slot(self.0, slot, param, values, count) })
    }

    /// The weight decay of one parameter; 0 for one that is not there.
    pub fn weight_decay(&self, param: &str) -> f32 {
        c_string(param).map_or(0.0, |param| unsafe {
            ffi::mlstm_optimizer_weight_decay(self.0, param.as_ptr())
        })
    }

    /// Sets the weight decay of one parameter.
    pub fn set_weight_decay(&mut self, param: &str, decay: f32) -> Result<()> {
        let param = c_string(param)?;
        check(unsafe { ffi::mlstm_optimizer_set_weight_decay(self.0, param.as_ptr(), decay) })
    }

    /// Whether one parameter is frozen.
    pub fn frozen(&self, param: &str) -> bool {
        c_string(param).map_or(false, |param| unsafe {
            ffi::mlstm_optimizer_frozen(self.0, param.as_ptr()) != 0
        })
    }

    /// Freezes one parameter, or lets it go on.
    pub fn set_frozen(&mut self, param: &str, frozen: bool) -> Result<()> {
        let (param, frozen) = (c_string(param)?, i32::from(frozen));
        check(unsafe { ffi::mlstm_optimizer_set_frozen(self.0, param.as_ptr(), frozen) })
    }

    /// Updates every parameter of the stack that is not frozen by its gradient.
    pub fn apply(&mut self, stack: &mut Stack, grads: &Grads) -> Result<()> {
        check(unsafe { ffi::mlstm_apply_grads(self.0, stack.0, grads.0) })
    }
}

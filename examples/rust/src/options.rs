// SPDX-License-Identifier: MIT
//! The options and sizes of a cell; `cell.h` says what each of them is.

use super::{check, ffi, size, Result, Stack};

/// An enum whose numbers are those of C.
macro_rules! choices {
    ($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $choice:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$of])* $choice,)* }

        impl $name {
            fn from_c(number: i32) -> $name {
                [$($name::$choice),*][number as usize]
            }
        }
    };
}
choices! {
    /// For how long a mask of dropout holds.
    Mask { Step, Sequence, }
}
choices! {
    /// What recurrent dropout drops.
    Dropped { Hidden, Candidate, }
}
choices! {
    /// How what a layer reads goes past it.
    Skip { None, Residual, Highway, }
}
choices! {
    /// What becomes of the two directions of a layer; `None`: there is only one.
    Merge { None, Concat, Sum, }
}

/// Where layer normalisation is, and its epsilon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Norm {
    None,
    Gates(f32),
    Products(f32),
}

/// The options of a cell; those of a new one are a start:
///
/// ```
/// # use mlstm::{Cell, Merge, Options};
/// let mut cell = Cell::new(2, 6)?;
/// cell.set_options(&Options { peepholes: true, projection: 4, ..cell.options() })?;
/// # Ok::<(), mlstm::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    pub forget_bias: f32,
    pub biases: usize,
    pub peepholes: bool,
    /// 0 for none, as in all that follow.
    pub projection: usize,
    pub projection_clip: f32,
    pub cell_clip: f32,
    pub coupled: bool,
    pub norm: Norm,
    /// The rates of c and of h.
    pub zoneout: (f32, f32),
    pub dropout: (f32, Mask),
    pub recurrent_dropout: (f32, Dropped, Mask),
    pub skip: Skip,
    pub bidirectional: Merge,
    pub learned_state: bool,
}

impl Options {
    pub(crate) fn set(&self, cell: *mut ffi::Cell) -> Result<()> {
        let (norm, epsilon) = match self.norm {
            Norm::None => (0, 0.0),
            Norm::Gates(epsilon) => (1, epsilon),
            Norm::Products(epsilon) => (2, epsilon),
        };
        let (rate, mask) = self.dropout;
        let (recurrent_rate, what, recurrent_mask) = self.recurrent_dropout;
        unsafe {
            check(ffi::mlstm_cell_set_forget_bias(cell, self.forget_bias))?;
            check(ffi::mlstm_cell_set_biases(cell, size(self.biases)))?;
            check(ffi::mlstm_cell_set_peepholes(cell, self.peepholes.into()))?;
            check(ffi::mlstm_cell_set_projection(cell, size(self.projection)))?;
            check(ffi::mlstm_cell_set_projection_clip(
                cell,
                self.projection_clip,
            ))?;
            check(ffi::mlstm_cell_set_cell_clip(cell, self.cell_clip))?;
            check(ffi::mlstm_cell_set_coupled(cell, self.coupled.into()))?;
            check(ffi::mlstm_cell_set_norm(cell, norm, epsilon))?;
            check(ffi::mlstm_cell_set_zoneout(
                cell,
                self.zoneout.0,
                self.zoneout.1,
            ))?;
            check(ffi::mlstm_cell_set_dropout(cell, rate, mask as i32))?;
            check(ffi::mlstm_cell_set_recurrent_dropout(
                cell,
                recurrent_rate,
                what as i32,
                recurrent_mask as i32,
            ))?;
            check(ffi::mlstm_cell_set_skip(cell, self.skip as i32))?;
            check(ffi::mlstm_cell_set_bidirectional(
                cell,
                self.bidirectional as i32,
            ))?;
            check(ffi::mlstm_cell_set_learned_state(
                cell,
                self.learned_state.into(),
            ))
        }
    }

    /// The options of a cell that is there.
    pub(crate) fn of(cell: *const ffi::Cell) -> Options {
        let (mut epsilon, mut zoneout) = (0.0, (0.0, 0.0));
        let (mut mask, mut what, mut recurrent_mask) = (0, 0, 0);
        unsafe {
            let norm = ffi::mlstm_cell_norm(cell, &mut epsilon);
            ffi::mlstm_cell_zoneout(cell, &mut zoneout.0, &mut zoneout.1);
            let rate = ffi::mlstm_cell_dropout(cell, &mut mask);
            let recurrent_rate =
                ffi::mlstm_cell_recurrent_dropout(cell, &mut what, &mut recurrent_mask);
            Options {
                forget_bias: ffi::mlstm_cell_forget_bias(cell),
                biases: ffi::mlstm_cell_biases(cell) as usize,
                peepholes: ffi::mlstm_cell_peepholes(cell) != 0,
                projection: ffi::mlstm_cell_projection(cell) as usize,
                projection_clip: ffi::mlstm_cell_projection_clip(cell),
                cell_clip: ffi::mlstm_cell_cell_clip(cell),
                coupled: ffi::mlstm_cell_coupled(cell) != 0,
                norm: [Norm::None, Norm::Gates(epsilon), Norm::Products(epsilon)][norm as usize],
                zoneout,
                dropout: (rate, Mask::from_c(mask)),
                recurrent_dropout: (
                    recurrent_rate,
                    Dropped::from_c(what),
                    Mask::from_c(recurrent_mask),
                ),
                skip: Skip::from_c(ffi::mlstm_cell_skip(cell)),
                bidirectional: Merge::from_c(ffi::mlstm_cell_bidirectional(cell)),
                learned_state: ffi::mlstm_cell_learned_state(cell) != 0,
            }
        }
    }
}

/// The sizes of a cell: what it reads, its units, the numbers in h, what it gives, and c beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub input: usize,
    pub hidden: usize,
    pub recurrent: usize,
    pub output: usize,
    pub output_c: usize,
}

impl Sizes {
    /// The sizes of a cell that is there.
    pub(crate) fn of(cell: *const ffi::Cell) -> Sizes {
        unsafe {
            Sizes {
                input: ffi::mlstm_cell_input_size(cell) as usize,
                hidden: ffi::mlstm_cell_hidden_size(cell) as usize,
                recurrent: ffi::mlstm_cell_recurrent_size(cell) as usize,
                output: ffi::mlstm_cell_output_size(cell) as usize,
                output_c: ffi::mlstm_cell_output_c_size(cell) as usize,
            }
        }
    }
}

/// How many numbers a row has in c and in h: of the state of each layer, both directions together,
/// and of what the top layer gives.
#[derive(Debug, Default)]
pub(crate) struct Widths {
    pub layers: Vec<(usize, usize)>,
    pub top: (usize, usize),
}

impl Widths {
    pub fn of(stack: &Stack) -> Widths {
        let mut widths = Widths::default();
        for cell in (0..stack.layer_count()).filter_map(|layer| stack.cell(layer)) {
            let sizes = Sizes::of(cell);
            let directions = match Options::of(cell).bidirectional {
                Merge::None => 1,
                Merge::Concat | Merge::Sum => 2,
            };
            let state = (directions * sizes.hidden, directions * sizes.recurrent);
            widths.layers.push(state);
            widths.top = (sizes.output_c, sizes.output);
        }
        widths
    }
}

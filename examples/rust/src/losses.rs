// SPDX-License-Identifier: MIT
//! Losses on y, and softmax alone; `loss.h` has the formulas. Each loss fills its gradient where that
//! is wanted.

use super::{check, check_given, check_length, ffi, or_null, read_or_null, size, Result};

/// Softmax of each row of `logits` `[rows, classes]`.
pub fn softmax(logits: &[f32], classes: usize, probabilities: &mut [f32]) -> Result<()> {
    let columns = classes.max(1);
    let rows = logits.len() / columns;
    check_length("logits", logits.len(), rows * columns)?;
    check_length("probabilities", probabilities.len(), logits.len())?;
    let (logits, probabilities) = (logits.as_ptr(), probabilities.as_mut_ptr());
    check(unsafe { ffi::mlstm_softmax(logits, rows, size(classes), probabilities) })
}

/// Softmax cross entropy, averaged over rows: the loss, and into `dlogits` its gradient, into
/// `probabilities` the softmax. One label for each row of `logits` `[rows, classes]`.
pub fn softmax_cross_entropy(
    logits: &[f32],
    labels: &[i32],
    probabilities: Option<&mut [f32]>,
    dlogits: Option<&mut [f32]>,
) -> Result<f32> {
    let (rows, mut loss) = (labels.len(), 0.0);
    let classes = check_softmax(logits, labels, &probabilities, &dlogits)?;
    let (logits, labels) = (logits.as_ptr(), labels.as_ptr());
    let (probabilities, dlogits) = (or_null(probabilities), or_null(dlogits));
    check(unsafe {
        ffi::mlstm_softmax_cross_entropy(
            logits,
            labels,
            rows,
            classes,
            probabilities,
            dlogits,
            &mut loss,
        )
    })?;
    Ok(loss)
}

/// Softmax cross entropy with a weight for each row, a label that is ignored, and label smoothing.
#[allow(clippy::too_many_arguments)]
pub fn softmax_cross_entropy_weighted(
    logits: &[f32],
    labels: &[i32],
    weights: Option<&[f32]>,
    ignored: i32,
    smoothing: f32,
    probabilities: Option<&mut [f32]>,
    dlogits: Option<&mut [f32]>,
) -> Result<f32> {
    let (rows, mut loss) = (labels.len(), 0.0);
    let classes = check_softmax(logits, labels, &probabilities, &dlogits)?;
    check_given("weights", weights, rows)?;
    let weights = read_or_null(weights);
    let (logits, labels) = (logits.as_ptr(), labels.as_ptr());
    let (probabilities, dlogits) = (or_null(probabilities), or_null(dlogits));
    check(unsafe {
        ffi::mlstm_softmax_cross_entropy_weighted(
            logits,
            labels,
            weights,
            rows,
            classes,
            ignored,
            smoothing,
            probabilities,
            dlogits,
            &mut loss,
        )
    })?;
    Ok(loss)
}

/// Checks lengths and returns the number of classes.
fn check_softmax(
    logits: &[f32],
    labels: &[i32],
    probabilities: &Option<&mut [f32]>,
    dlogits: &Option<&mut [f32]>,
) -> Result<i32> {
    let classes = columns("logits", logits, labels.len())?;
    for array in [probabilities, dlogits].into_iter().flatten() {
        check_length("each output", array.len(), logits.len())?;
    }
    Ok(classes)
}

/// How many numbers each row of an array has.
fn columns(name: &str, array: &[f32], rows: usize) -> Result<i32> {
    let count = array.len() / rows.max(1);
    check_length(name, array.len(), rows * count)?;
    Ok(size(count))
}

macro_rules! comparisons {
    ($($name:ident($($setting:ident)?): $function:ident;)*) => {$(
        /// Of outputs and targets, `[T,B,O]` both, averaged; into `doutputs` its gradient.
        pub fn $name(
            outputs: &[f32],
            targets: &[f32],
            $($setting: f32,)?
            doutputs: Option<&mut [f32]>,
        ) -> Result<f32> {
            let (count, mut loss) = (outputs.len(), 0.0);
            check_comparison(count, targets, &doutputs)?;
            let (outputs, targets) = (outputs.as_ptr(), targets.as_ptr());
            let doutputs = or_null(doutputs);
            check(unsafe {
                ffi::$function(outputs, targets, count, $($setting,)? doutputs, &mut loss)
            })?;
            Ok(loss)
        }
    )*};
}
comparisons! {
    sigmoid_cross_entropy(): mlstm_sigmoid_cross_entropy;
    absolute_error(): mlstm_absolute_error;
    huber_loss(delta): mlstm_huber_loss;
    squared_error(): mlstm_squared_error;
}

fn check_comparison(count: usize, targets: &[f32], doutputs: &Option<&mut [f32]>) -> Result<()> {
    check_length("targets", targets.len(), count)?;
    match doutputs {
        Some(doutputs) => check_length("doutputs", doutputs.len(), count),
        None => Ok(()),
    }
}

/// The losses of single numbers, for [`weighted_loss`]; `Huber` with its delta.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    SquaredError,
    AbsoluteError,
    Huber(f32),
    SigmoidCrossEntropy,
}

/// One of the losses above with a weight for each row of outputs and targets.
pub fn weighted_loss(
    loss: Loss,
    outputs: &[f32],
    targets: &[f32],
    weights: &[f32],
    doutputs: Option<&mut [f32]>,
) -> Result<f32> {
    let (kind, delta) = match loss {
        Loss::SquaredError => (0, 0.0),
        Loss::AbsoluteError => (1, 0.0),
        Loss::Huber(delta) => (2, delta),
        Loss::SigmoidCrossEntropy => (3, 0.0),
    };
    let (rows, mut value) = (weights.len(), 0.0);
    let columns = columns("outputs", outputs, rows)?;
    check_comparison(outputs.len(), targets, &doutputs)?;
    let (outputs, targets, weights) = (outputs.as_ptr(), targets.as_ptr(), weights.as_ptr());
    let doutputs = or_null(doutputs);
    check(unsafe {
        ffi::mlstm_weighted_loss(
            kind, outputs, targets, weights, rows, columns, delta, doutputs, &mut value,
        )
    })?;
    Ok(value)
}

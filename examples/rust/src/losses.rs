// SPDX-License-Identifier: MIT
//! Losses on y; `loss.h` has the formulas. Each fills its gradient where that is wanted.

use super::{check, check_length, ffi, or_null, size, Result};
use std::ptr;

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
    if let Some(weights) = weights {
        check_length("weights", weights.len(), rows)?;
    }
    let weights = weights.map_or(ptr::null(), <[f32]>::as_ptr);
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
    let rows = labels.len();
    let classes = logits.len() / rows.max(1);
    check_length("logits", logits.len(), rows * classes)?;
    for array in [probabilities, dlogits].into_iter().flatten() {
        check_length("each output", array.len(), logits.len())?;
    }
    Ok(size(classes))
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
            check_length("targets", targets.len(), count)?;
            if let Some(doutputs) = &doutputs {
                check_length("doutputs", doutputs.len(), count)?;
            }
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

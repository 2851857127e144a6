// SPDX-License-Identifier: MIT
//! Trains the 20 golden windows and compares every loss.

use mlstm::{softmax_cross_entropy, Cell, Grads, Optimizer, Readout, Result, Stack, State};
use std::collections::HashMap;

const T: usize = 15;
const B: usize = 5;
const H: usize = 4;
const O: usize = 2;

/// The numbers of every record of a golden file, by path; those of text records are left out.
fn read_golden(path: &str) -> HashMap<String, Vec<f32>> {
    let text = std::fs::read_to_string(path).expect(path);
    let mut lines = text.lines();
    let mut records = HashMap::new();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        let values = if words[0] == "T" {
            lines.next().unwrap()
        } else {
            words[2]
        };
        if let Ok(numbers) = values.split(' ').map(str::parse).collect() {
            records.insert(words[1].to_string(), numbers);
        }
    }
    records
}

/// `[B,T]` of the file to `[T,B]`.
fn transposed(values: &[f32]) -> Vec<f32> {
    (0..T * B).map(|i| values[i % B * T + i / B]).collect()
}

#[test]
fn losses_are_those_of_the_golden_file() -> Result<()> {
    let golden = read_golden(&std::env::var("MLSTM_GOLDEN").expect("MLSTM_GOLDEN names the file"));
    let mut stack = Stack::new(vec![Cell::new(1, H)?, Cell::new(H, H)?, Cell::new(H, H)?])?;
    stack.set_readout(O, Readout::Both)?;
    for (name, record) in [
        ("layer0.kernel", "kernel_0"),
        ("layer1.kernel", "kernel_1"),
        ("layer2.kernel", "kernel_2"),
        ("layer0.bias", "bias_0"),
        ("layer1.bias", "bias_1"),
        ("layer2.bias", "bias_2"),
        ("readout.kernel_c", "W1"),
        ("readout.kernel_h", "W2"),
        ("readout.bias", "b2"),
    ] {
        stack.set_param(name, &golden[&format!("initial_params/{}", record)])?;
    }
    let mut state = State::new(&stack, B, T)?;
    let mut grads = Grads::new(&stack)?;
    let mut adagrad = Optimizer::adagrad(&stack, 0.3, 0.1)?;

    for window in 0..20 {
        let record = |name: &str| &golden[&format!("windows/{}/{}", window, name)];
        let x = transposed(record("x"));
        let y: Vec<i32> = transposed(record("y"))
            .iter()
            .map(|&bit| bit as i32)
            .collect();
        let (mut logits, mut dlogits) = ([0.0; T * B * O], [0.0; T * B * O]);

        state.begin_window()?;
        stack.forward(&mut state, &x, Some(&mut logits))?;
        let loss = softmax_cross_entropy(&logits, &y, None, Some(&mut dlogits))?;
        grads.zero()?;
        stack.backward(&mut state, &dlogits, &mut grads)?;
        adagrad.apply(&mut stack, &grads)?;

        let expected = record("loss")[0];
        assert!(
            (loss - expected).abs() <= 5e-6,
            "window {}: {} for {}",
            window,
            loss,
            expected
        );
    }
    Ok(())
}

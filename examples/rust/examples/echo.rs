// SPDX-License-Identifier: MIT
//! The echo task: three LSTM layers read random bits and learn to say each of them again three steps
//! later. With the same seed it prints what examples/echo.c prints.

use mlstm::{
    softmax_cross_entropy, Cell, Grads, Initializer, Optimizer, Readout, Result, Stack, State,
};

const NUM_EPOCHS: usize = 100;
const TOTAL_SERIES_LENGTH: usize = 50000;
const TRUNCATED_BACKPROP_LENGTH: usize = 15;
const STATE_SIZE: usize = 4;
const NUM_CLASSES: usize = 2;
const ECHO_STEP: usize = 3;
const BATCH_SIZE: usize = 5;
const NUM_LAYERS: usize = 3;
const COLUMNS: usize = TOTAL_SERIES_LENGTH / BATCH_SIZE;
const SEED: u64 = 1;

/// 64 random bits (SplitMix64, Steele et al. 2014).
fn random_bits(generator: &mut u64) -> u64 {
    *generator = generator.wrapping_add(0x9e3779b97f4a7c15);
    let mut z = *generator;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
    z ^ (z >> 31)
}

/// x `[columns,B]` is a series of bits cut into B rows, y the same bits ECHO_STEP later.
fn generate_data(generator: &mut u64, x: &mut [f32], y: &mut [i32]) {
    let words: Vec<u64> = (0..(TOTAL_SERIES_LENGTH + 63) / 64)
        .map(|_| random_bits(generator))
        .collect();
    let bit = |i: usize| (words[i / 64] >> (i % 64) & 1) as u8;
    for i in 0..TOTAL_SERIES_LENGTH {
        let (row, column) = (i / COLUMNS, i % COLUMNS);
        let place = column * BATCH_SIZE + row;
        x[place] = bit(i).into();
        y[place] = i.checked_sub(ECHO_STEP).map_or(0, bit).into();
    }
}

fn create_stack() -> Result<Stack> {
    let cells: Result<Vec<_>> = (0..NUM_LAYERS)
        .map(|layer| Cell::new(if layer == 0 { 1 } else { STATE_SIZE }, STATE_SIZE))
        .collect();
    let mut stack = Stack::new(cells?)?;
    stack.set_readout(NUM_CLASSES, Readout::Both)?;
    stack.init(Initializer::GlorotUniform, SEED)?;
    stack.init_param("readout.kernel_c", Initializer::Uniform(0.0, 1.0), SEED)?;
    stack.init_param("readout.kernel_h", Initializer::Uniform(0.0, 1.0), SEED)?;
    Ok(stack)
}

fn train(num_epochs: usize) -> Result<()> {
    let mut stack = create_stack()?;
    let mut state = State::new(&stack, BATCH_SIZE, TRUNCATED_BACKPROP_LENGTH)?;
    let mut grads = Grads::new(&stack)?;
    let mut adagrad = Optimizer::adagrad(&stack, 0.3, 0.1)?;

    const WINDOW: usize = TRUNCATED_BACKPROP_LENGTH * BATCH_SIZE;
    let mut generator = SEED;
    let mut x = vec![0.0; TOTAL_SERIES_LENGTH];
    let mut y = vec![0; TOTAL_SERIES_LENGTH];
    let mut logits = [0.0; WINDOW * NUM_CLASSES];
    let mut dlogits = [0.0; WINDOW * NUM_CLASSES];

    for epoch in 0..num_epochs {
        generate_data(&mut generator, &mut x, &mut y);
        state.zero()?;
        println!("New data, epoch {}", epoch);

        let windows = x.chunks_exact(WINDOW).zip(y.chunks_exact(WINDOW));
        for (step, (batch_x, batch_y)) in windows.enumerate() {
            state.begin_window()?;
            stack.forward(&mut state, batch_x, Some(&mut logits))?;
            let loss = softmax_cross_entropy(&logits, batch_y, None, Some(&mut dlogits))?;
            grads.zero()?;
            stack.backward(&mut state, &dlogits, &mut grads)?;
            adagrad.apply(&mut stack, &grads)?;
            if step % 100 == 0 {
                println!("Step {} Batch loss {}", step, loss);
            }
        }
    }
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let num_epochs = std::env::args()
        .nth(1)
        .map_or(Ok(NUM_EPOCHS), |text| text.parse())?;
    train(num_epochs)?;
    Ok(())
}

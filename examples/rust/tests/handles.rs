// SPDX-License-Identifier: MIT
//! What the safe layer promises of errors and threads.

use mlstm::{Cell, Error, Grads, Initializer, Optimizer, Readout, Result, Stack, State};
use std::thread;

fn new_stack() -> Result<Stack> {
    let mut stack = Stack::new(vec![Cell::new(3, 16)?, Cell::new(16, 16)?])?;
    stack.set_readout(2, Readout::H)?;
    stack.init(Initializer::GlorotUniform, 1)?;
    Ok(stack)
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> (i32, String) {
    let error: Error = result.unwrap_err();
    (error.status, error.to_string())
}

#[test]
fn errors_carry_the_sentence_of_the_library() -> Result<()> {
    let (status, sentence) = refusal(Cell::new(0, 4));
    assert_eq!(status, Error::INVALID_ARGUMENT);
    assert!(
        sentence.contains("input_size must be at least 1, got 0"),
        "{}",
        sentence
    );

    let (status, sentence) = refusal(Stack::new(vec![Cell::new(1, 4)?, Cell::new(5, 4)?]));
    assert_eq!(status, Error::MISMATCH);
    assert!(
        sentence.contains('4') && sentence.contains('5'),
        "{}",
        sentence
    );

    let mut stack = new_stack()?;
    let (status, sentence) = refusal(stack.set_param("layer9.bias", &[0.0]));
    assert_eq!(status, Error::NOT_FOUND);
    assert!(sentence.contains("layer9.bias"), "{}", sentence);

    let mut of_another = State::new(&new_stack()?, 1, 1)?;
    assert_eq!(
        refusal(stack.forward(&mut of_another, &[0.0; 3], None)).0,
        Error::MISMATCH
    );
    Ok(())
}

#[test]
fn arrays_of_a_wrong_length_are_refused() -> Result<()> {
    let stack = new_stack()?;
    let mut state = State::new(&stack, 2, 4)?;
    let mut grads = Grads::new(&stack)?;
    let (_, sentence) = refusal(stack.forward(&mut state, &[0.0; 7], None));
    assert_eq!(sentence, "x must have 6 numbers, got 7");
    assert_eq!(
        refusal(stack.forward(&mut state, &[], None)).0,
        Error::MISMATCH
    );
    let mut short = [0.0; 3];
    assert_eq!(
        refusal(stack.forward(&mut state, &[0.0; 6], Some(&mut short))).0,
        Error::MISMATCH
    );
    assert_eq!(
        refusal(stack.backward(&mut state, &[0.0; 4], &mut grads)).0,
        Error::ORDER
    );
    stack.forward(&mut state, &[0.0; 6], None)?;
    assert_eq!(
        refusal(stack.backward(&mut state, &[0.0; 5], &mut grads)).0,
        Error::MISMATCH
    );
    stack.backward(&mut state, &[0.0; 4], &mut grads)
}

#[test]
fn threads_share_a_stack() -> Result<()> {
    const STEPS: usize = 200;
    let x: Vec<f32> = (0..STEPS * 3).map(|i| (i % 7) as f32 - 3.0).collect();
    let stack = new_stack()?;
    let run = || -> Result<Vec<f32>> {
        let mut state = State::new(&stack, 1, STEPS)?;
        let (mut y, mut dx) = (vec![0.0; STEPS * 2], vec![0.0; 19 * 64]);
        for _ in 0..20 {
            state.zero()?;
            stack.forward(&mut state, &x, Some(&mut y))?;
        }
        let mut grads = Grads::new(&stack)?;
        stack.backward(&mut state, &y, &mut grads)?;
        grads.get("layer0.kernel", &mut dx)?;
        y.extend(dx);
        // The error is this thread's own, whatever the others do.
        let name = format!("{:?}", thread::current().id());
        assert!(refusal(stack.get_param(&name, &mut [])).1.contains(&name));
        Ok(y)
    };
    let alone = run()?;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
        for worker in workers {
            assert_eq!(worker.join().unwrap()?, alone);
        }
        Ok(())
    })
}

#[test]
fn handles_move_to_another_thread() -> Result<()> {
    let (stack, cell) = (new_stack()?, Cell::new(1, 1)?);
    let (mut state, grads) = (State::new(&stack, 1, 1)?, Grads::new(&stack)?);
    let optimizer = Optimizer::sgd(&stack, 0.1, 0.9, true)?;
    thread::spawn(move || {
        stack.forward(&mut state, &[1.0; 3], None)?;
        drop((stack, cell, grads, optimizer));
        assert_eq!(state.steps(), 1); // a state may outlive its stack
        Ok(())
    })
    .join()
    .unwrap()
}

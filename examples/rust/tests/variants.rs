// SPDX-License-Identifier: MIT
//! Options of cells, rows that end, optimizers, losses and schedules.

use mlstm::*;

/// A bidirectional layer with most options below one with the rest.
fn new_stack() -> Result<Stack> {
    let mut below = Cell::new(2, 6)?;
    below.set_options(&Options {
        biases: 2,
        peepholes: true,
        projection: 4,
        projection_clip: 3.0,
        cell_clip: 5.0,
        bidirectional: Merge::Concat,
        learned_state: true,
        ..below.options()
    })?;
    let mut above = Cell::new(8, 8)?;
    above.set_options(&above_options(above.options()))?;
    let mut stack = Stack::new(vec![below, above])?;
    stack.set_readout(1, Readout::H)?;
    stack.init(Initializer::Orthogonal(1.0), 1)?;
    stack.init_param(
        "layer0.peephole_i",
        Initializer::TruncatedNormal(0.0, 0.1),
        1,
    )?;
    Ok(stack)
}

fn above_options(plain: Options) -> Options {
    Options {
        coupled: true,
        norm: Norm::Products(1e-5),
        zoneout: (0.25, 0.125),
        dropout: (0.125, Mask::Sequence),
        recurrent_dropout: (0.25, Dropped::Candidate, Mask::Sequence),
        skip: Skip::Residual,
        ..plain
    }
}

#[test]
fn options_are_those_that_were_set() -> Result<()> {
    let stack = new_stack()?;
    let plain = Cell::new(1, 1)?.options();
    assert_eq!((plain.forget_bias, plain.biases), (1.0, 1));
    let below = stack.options(0).unwrap();
    assert_eq!((below.projection, below.bidirectional), (4, Merge::Concat));
    assert_eq!(stack.options(1), Some(above_options(plain)));
    assert_eq!(stack.options(2), None);
    let sizes = |cell: Sizes| {
        [cell.input, cell.hidden, cell.recurrent, cell.output, cell.output_c]
    };
    assert_eq!(stack.sizes(0).map(sizes), Some([2, 6, 4, 8, 12]));
    assert_eq!(stack.sizes(1).map(sizes), Some([8; 5]));
    assert_eq!(stack.sizes(2), None);
    assert_eq!(sizes(Cell::new(3, 2)?.sizes()), [3, 2, 2, 2, 2]);
    assert_eq!(stack.readout(), Some(Readout::H));
    assert_eq!(Stack::new(vec![Cell::new(1, 1)?])?.readout(), None);
    stack.get_param("layer0.reverse.projection", &mut [0.0; 6 * 4])?;
    let mut cell = Cell::new(1, 1)?;
    let refused = cell.set_options(&Options {
        dropout: (1.0, Mask::Step),
        ..plain
    });
    assert_eq!(refused.unwrap_err().status, Error::INVALID_ARGUMENT);
    Ok(())
}

/// Rows of 4, 2 and 3 steps learn the first number of each pair.
#[test]
fn rows_of_different_lengths_learn() -> Result<()> {
    const LENGTHS: [i32; 3] = [4, 2, 3];
    let (mut x, mut targets) = ([1.0; 24], [0.0; 12]);
    for i in 0..12 {
        x[2 * i] = (i % 5) as f32 / 5.0 - 0.4;
        if i / 3 < LENGTHS[i % 3] as usize {
            targets[i] = x[2 * i];
        }
    }
    let mut stack = new_stack()?;
    let (mut state, mut grads) = (State::new(&stack, 3, 4)?, Grads::new(&stack)?);
    let mut optimizer = Optimizer::adamw(&stack, 0.02, 0.9, 0.999, 1e-8, 0.01)?;
    optimizer.set_weight_decay("readout.bias", 0.0)?;
    optimizer.set_frozen("layer1.kernel", true)?;
    let (mut frozen, mut after) = ([0.0; 16 * 32], [1.0; 16 * 32]);
    stack.get_param("layer1.kernel", &mut frozen)?;

    let mut dy = [0.0; 12];
    let loss = |stack: &Stack, state: &mut State, dy: &mut [f32]| -> Result<f32> {
        let mut y = [1.0; 12];
        state.begin_sequence(stack)?;
        state.set_lengths(Some(&LENGTHS))?;
        stack.forward(state, &x, Some(&mut y))?;
        assert_eq!((y[10], y[11]), (0.0, 0.0));
        huber_loss(&y, &targets, 1.0, Some(dy))
    };
    let before = loss(&stack, &mut state, &mut dy)?;
    for update in 0..60 {
        state.set_training(Some(update))?;
        assert!(state.training());
        loss(&stack, &mut state, &mut dy)?;
        grads.zero()?;
        stack.backward(&mut state, &dy, &mut grads)?;
        grads.clip_value(1.0)?;
        optimizer.set_rate(schedule_warmup(0.02, optimizer.step_count(), 10, 0.1))?;
        optimizer.apply(&mut stack, &grads)?;
    }
    state.set_training(None)?;
    let learned = loss(&stack, &mut state, &mut dy)?;
    assert!(learned < before / 4.0, "{} after {}", learned, before);
    stack.get_param("layer1.kernel", &mut after)?;
    assert_eq!(frozen, after);

    assert_eq!(state.keep_steps(1).unwrap_err().status, Error::ORDER);
    grads.check()?;
    stack.backward(&mut state, &[f32::NAN; 12], &mut grads)?;
    assert_eq!(grads.check().unwrap_err().status, Error::NOT_FINITE);
    assert_eq!(
        grads.clip_param_norm(1.0).unwrap_err().status,
        Error::NOT_FINITE
    );
    Ok(())
}

#[test]
fn optimizers_descend() -> Result<()> {
    let mut stack = Stack::new(vec![Cell::new(1, 1)?])?;
    stack.set_readout(1, Readout::H)?;
    let (mut state, mut grads) = (State::new(&stack, 1, 1)?, Grads::new(&stack)?);
    stack.forward(&mut state, &[1.0], None)?;
    stack.backward(&mut state, &[1.0], &mut grads)?;
    for mut optimizer in [
        Optimizer::sgd(&stack, 0.5, 0.5, true)?,
        Optimizer::adagrad(&stack, 0.5, 0.1)?,
        Optimizer::rmsprop(&stack, 0.5, 0.9, 0.0, 1e-10, true)?,
        Optimizer::adam(&stack, 0.5, 0.9, 0.999, 1e-8)?,
        Optimizer::adamw(&stack, 0.5, 0.9, 0.999, 1e-8, 0.01)?,
        Optimizer::amsgrad(&stack, 0.5, 0.9, 0.999, 1e-8)?,
        Optimizer::nadam(&stack, 0.5, 0.9, 0.999, 1e-8, 0.004)?,
        Optimizer::lion(&stack, 0.5, 0.9, 0.99, 0.0)?,
    ] {
        let mut bias = [1.0];
        stack.init(Initializer::Zeros, 0)?;
        optimizer.set_step_count(7)?;
        optimizer.apply(&mut stack, &grads)?;
        stack.get_param("readout.bias", &mut bias)?;
        assert!(bias[0] < 0.0);
        assert_eq!(optimizer.step_count(), 8);
        assert!(optimizer
            .set_rate(schedule_cosine(0.5, -1, 10, 0.0))
            .is_err());
    }
    Ok(())
}

#[test]
fn losses_and_their_gradients() -> Result<()> {
    let (outputs, targets, mut gradient) = ([0.0, 3.0], [0.0, 1.0], [0.0; 2]);
    assert_eq!(
        absolute_error(&outputs, &targets, Some(&mut gradient))?,
        1.0
    );
    assert_eq!(gradient, [0.0, 0.5]);
    assert_eq!(huber_loss(&outputs, &targets, 1.0, None)?, 0.75);
    assert_eq!(squared_error(&outputs, &targets, None)?, 2.0);
    let ln2 = std::f32::consts::LN_2;
    assert!((sigmoid_cross_entropy(&[0.0], &[1.0], None)? - ln2).abs() < 1e-6);
    let mut dlogits = [1.0; 4];
    let (logits, labels, weights) = ([0.0, 0.0, 5.0, 9.0], [1, -1], [2.0, 3.0]);
    let loss = softmax_cross_entropy_weighted(
        &logits,
        &labels,
        Some(&weights),
        -1,
        0.0,
        None,
        Some(&mut dlogits),
    )?;
    assert!((loss - 2.0 * ln2).abs() < 1e-6);
    assert_eq!(dlogits, [1.0, -1.0, 0.0, 0.0]);
    let mut p = [0.0; 4];
    softmax(&[0.0, 0.0, 5.0, 5.0 + 3f32.ln()], 2, &mut p)?;
    for (got, expected) in p.iter().zip(&[0.5, 0.5, 0.25, 0.75]) {
        assert!((got - expected).abs() < 1e-6, "{} for {}", got, expected);
    }
    assert!(softmax(&logits, 3, &mut p).is_err());
    assert!(softmax(&logits, 2, &mut p[1..]).is_err());
    assert!(softmax(&logits, 0, &mut p).is_err());
    assert!(absolute_error(&outputs, &targets[1..], None).is_err());
    Ok(())
}

#[test]
fn rows_have_weights() -> Result<()> {
    let (outputs, targets) = ([0.0, 3.0], [0.0, 1.0]);
    let (mut plain, mut gradient) = ([0.0; 2], [1.0; 2]);
    for loss in [
        Loss::SquaredError,
        Loss::AbsoluteError,
        Loss::Huber(0.5),
        Loss::SigmoidCrossEntropy,
    ] {
        let doutputs = Some(&mut plain[..]);
        let expected = match loss {
            Loss::SquaredError => squared_error(&outputs, &targets, doutputs)?,
            Loss::AbsoluteError => absolute_error(&outputs, &targets, doutputs)?,
            Loss::Huber(delta) => huber_loss(&outputs, &targets, delta, doutputs)?,
            Loss::SigmoidCrossEntropy => sigmoid_cross_entropy(&outputs, &targets, doutputs)?,
        };
        let got = weighted_loss(loss, &outputs, &targets, &[1.0; 2], Some(&mut gradient))?;
        assert!((got - expected).abs() < 1e-6, "{:?}", loss);
        for (got, expected) in gradient.iter().zip(plain) {
            assert!((got - expected).abs() < 1e-6, "{:?}", loss);
        }
    }
    let loss = Loss::AbsoluteError;
    let got = weighted_loss(loss, &outputs, &targets, &[0.0, 2.0], Some(&mut gradient))?;
    assert_eq!((got, gradient), (4.0, [0.0, 2.0]));
    assert!(weighted_loss(loss, &outputs, &targets, &[1.0; 3], None).is_err());
    assert!(weighted_loss(loss, &outputs, &targets[1..], &[1.0; 2], None).is_err());
    Ok(())
}

#[test]
fn loss_scales_follow_the_gradients() {
    let (mut scale, mut streak) = (8.0, 0);
    let scales = [true, true, true, false].map(|finite| {
        scale = schedule_loss_scale(scale, finite, 2, 2.0, 0.5, &mut streak);
        scale
    });
    assert_eq!(scales, [8.0, 16.0, 16.0, 8.0]);
}

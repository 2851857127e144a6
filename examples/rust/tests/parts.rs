// SPDX-License-Identifier: MIT
//! What stacks, states, gradients and optimizers say of themselves, and passes in parts.

use mlstm::*;

const T: usize = 3;
const B: usize = 2;

/// Two layers without a readout, so that y is h of the top one.
fn new_stack() -> Result<Stack> {
    let mut stack = Stack::new(vec![Cell::new(2, 4)?, Cell::new(4, 3)?])?;
    stack.init(Initializer::GlorotUniform, 1)?;
    Ok(stack)
}

fn inputs() -> Vec<f32> {
    (0..T * B * 2).map(|i| (i % 5) as f32 / 5.0 - 0.4).collect()
}

/// A state that has read `inputs`, and y.
fn read(stack: &Stack) -> Result<(State, Vec<f32>)> {
    let (mut state, mut y) = (State::new(stack, B, T)?, vec![0.0; T * B * 3]);
    stack.forward(&mut state, &inputs(), Some(&mut y))?;
    Ok((state, y))
}

fn assert_close(got: &[f32], expected: &[f32]) {
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-6, "{} for {}", got, expected);
    }
}

#[test]
fn handles_describe_themselves() -> Result<()> {
    assert!(["avx512", "avx2", "neon", "portable"].contains(&isa().as_str()));
    let number = version_number();
    let (major, minor, patch) = (number / 10000, number / 100 % 100, number % 100);
    assert_eq!(version(), format!("{}.{}.{}", major, minor, patch));
    let mut stack = new_stack()?;
    stack.set_readout(5, Readout::H)?;
    assert_eq!(stack.layer_count(), 2);
    let params = stack.params()?;
    let params: Vec<_> = params.iter().map(|p| (&p.name[..], &p.shape[..])).collect();
    let expected: [(&str, &[usize]); 6] = [
        ("layer0.kernel", &[6, 16]),
        ("layer0.bias", &[16]),
        ("layer1.kernel", &[7, 12]),
        ("layer1.bias", &[12]),
        ("readout.kernel_h", &[3, 5]),
        ("readout.bias", &[5]),
    ];
    assert_eq!(params, expected);
    let mut state = State::new(&stack, B, T)?;
    state.set_threads(2)?;
    assert_eq!((state.window(), state.threads()), (T, 2));
    assert!(state.bytes() > state.size() * 4);
    Ok(())
}

#[test]
fn steps_are_a_window() -> Result<()> {
    let stack = new_stack()?;
    let (window, expected) = read(&stack)?;
    let (mut state, mut y) = (State::new(&stack, B, T)?, vec![0.0; T * B * 3]);
    for (x, y) in inputs().chunks(B * 2).zip(y.chunks_mut(B * 3)) {
        stack.step_forward(&mut state, x, Some(y))?;
    }
    assert_eq!(y, expected);
    assert!(stack.step_forward(&mut state, &[0.0; 3], None).is_err());

    let (mut c, mut h) = ([0.0; T * B * 3], [0.0; T * B * 3]);
    window.get_top(Some(&mut c), Some(&mut h))?;
    assert_eq!(h[..], expected);
    assert!(window.get_top(None, Some(&mut [0.0; 3])).is_err());
    let (mut last_c, mut last_h) = ([0.0; B * 3], [0.0; B * 3]);
    window.get_layer(1, Some(&mut last_c), Some(&mut last_h))?;
    assert_eq!((&last_c[..], &last_h[..]), (&c[12..], &h[12..]));

    state.set_layer(1, Some(&[0.5; B * 3]), None)?;
    state.get_layer(1, Some(&mut last_c), Some(&mut last_h))?;
    assert_eq!((last_c, &last_h[..]), ([0.5; B * 3], &h[12..]));
    assert!(state.set_layer(1, None, Some(&[0.0; 4])).is_err());
    let refused = state.get_layer(2, None, Some(&mut [0.0; 4]));
    assert_eq!(refused.unwrap_err().status, Error::INVALID_ARGUMENT);
    Ok(())
}

/// The layers of two directions and the projection are as wide as `stack.h` says.
#[test]
fn directions_are_side_by_side() -> Result<()> {
    for (merge, width) in [(Merge::Concat, 2), (Merge::Sum, 1)] {
        let mut cell = Cell::new(2, 4)?;
        let (projection, bidirectional) = (3, merge);
        cell.set_options(&Options {
            projection,
            bidirectional,
            ..cell.options()
        })?;
        let mut stack = Stack::new(vec![cell])?;
        stack.init(Initializer::GlorotUniform, 1)?;
        let mut state = State::new(&stack, B, T)?;
        let mut y = vec![0.0; T * B * 3 * width];
        stack.forward(&mut state, &inputs(), Some(&mut y))?;
        let (mut c, mut h) = (vec![0.0; T * B * 4 * width], vec![0.0; T * B * 3 * width]);
        state.get_top(Some(&mut c), Some(&mut h))?;
        assert_eq!(h, y);
        let mut values = vec![0.0; state.size()];
        state.get(&mut values)?;
        let (mut c, mut h) = ([0.0; 2 * B * 4], [0.0; 2 * B * 3]);
        state.get_layer(0, Some(&mut c), Some(&mut h))?;
        assert_eq!(c[..B * 4], values[..B * 4]);
        assert_eq!(h[B * 3..], values[B * (4 + 3 + 4)..]);
    }
    Ok(())
}

#[test]
fn gradients_come_in_and_leave_everywhere() -> Result<()> {
    let stack = new_stack()?;
    let (mut state, _) = read(&stack)?;
    let back = |state: &mut State, pass: Backward| -> Result<Vec<f32>> {
        let mut dx = vec![0.0; T * B * 2];
        let dx_of = Some(&mut dx[..]);
        stack.backward_with(state, Backward { dx: dx_of, ..pass })?;
        Ok(dx)
    };
    let mut dy = [0.0; T * B * 3];
    dy[12..].fill(1.0); // of the last step
    let expected = back(
        &mut state,
        Backward {
            dy: Some(&dy),
            ..Backward::default()
        },
    )?;
    assert!(expected.iter().any(|&dx| dx.abs() > 1e-3));
    let dx = back(
        &mut state,
        Backward {
            dh_top: Some(&dy),
            ..Backward::default()
        },
    )?;
    assert_close(&dx, &expected);

    let of_c = back(
        &mut state,
        Backward {
            dc_top: Some(&dy),
            ..Backward::default()
        },
    )?;
    assert_ne!(of_c, expected);
    let mut last = vec![0.0; state.size()];
    last[B * 8..B * 11].fill(1.0); // c of the upper layer
    state.set_final_grad(Some(&last))?;
    assert_close(&back(&mut state, Backward::default())?, &of_c);
    let mut first = vec![0.0; state.size()];
    state.get_initial_grad(&mut first)?;
    assert!(first[..B * 8].iter().all(|&grad| grad != 0.0)); // c and h of the lower layer
    state.set_final_grad(None)?;
    assert_eq!(back(&mut state, Backward::default())?, [0.0; T * B * 2]);

    for short in [
        Backward {
            dh_top: Some(&dy[1..]),
            ..Backward::default()
        },
        Backward {
            dc_top: Some(&dy[1..]),
            ..Backward::default()
        },
        Backward {
            dx: Some(&mut [0.0; 3]),
            ..Backward::default()
        },
    ] {
        let refused = stack.backward_with(&mut state, short);
        assert_eq!(refused.unwrap_err().status, Error::MISMATCH);
    }
    assert!(state.set_final_grad(Some(&last[1..])).is_err());
    Ok(())
}

#[test]
fn gradients_can_be_set() -> Result<()> {
    let stack = new_stack()?;
    let (mut grads, mut bias) = (Grads::new(&stack)?, [0.0; 12]);
    bias[..2].copy_from_slice(&[3.0, 4.0]);
    grads.set("layer1.bias", &bias)?;
    assert_eq!(grads.norm()?, 5.0);
    grads.data()?.iter_mut().for_each(|grad| *grad *= 2.0);
    grads.get("layer1.bias", &mut bias)?;
    assert_eq!(bias[..3], [6.0, 8.0, 0.0]);
    assert!(grads.set("layer1.bias", &bias[1..]).is_err());
    Ok(())
}

/// Every parameter after one update.
fn update_once(on_threads: bool) -> Result<Vec<Vec<f32>>> {
    let mut stack = new_stack()?;
    let (mut state, y) = read(&stack)?;
    let mut grads = Grads::new(&stack)?;
    let mut optimizer = Optimizer::adamw(&stack, 0.5, 0.9, 0.999, 1e-8, 0.25)?;
    state.set_threads(2)?;
    stack.backward(&mut state, &y, &mut grads)?;
    if on_threads {
        state.apply(&mut optimizer, &mut stack, &grads)?;
    } else {
        optimizer.apply(&mut stack, &grads)?;
    }
    let params = stack.params()?;
    let values = params.iter().map(|param| {
        let mut values = vec![0.0; param.shape.iter().product()];
        stack.get_param(&param.name, &mut values)?;
        Ok(values)
    });
    values.collect()
}

#[test]
fn updates_on_threads_are_the_same() -> Result<()> {
    assert_eq!(update_once(true)?, update_once(false)?);
    Ok(())
}

#[test]
fn optimizers_can_be_read() -> Result<()> {
    let stack = new_stack()?;
    let mut optimizer = Optimizer::adamw(&stack, 0.5, 0.9, 0.999, 1e-8, 0.25)?;
    optimizer.set_weight_decay("layer1.bias", 0.0)?;
    optimizer.set_frozen("layer1.bias", true)?;
    optimizer.set_rate(0.125)?;
    assert_eq!(optimizer.rate(), 0.125);
    for (param, frozen, decay) in [
        ("layer0.bias", false, 0.25),
        ("layer1.bias", true, 0.0),
        ("layer9.bias", false, 0.0),
    ] {
        assert_eq!(optimizer.frozen(param), frozen, "{}", param);
        assert_eq!(optimizer.weight_decay(param), decay, "{}", param);
    }
    assert_eq!(optimizer.slots(), ["exp_avg", "exp_avg_sq"]);
    let mut values = [0.0; 12];
    optimizer.set_slot("exp_avg_sq", "layer1.bias", &[2.0; 12])?;
    optimizer.get_slot("exp_avg_sq", "layer1.bias", &mut values)?;
    assert_eq!(values, [2.0; 12]);
    optimizer.get_slot("exp_avg", "layer1.bias", &mut values)?;
    assert_eq!(values, [0.0; 12]);
    let refused = optimizer.get_slot("momentum", "layer1.bias", &mut values);
    assert_eq!(refused.unwrap_err().status, Error::NOT_FOUND);
    Ok(())
}

// SPDX-License-Identifier: MIT
//! Dropped handles leave nothing behind; a process of its own, since other tests allocate too.

use mlstm::{Cell, Grads, Optimizer, Result, Stack, State};

fn create_and_drop(times: usize) -> Result<()> {
    for _ in 0..times {
        let stack = Stack::new(vec![Cell::new(3, 16)?, Cell::new(16, 16)?])?;
        State::new(&stack, 1, 8)?;
        Grads::new(&stack)?;
        Optimizer::adagrad(&stack, 0.3, 0.1)?;
        Stack::new(vec![Cell::new(1, 2)?, Cell::new(1, 2)?]).unwrap_err(); // keeps no cell
    }
    Ok(())
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn memory_does_not_grow() -> Result<()> {
    create_and_drop(1000)?;
    let before = resident_bytes();
    create_and_drop(10_000)?;
    let grown = resident_bytes().saturating_sub(before);
    assert!(
        grown < 1 << 20,
        "{} bytes more after 10000 creations",
        grown
    );
    Ok(())
}

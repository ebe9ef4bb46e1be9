// SPDX-License-Identifier: BSD-2-Clause
//! The short form of `million`: what it finds in twenty thousand submits. `make bench` does a
//! million.

use std::process::Command;

/// Nothing may grow, and a later submit may not cost more than an early one.
fn flat(board: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_million"))
        .args(["20000", board])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains("ratio 1.0") || text.contains("ratio 0.9"),
        "{text}"
    );
}

#[test]
fn submits_cost_the_same_in_the_end_as_in_the_beginning() {
    flat("rk3399");
}

#[test]
fn submits_of_etnaviv_cost_the_same_in_the_end_as_in_the_beginning() {
    flat("imx8mq");
}

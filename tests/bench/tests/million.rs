// SPDX-License-Identifier: BSD-2-Clause
//! The short form of `million`: what it finds in twenty thousand submits. `make bench` does a million.

use std::process::Command;

#[test]
fn submits_cost_the_same_in_the_end_as_in_the_beginning() {
    let output = Command::new(env!("CARGO_BIN_EXE_million"))
        .arg("20000")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("ratio 1.0") || text.contains("ratio 0.9"), "{text}");
}

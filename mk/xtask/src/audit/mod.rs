// SPDX-License-Identifier: BSD-2-Clause
//! What the object code of the kernel crates, and drmkpi.ko, must not hold.

mod code;
mod crates;
mod disassembly;
mod kmod;
mod panics;
mod unsafe_code;

pub(crate) use crates::run as crates;
pub(crate) use kmod::run as kmod;

use std::path::Path;

/// Audits, printed one after the other.
#[derive(Default)]
struct Audits {
    failed: usize,
}

impl Audits {
    /// An audit that may find nothing.
    fn report(&mut self, what: &str, findings: &[String]) {
        if findings.is_empty() {
            println!("audit: {what}: none");
        } else {
            self.fail(what, findings);
        }
    }

    fn fail(&mut self, what: &str, findings: &[String]) {
        println!("audit: {what}: FAILED");
        findings.iter().for_each(|finding| println!("  {finding}"));
        self.failed += 1;
    }

    /// An audit that may find so many.
    fn limit(&mut self, what: &str, findings: &[String], allowed: usize) {
        let sum = format!("{what}, {allowed} allowed");
        if findings.len() > allowed {
            self.fail(&sum, findings);
        } else {
            println!("audit: {sum}");
        }
    }

    /// An audit that has to find something.
    fn least(&mut self, what: &str, found: usize) {
        if found == 0 {
            self.fail(what, &["none".to_owned()]);
        } else {
            println!("audit: {what}: {found}");
        }
    }

    fn end(&self, what: &str) -> Result<(), String> {
        match self.failed {
            0 => {
                println!("audit: {what}clean");
                Ok(())
            }
            n => Err(format!("{n} audits failed")),
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// The functions of a listing; one without functions has not been judged, and is an error.
fn disassembled(path: &Path) -> Result<Vec<disassembly::Function>, String> {
    let say = |why: String| format!("{}: {why}", path.display());
    let functions = disassembly::parse(&read(path)?).map_err(say)?;
    match functions.is_empty() {
        true => Err(say("no functions".to_owned())),
        false => Ok(functions),
    }
}

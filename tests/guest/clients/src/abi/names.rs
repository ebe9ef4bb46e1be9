// SPDX-License-Identifier: BSD-2-Clause
//! Names for numbers that a kernel chose: a letter for what it is, and the call in which the number
//! was seen first.

use super::spec::Class;
use std::collections::HashMap;

/// The names that a stream of calls has given.
#[derive(Clone, Debug, Default)]
pub struct Names {
    known: HashMap<(Class, usize, u64), String>,
}

/// Whether numbers of a class belong to a file; else they belong to the device or to the process.
fn of_file(class: Class) -> bool {
    matches!(class, Class::Gem | Class::Sync | Class::Va | Class::Context)
}

fn letter(class: Class) -> &'static str {
    match class {
        Class::Gem => "h",
        Class::Sync => "s",
        Class::Context => "context",
        Class::Fd => "fd",
        Class::Flink => "name",
        Class::Magic => "magic",
        Class::Cookie => "map",
        Class::Va => "va",
        Class::Fence => "fence",
        Class::Pid => "pid",
        _ => "n",
    }
}

fn key(class: Class, file: usize, value: u64) -> (Class, usize, u64) {
    (class, if of_file(class) { file } else { 0 }, value)
}

impl Names {
    /// The name of a number that has one.
    pub fn get(&self, class: Class, file: usize, value: u64) -> Option<&str> {
        self.known.get(&key(class, file, value)).map(String::as_str)
    }

    /// The name of a number, which gets one in call `seq` when it has none.
    pub fn name(&mut self, class: Class, file: usize, value: u64, seq: usize) -> String {
        let new = || format!("{}{seq}", letter(class));
        self.known
            .entry(key(class, file, value))
            .or_insert_with(new)
            .clone()
    }

    /// The number no longer means anything.
    pub fn forget(&mut self, class: Class, file: usize, value: u64) {
        self.known.remove(&key(class, file, value));
    }
}

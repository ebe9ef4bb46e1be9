// SPDX-License-Identifier: BSD-2-Clause
//! A trace divided into phases, with normalised accesses: repeated reads of a register are one
//! access, and values that differ in each run (addresses) are `*`.

use crate::gpu::{Access, Gpu, DUMP};
use std::collections::{BTreeMap, BTreeSet};

/// The accesses of one phase, as text: `r OFFSET VALUE` or `w OFFSET VALUE`, in hexadecimal.
pub(crate) type Form = Vec<String>;

/// The number of times that each phase had each form.
#[derive(Debug, Default)]
pub(crate) struct Phases(BTreeMap<String, BTreeMap<Form, u64>>);

/// The content of a line of a trace that is compared.
enum Event {
    Access(Access),
    /// An interrupt line, by name, rose.
    Irq(String),
}

fn hex(word: &str) -> Option<u32> {
    u32::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

/// The device and the event of a line.
fn event(line: &str) -> Option<(&str, Event)> {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        [_, "mmio", dev, way, offset, value] => Some((
            dev,
            Event::Access(Access {
                write: *way == "w",
                offset: hex(offset)?,
                value: hex(value)?,
            }),
        )),
        [_, "irq", dev, name, "1"] => Some((dev, Event::Irq((*name).to_owned()))),
        _ => None,
    }
}

fn text(gpu: &Gpu, access: Access) -> String {
    let way = if access.write { 'w' } else { 'r' };
    let mask = (gpu.mask)(access);
    let value = match mask {
        0 => "*".to_owned(),
        _ => format!("{:08x}", access.value & mask),
    };
    format!("{way} {:04x} {value}", access.offset)
}

/// The current phase.
struct Open {
    name: String,
    form: Form,
    /// Register of the last access, if that was a read.
    polled: Option<u32>,
}

impl Phases {
    /// Reads the first GPU of a trace only: these clients do not use the other cores, and accesses
    /// to a power controller are not those of the GPU driver.
    pub(crate) fn add(&mut self, gpu: &Gpu, trace: &str) {
        let mut device = None;
        let mut open: Option<Open> = None;
        for (dev, event) in trace.lines().filter_map(event) {
            if !dev.starts_with("gpu@") || *device.get_or_insert(dev) != dev {
                continue;
            }
            let begins = match &event {
                Event::Irq(line) => Some(format!("irq-{line}")),
                Event::Access(access) => {
                    let under_way = open.as_ref().map_or("", |open| open.name.as_str());
                    (gpu.begins)(under_way, *access).map(String::from)
                }
            };
            let polled = match &event {
                Event::Access(access) if !access.write => Some(access.offset),
                _ => None,
            };
            let again = open
                .as_ref()
                .is_some_and(|open| polled.is_some() && open.polled == polled);
            if let (Some(name), false) = (begins, again) {
                self.close(open.take());
                open = Some(Open {
                    name,
                    form: Form::new(),
                    polled: None,
                });
            }
            let Event::Access(access) = event else {
                continue;
            };
            let open = open.get_or_insert_with(|| Open {
                name: "start".into(),
                form: Form::new(),
                polled: None,
            });
            if again {
                open.form.pop();
            }
            open.form.push(text(gpu, access));
            open.polled = polled;
        }
        self.close(open);
    }

    fn close(&mut self, open: Option<Open>) {
        if let Some(Open { name, form, .. }) = open.filter(|open| open.name != DUMP) {
            *self.0.entry(name).or_default().entry(form).or_default() += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    /// The number of forms of a phase.
    pub(crate) fn forms(&self, phase: &str) -> usize {
        self.0.get(phase).map_or(0, BTreeMap::len)
    }

    /// All forms of a phase.
    pub(crate) fn all(&self, phase: &str) -> impl Iterator<Item = &[String]> {
        self.0
            .get(phase)
            .into_iter()
            .flat_map(|forms| forms.keys().map(Vec::as_slice))
    }

    /// The most frequent form of a phase.
    pub(crate) fn usual(&self, phase: &str) -> Option<&[String]> {
        let forms = self.0.get(phase)?;
        let (form, _) = forms.iter().max_by_key(|(_, count)| **count)?;
        Some(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phases(text: &str) -> Phases {
        let mut phases = Phases::default();
        phases.add(Gpu::of("rk3399").unwrap(), text);
        phases
    }

    #[test]
    fn polls_are_folded_and_addresses_hidden() {
        let phases = phases(
            "1 power gpu@1 1\n\
             1 mmio gpc@1 w 0x01c0 0x0000000f\n\
             2 mmio gpu@1 w 0x0028 0x00000000\n\
             3 mmio gpu@1 r 0x0020 0x00000000\n\
             4 mmio gpu@1 r 0x0020 0x00000100\n\
             5 mmio gpu@1 w 0x1840 0x12345678\n\
             5 mmio gpu@2 w 0x1c0 0x1\n\
             6 mmio gpu@1 w 0x1858 0x00083b00\n\
             7 irq gpu@1 job 1\n\
             8 irq gpu@1 job 0\n\
             9 mmio gpu@1 r 0x100c 0x00000001\n",
        );
        assert_eq!(
            phases.usual("reset").unwrap(),
            ["w 0028 00000000", "r 0020 00000100"]
        );
        assert_eq!(
            phases.usual("submit").unwrap(),
            ["w 1840 *", "w 1858 00083300"]
        );
        assert_eq!(phases.usual("irq-job").unwrap(), ["r 100c 00000001"]);
        assert_eq!(phases.names().len(), 3);
    }

    #[test]
    fn the_usual_form_is_the_most_frequent() {
        let one = "1 mmio gpu@1 w 0x01c0 0x0000000f\n";
        let phases = phases(&format!("{one}{one}1 mmio gpu@1 w 0x01c0 0x00000001\n"));
        assert_eq!(phases.usual("power-down").unwrap(), ["w 01c0 0000000f"]);
        assert_eq!(phases.forms("power-down"), 2);
    }
}

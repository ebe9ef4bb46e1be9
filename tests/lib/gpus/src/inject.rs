// SPDX-License-Identifier: BSD-2-Clause
//! `--inject KIND[:NAME=VALUE[,NAME=VALUE]...]`: faults that the GPU model injects.
//!
//! | kind | values | what happens |
//! |---|---|---|
//! | `hang` | `slot` (0) | the next hardware job of the slot never ends |
//! | `hang` | `va`, `end` | every job whose header lies from `va` to `end` hangs permanently: no stop ends it, a reset does |
//! | `jobfault` | `slot` (0), `code` (0x58) | the next job that would complete in the slot ends with the exception code |
//! | `fault` | `access` (0) | the access-th translation for a job raises a page fault although the page is mapped |
//! | `buserror` | `access` (0) | the access-th memory transfer of a job gets a bus error |
//! | `late-irq` | `line` (0), `ns` | the next rise of the line (0 job, 1 MMU, 2 GPU) is late by ns |
//! | `lose-irq` | `line` (0) | the next rise of the line does not happen |
//! | `spurious-irq` | `line` (0) | the line rises without a cause |
//! | `reset-stuck` | | the next soft reset never completes |
//! | `power-stuck` | `domain` (0) | the next power transition (0 shader, 1 tiler, 2 L2) never completes before a reset |
//! | `as-stuck` | `as` (0) | the next command of the address space stays active until a reset |
//! | `gpu-fault` | | a GPU fault is raised |
//!
//! A Vivante GPU knows `hang` without slots, `fault` (not with MMUv1, as the GC2000 and the GC320
//! have it, which raises no faults), `buserror`, `reset-stuck` and the interrupts of line 0.
//!
//! Where: in core 0, or with `core=N` in another one; cores count from 0 in the order of the device
//! tree.
//!
//! When: at once; with `after=N` when N job chains have been started (Vivante: N jobs have ended);
//! with `at_ms=T` T milliseconds after the board's clock started. Each but a `hang` by address
//! happens once. Numbers are decimal or 0x hexadecimal.

use models::{Domain, Injection};

/// When a fault is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At the next register write.
    Now,
    /// When this many job chains have been started.
    Chains(u64),
    /// When the clock reaches this many nanoseconds.
    Time(u64),
}

/// A fault that is not armed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planted {
    /// The core, in the order of the device tree.
    pub core: usize,
    /// When it is armed.
    pub when: When,
    /// The fault.
    pub what: Injection,
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The values of one specification. Each is used once; unused ones are an error.
struct Values<'a> {
    spec: &'a str,
    left: Vec<(&'a str, u64)>,
}

impl Values<'_> {
    fn optional(&mut self, name: &str) -> Option<u64> {
        let at = self.left.iter().position(|(n, _)| *n == name)?;
        Some(self.left.remove(at).1)
    }

    /// A value below `limit`, 0 if it is not given.
    fn index(&mut self, name: &str, limit: usize) -> Result<usize, String> {
        let value = self.optional(name).unwrap_or(0);
        usize::try_from(value)
            .ok()
            .filter(|value| *value < limit)
            .ok_or_else(|| format!("--inject {}: {name} is below {limit}", self.spec))
    }
}

/// Reads one specification.
///
/// # Errors
///
/// A message that explains the mistake.
pub fn parse(spec: &str) -> Result<Planted, String> {
    let (kind, rest) = spec.split_once(':').unwrap_or((spec, ""));
    let mut values = Values {
        spec,
        left: Vec::new(),
    };
    for pair in rest.split(',').filter(|pair| !pair.is_empty()) {
        let value = pair
            .split_once('=')
            .and_then(|(name, value)| Some((name, number(value)?)));
        values
            .left
            .push(value.ok_or_else(|| format!("--inject {spec}: {pair} is not NAME=NUMBER"))?);
    }
    let v = &mut values;
    let when = match (v.optional("after"), v.optional("at_ms")) {
        (None, None) => When::Now,
        (Some(chains), None) => When::Chains(chains),
        (None, Some(ms)) => When::Time(ms.saturating_mul(1_000_000)),
        _ => return Err(format!("--inject {spec}: after or at_ms, not both")),
    };
    let core = v.index("core", usize::from(u8::MAX))?;
    let what = match kind {
        "hang" => match (v.optional("va"), v.optional("end")) {
            (Some(first), Some(last)) => Injection::HangJobsAt { first, last },
            (None, None) => Injection::HangNextJob {
                slot: v.index("slot", 3)?,
            },
            _ => return Err(format!("--inject {spec}: va and end belong together")),
        },
        "jobfault" => {
            let code = v.optional("code").unwrap_or(0x58);
            let code =
                u8::try_from(code).map_err(|_| format!("--inject {spec}: code is below 256"))?;
            Injection::JobFault {
                slot: v.index("slot", 3)?,
                code,
            }
        }
        "fault" => Injection::PageFaultAtAccess(v.optional("access").unwrap_or(0)),
        "buserror" => Injection::BusErrorAt(v.optional("access").unwrap_or(0)),
        "late-irq" => {
            let ns = v
                .optional("ns")
                .ok_or_else(|| format!("--inject {spec}: late by ns= how much"))?;
            Injection::LateIrq {
                line: v.index("line", 3)?,
                ns,
            }
        }
        "lose-irq" => Injection::LoseIrq {
            line: v.index("line", 3)?,
        },
        "spurious-irq" => Injection::SpuriousIrq {
            line: v.index("line", 3)?,
        },
        "reset-stuck" => Injection::ResetStuck,
        "power-stuck" => Injection::PowerStuck(
            [Domain::Shader, Domain::Tiler, Domain::L2][v.index("domain", 3)?],
        ),
        "as-stuck" => Injection::AsStuck(v.index("as", 8)?),
        "gpu-fault" => Injection::GpuFault,
        _ => {
            return Err(format!(
                "--inject {spec}: no such fault; see docs/trace.md for the list"
            ))
        }
    };
    match values.left.first() {
        Some((name, _)) => Err(format!("--inject {spec}: {kind} has no {name}")),
        None => Ok(Planted { core, when, what }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications() {
        let hang = Planted {
            core: 0,
            when: When::Chains(10),
            what: Injection::HangNextJob { slot: 0 },
        };
        assert_eq!(parse("hang:slot=0,after=10"), Ok(hang));
        assert_eq!(parse("hang:after=0xa"), Ok(hang));
        let fault = Planted {
            core: 0,
            when: When::Time(3_000_000),
            what: Injection::PageFaultAtAccess(7),
        };
        assert_eq!(parse("fault:access=7,at_ms=3"), Ok(fault));
        let second = Planted { core: 1, ..fault };
        assert_eq!(parse("fault:core=1,access=7,at_ms=3"), Ok(second));
        let stuck = Injection::HangJobsAt {
            first: 0x1000,
            last: 0x1fff,
        };
        assert_eq!(parse("hang:va=0x1000,end=0x1fff").unwrap().what, stuck);
        assert_eq!(parse("gpu-fault").unwrap().what, Injection::GpuFault);
        assert_eq!(
            parse("jobfault:slot=1").unwrap().what,
            Injection::JobFault {
                slot: 1,
                code: 0x58
            }
        );
        assert_eq!(
            parse("power-stuck:domain=2").unwrap().what,
            Injection::PowerStuck(Domain::L2)
        );
    }

    #[test]
    fn mistakes() {
        for bad in [
            "",
            "frob",
            "hang:slot=3",
            "hang:slot",
            "hang:slot=x",
            "hang:speed=1",
            "hang:va=1",
            "hang:core=255",
            "hang:va=1,end=2,slot=0",
            "hang:after=1,at_ms=1",
            "late-irq:line=1",
            "jobfault:code=256",
            "gpu-fault:slot=0",
        ] {
            assert!(parse(bad).unwrap_err().starts_with("--inject"), "{bad}");
        }
    }
}

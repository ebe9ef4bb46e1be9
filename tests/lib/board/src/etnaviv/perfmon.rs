// SPDX-License-Identifier: BSD-2-Clause
//! PM_QUERY_DOM and PM_QUERY_SIG: the performance counters of a core.

use super::Client;
use crate::Result;
use uapi::etnaviv::{PmDomain, PmSignal, PM_QUERY_DOM, PM_QUERY_SIG};

/// A domain of performance counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The iterator for the next one, 0xff after the last.
    pub next: u8,
    /// Its number.
    pub id: u8,
    /// Its number of signals.
    pub signals: u16,
    /// Its name.
    pub name: String,
}

/// A performance counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The iterator for the next one, 0xffff after the last.
    pub next: u16,
    /// Its number.
    pub id: u16,
    /// Its name.
    pub name: String,
}

fn name(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|b| *b == 0)
        .expect("the name ends within its field");
    String::from_utf8(bytes[..end].to_vec()).expect("names are ASCII")
}

impl Client {
    /// PM_QUERY_DOM: the domain at an iterator.
    pub fn pm_domain(&self, pipe: u32, iter: u8) -> Result<Domain> {
        let arg = PmDomain {
            pipe,
            iter,
            ..PmDomain::default()
        };
        let out = self.ioctl(PM_QUERY_DOM, arg)?;
        Ok(Domain {
            next: out.iter,
            id: out.id,
            signals: out.nr_signals,
            name: name(&out.name),
        })
    }

    /// PM_QUERY_SIG: the signal of a domain at an iterator.
    pub fn pm_signal(&self, pipe: u32, domain: u8, iter: u16) -> Result<Signal> {
        let arg = PmSignal {
            pipe,
            domain,
            iter,
            ..PmSignal::default()
        };
        let out = self.ioctl(PM_QUERY_SIG, arg)?;
        Ok(Signal {
            next: out.iter,
            id: out.id,
            name: name(&out.name),
        })
    }

    /// All domains of a core.
    pub fn pm_domains(&self, pipe: u32) -> Result<Vec<Domain>> {
        let mut all = vec![self.pm_domain(pipe, 0)?];
        while let Some(next) = all.last().map(|d| d.next).filter(|n| *n != u8::MAX) {
            assert!(all.len() < 256, "the list of domains does not end");
            all.push(self.pm_domain(pipe, next)?);
        }
        Ok(all)
    }

    /// All signals of a domain.
    pub fn pm_signals(&self, pipe: u32, domain: u8) -> Result<Vec<Signal>> {
        let mut all = vec![self.pm_signal(pipe, domain, 0)?];
        while let Some(next) = all.last().map(|s| s.next).filter(|n| *n != u16::MAX) {
            assert!(all.len() < 0x1_0000, "the list of signals does not end");
            all.push(self.pm_signal(pipe, domain, next)?);
        }
        Ok(all)
    }

    /// Domain and number of the counter `name` of a core; `None` if it has none.
    pub fn counter(&self, pipe: u32, name: &str) -> Option<(u8, u16)> {
        let domains = self.pm_domains(pipe).expect("the core exists");
        domains.iter().find_map(|domain| {
            let signals = self.pm_signals(pipe, domain.id).expect("the domain exists");
            assert_eq!(signals.len(), usize::from(domain.signals), "{domain:?}");
            let signal = signals.into_iter().find(|signal| signal.name == name)?;
            Some((domain.id, signal.id))
        })
    }
}

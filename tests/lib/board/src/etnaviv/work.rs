// SPDX-License-Identifier: BSD-2-Clause
//! The work that most tests submit to a GPU.

use super::stream::{Engine, Template};
use super::{Bo, Client, Fence, Submit};
use crate::{Result, SEC};

/// Contents of memory before the work.
const BEFORE: u32 = 0x5a5a_5a5a;
/// An address that no buffer of a test has.
pub const BROKEN: u32 = 0x7000_0000;

/// Where work is executed: core, engine and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Core.
    pub pipe: u32,
    /// Engine.
    pub engine: Engine,
    /// Address of the buffer; `None` if the driver chooses it.
    pub va: Option<u32>,
}

impl Place {
    /// The place of its kind with index `n`; places do not overlap.
    pub fn nth(self, n: u32) -> Place {
        Place {
            va: self.va.map(|va| va + n * 0x1000),
            ..self
        }
    }

    /// The same place, with an address that the driver chooses.
    pub fn anywhere(self) -> Place {
        Place { va: None, ..self }
    }
}

/// The boards, and a place on each of their cores.
pub const BOARDS: [(&str, &[Place]); 3] = [
    ("imx8mq", &[softpin(Engine::Blt)]),
    ("imx6qp", &[softpin(Engine::Rs)]),
    ("imx6q", &IMX6Q),
];

/// A place on the 3D core of an i.MX6Q and one on its 2D core.
pub const IMX6Q: [Place; 2] = [
    Place {
        pipe: 0,
        engine: Engine::Rs,
        va: None,
    },
    Place {
        pipe: 1,
        engine: Engine::De,
        va: None,
    },
];

const fn softpin(engine: Engine) -> Place {
    Place {
        pipe: 0,
        engine,
        va: Some(0x1000_0000),
    }
}

/// A job that fills memory, and the memory to check afterwards.
pub struct Work {
    /// The buffer that it fills: its first sixteen words, or [`Engine::words`].
    pub data: Bo,
    place: Place,
    value: u32,
}

impl Client {
    /// Work in a new buffer of a page at `va`, for the BLT engine of the first core.
    pub fn work(&self, va: u32, value: u32) -> Result<Work> {
        let place = Place {
            pipe: 0,
            engine: Engine::Blt,
            va: Some(va),
        };
        self.work_at(place, value)
    }

    /// Work in a new buffer of a page.
    pub fn work_at(&self, place: Place, value: u32) -> Result<Work> {
        let data = self.bo_at(4096, place.va.unwrap_or(0))?;
        let work = Work { data, place, value };
        work.forget();
        Ok(work)
    }

    /// Submits work.
    pub fn start(&self, work: &Work) -> Result<Fence> {
        self.submit_raw(&work.submit())
    }

    /// Runs new work on the BLT engine of the first core and checks the result.
    pub fn expect_works(&self) {
        self.expect_works_at(Place {
            pipe: 0,
            engine: Engine::Blt,
            va: Some(0x1000_0000),
        });
    }

    /// Runs new work and checks the result.
    pub fn expect_works_at(&self, place: Place) {
        let work = self
            .work_at(place, 0x0123_4567)
            .expect("the buffers are allocated");
        let fence = self.start(&work).expect("the submit succeeds");
        assert_eq!(self.end_of(fence, 10 * SEC), 1);
        assert!(work.is_done());
        self.close(work.data.handle).expect("the handle is valid");
    }
}

impl Work {
    /// The submit of this work.
    pub fn submit(&self) -> Submit {
        let Place { pipe, engine, va } = self.place;
        let template = Template::fill(engine, self.value);
        let submit = match va {
            Some(va) => Submit::new(template.at(&[va]), &[&self.data]),
            None => Submit::relocated(&template, &[&self.data]),
        };
        submit.on(pipe, engine.exec_state())
    }

    /// The submit of this work, with `counters` read before and after it: see [`Submit::sample`].
    pub fn sampled(&self, counters: &[(u8, u16)], sequence: u32, to: &Bo) -> Submit {
        let mut submit = self.submit();
        submit.sample(counters, sequence, to);
        submit
    }

    fn words(&self) -> usize {
        self.place.engine.words()
    }

    /// Sets memory to its contents before the work.
    pub fn forget(&self) {
        (0..=self.words()).for_each(|n| self.data.put(n * 4, BEFORE));
    }

    /// Whether memory has the job's result.
    pub fn is_done(&self) -> bool {
        let end = self.words();
        (0..end).all(|n| self.data.get(n * 4) == self.value) && self.data.get(end * 4) == BEFORE
    }

    /// Whether memory has its contents from before the work.
    pub fn is_untouched(&self) -> bool {
        (0..=self.words()).all(|n| self.data.get(n * 4) == BEFORE)
    }
}

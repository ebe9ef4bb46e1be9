// SPDX-License-Identifier: BSD-2-Clause
//! The crowd on a Vivante GPU: fills by hand, at addresses of the clients' own choice.
//!
//! The eighth's jobs write where it has no memory, stall the front end for a semaphore that is
//! never sent, and try to leave their stream by a LINK, of which nothing may run.

use crate::{holds, ok, Gpu, Outcome, Random, PATIENCE_MS};
use atf::drm::{Mapping, Node};
use atf::etnaviv::{after_ms, imx8mq, status, Bo, Client, Work, FILL_WORDS};
use atf::Errno;
use std::os::fd::AsRawFd as _;
use uapi::etnaviv::{
    Timespec, BO_CACHED, BO_UNCACHED, BO_WC, PREP_READ, PREP_WRITE, SUBMIT_FENCE_FD_IN,
    SUBMIT_NO_IMPLICIT,
};

pub(crate) const OPTIONS: &[&str] = &["--stats"];
const PAGE: u64 = 4096;
/// Clients have their buffers in this many pages from here on.
const FIRST: u32 = 0x1000_0000;
const PAGES: u64 = 0x4_0000;
/// No client has memory here.
const NOWHERE: u32 = 0x7000_0000;
const FILL_BYTES: usize = FILL_WORDS * 4;
/// LINK to the beginning of the kernel's own part of the address space.
const LINK: [u32; 2] = [0x4000_0002, 0x1000];

pub(crate) struct Vivante;

fn patience() -> Timespec {
    after_ms(PATIENCE_MS)
}

/// Moves a buffer to an address by chance, in the half of the addresses that `half` says.
fn place(bo: &mut Bo<'_>, half: u64, random: &mut Random) {
    let page = half * PAGES / 2 + random.below(PAGES / 2 - bo.size.div_ceil(PAGE));
    bo.va = FIRST + (page * PAGE) as u32;
}

/// Fills parts of a buffer, which is mapped at `map`, by the GPU and checks all of it.
fn fill_parts(client: &Client, bo: &Bo<'_>, map: &Mapping, random: &mut Random) -> Outcome<()> {
    let words = map.len() / 4;
    let mut expected: Vec<u32> = (0..words)
        .map(|at| 0x0101_0101 * (1 + at as u32 % 255))
        .collect();
    ok!(client.cpu_prep(bo.handle, PREP_WRITE, patience()));
    for (at, word) in expected.iter().enumerate() {
        map.write_u32(at * 4, *word);
    }
    ok!(client.cpu_fini(bo.handle, 0));
    let mut work = client.work();
    for _ in 0..1 + random.below(8) {
        let part = random.below((map.len() / FILL_BYTES) as u64) as usize;
        let value = random.below(1 << 32) as u32;
        work = work.fill(bo, (part * FILL_BYTES) as u32, value);
        expected[part * FILL_WORDS..][..FILL_WORDS].fill(value);
    }
    let (fence, file) = ok!(client.start(&work));
    match random.below(4) {
        // Implicit synchronisation, by CPU_PREP below.
        0 => {}
        // A job that comes after.
        1 => {
            let mut after = client
                .work()
                .nop()
                .flags(SUBMIT_FENCE_FD_IN | SUBMIT_NO_IMPLICIT);
            after.fence_fd = file.as_raw_fd();
            let (fence, second) = ok!(client.start(&after));
            ok!(client.wait_fence(0, fence, 0, patience()));
            let ends = [ok!(status(&file)), ok!(status(&second))];
            holds!(ends == [1, 1], "the jobs ended with {ends:?}");
        }
        // A sync_file.
        2 => {
            let ready = ok!(file.poll(libc::POLLIN, PATIENCE_MS as i32));
            holds!(ready, "the job does not end");
        }
        _ => {
            ok!(client.gem_wait(0, bo.handle, 0, patience()));
            ok!(client.wait_fence(0, fence, 0, patience()));
        }
    }
    ok!(client.cpu_prep(bo.handle, PREP_READ, patience()));
    let end = ok!(status(&file));
    holds!(end == 1, "the job ended with {end}");
    let bytes = map.read(0, words * 4);
    ok!(client.cpu_fini(bo.handle, 0));
    for (at, word) in bytes.chunks_exact(4).enumerate() {
        let found = u32::from_le_bytes(word.try_into().unwrap_or_default());
        holds!(
            found == expected[at],
            "word {at} is {found:#x}, not {:#x}",
            expected[at]
        );
    }
    Ok(())
}

/// The eighth's submit, and the buffer that it names.
fn misdeed<'a>(client: &'a Client, kind: usize) -> Outcome<(Bo<'a>, Work)> {
    let mut bo = ok!(client.bo(PAGE));
    let there = bo.va;
    if kind == ASTRAY {
        bo.va = NOWHERE;
    }
    let mut work = client.work().fill(&bo, 0, 0xbad);
    for named in &mut work.bos {
        named.presumed = there.into();
    }
    let work = match kind {
        ASTRAY => work,
        STALLED => work.hang(),
        _ => work.words(&LINK),
    };
    Ok((bo, work))
}

const ASTRAY: usize = 0;
const STALLED: usize = 1;

impl Gpu for Vivante {
    type File = Client;
    const MISDEEDS: [&'static str; 3] = ["astray", "stalled", "forbidden"];

    fn open() -> Outcome<Client> {
        Ok(ok!(Client::open(imx8mq())))
    }

    fn work_once(client: &Client, random: &mut Random) -> Outcome<()> {
        let size = if random.one_in(16) {
            2 << 20
        } else {
            PAGE * (1 + random.below(8))
        };
        let cache = [BO_CACHED, BO_WC, BO_UNCACHED][random.below(3) as usize];
        let mut bo = ok!(client.bo_with(size, cache));
        place(&mut bo, 0, random);
        let map = ok!(bo.map());
        fill_parts(client, &bo, &map, random)?;
        if random.one_in(4) {
            // The same buffer elsewhere: nothing of the client's is under way.
            place(&mut bo, 0, random);
            fill_parts(client, &bo, &map, random)?;
        }
        if random.one_in(4) && cache != BO_CACHED {
            // In another file, by PRIME.
            let fd: Node = ok!(client
                .node
                .export(bo.handle, libc::O_CLOEXEC | libc::O_RDWR));
            let other = ok!(Client::open(imx8mq()));
            let mut theirs = other.adopt(ok!(other.node.import(&fd)), size);
            place(&mut theirs, 1, random);
            fill_parts(&other, &theirs, &map, random)?;
        }
        Ok(())
    }

    fn misdeed(
        client: &Client,
        kind: usize,
        times: u64,
        waits: bool,
        done: &dyn Fn() -> Outcome<()>,
    ) -> Outcome<()> {
        let (bo, work) = misdeed(client, kind)?;
        if kind != ASTRAY && kind != STALLED {
            let refused = client.start(&work).map(drop);
            holds!(
                refused == Err(Errno(libc::EINVAL)),
                "a LINK gave {refused:?}"
            );
            let end = ok!(client.run(&client.work().nop()));
            holds!(end == 1, "a NOP ended with {end}");
            let word = ok!(bo.map()).read_u32(0);
            holds!(word == 0, "a part of what is refused ran: {word:#x}");
            return done();
        }
        let mut last = None;
        for _ in 0..times {
            last = Some(ok!(client.start(&work)));
        }
        done()?;
        if let Some((fence, file)) = last.filter(|_| waits) {
            ok!(client.wait_fence(0, fence, 0, patience()));
            let end = ok!(status(&file));
            holds!(
                end < 0,
                "a job that is {} ended with {end}",
                Vivante::MISDEEDS[kind]
            );
        }
        Ok(())
    }
}

// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv's crash dumps: what is in one, read as a decoder does, and when there is one.
//!
//! The format is that of Linux's etnaviv_dump.c, as sys/dev/drm/etnaviv/src/dump.rs says it; it is
//! written again here.

use driver_tests::etnaviv::stream::{self, Engine, Template};
use driver_tests::etnaviv::{Bo, Client, Place, Rig, Submit, Work, BOARDS, BROKEN, IMX6Q};
use driver_tests::{MS, SEC};
use drm_os_host::Config;
use models::vivante::Injection;

const REGISTERS: u32 = 0;
const RING: u32 = 2;
const STREAM: u32 = 3;
const BUFFER: u32 = 5;
const END: u32 = 6;
const LIMIT: usize = 4 << 20;

/// What a header says, and its data.
struct Section {
    kind: u32,
    va: u64,
    bytes: Vec<u8>,
}

impl Section {
    fn words(&self) -> Vec<u32> {
        stream::words(&self.bytes)
    }
}

fn word(dump: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(dump[at..at + 4].try_into().unwrap())
}

/// All sections but the end. Catches: headers that do not say where the data is, overlaps, gaps, no
/// end.
fn parse(dump: &[u8]) -> Vec<Section> {
    assert!(dump.len() <= LIMIT, "{}", dump.len());
    let mut sections = Vec::new();
    let mut data = None;
    for header in (0..).step_by(32) {
        let [magic, kind, at, size] = [0, 4, 8, 12].map(|field| word(dump, header + field));
        assert_eq!(magic, 0x414e_5445);
        let (at, size) = (at as usize, size as usize);
        assert_eq!(
            at,
            *data.get_or_insert(at),
            "data is in the order of the headers"
        );
        data = Some(at + size);
        if kind == END {
            assert_eq!((size, at), (0, dump.len()));
            let first = word(dump, 8) as usize;
            assert!(first >= header + 32, "data begins after the headers");
            return sections;
        }
        sections.push(Section {
            kind,
            va: u64::from(word(dump, header + 16)) | u64::from(word(dump, header + 20)) << 32,
            bytes: dump[at..at + size].to_vec(),
        });
    }
    unreachable!()
}

fn kinds(sections: &[Section]) -> Vec<u32> {
    sections.iter().map(|section| section.kind).collect()
}

/// The value of a register.
fn register(sections: &[Section], register: u32) -> Option<u32> {
    let words = sections[0].words();
    let pairs = words.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    pairs
        .into_iter()
        .find(|(r, _)| *r == register)
        .map(|(_, value)| value)
}

/// A job that uses two buffers and hangs or goes astray, after work of others.
fn crash(rig: &Rig, client: &Client, place: Place, bos: [&Bo; 2], astray: bool) -> Template {
    let fill = Template::fill(place.engine, 0x0bad_cafe);
    let all = fill
        .then(Template::stall(place.engine))
        .then(match place.engine {
            Engine::Rs => Template::rs_copy(),
            engine => Template::fill(engine, 0x600d_f00d),
        });
    let vas = bos.map(|bo| if astray { BROKEN } else { bo.va });
    let mut submit = Submit::relocated(&all, &bos);
    if place.va.is_some() {
        submit = Submit::new(all.at(&vas), &bos);
    }
    let submit = submit.on(place.pipe, place.engine.exec_state());
    rig.slow_jobs(5 * MS);
    let fence = client.submit_raw(&submit).unwrap();
    if !astray {
        // While it waits for its first half.
        rig.advance(MS);
        rig.plant_on(place.pipe as usize, Injection::HangNextJob);
    }
    assert!(client.end_of(fence, 10 * SEC) < 0);
    rig.slow_jobs(2_000);
    all
}

fn buffers(client: &Client, place: Place) -> [Bo; 2] {
    let bos = [1, 2].map(|n| {
        client
            .bo_at(4096 * u64::from(n), place.nth(n).va.unwrap_or(0))
            .unwrap()
    });
    for (n, bo) in bos.iter().enumerate() {
        (0..1024).for_each(|i| bo.put(i * 4, (n * 0x1_0000 + i) as u32));
    }
    bos
}

/// Catches: the stream of another job, or a stream that was written over; buffers at addresses of
/// another address space, or that are not the ones of the job; registers of another core, or read
/// after the reset.
#[test]
fn what_is_in_it() {
    for (board, places) in BOARDS {
        for (place, astray) in places
            .iter()
            .flat_map(|place| [(*place, false), (*place, true)])
        {
            if astray && place.va.is_none() {
                // MMUv1 raises no exceptions.
                continue;
            }
            let rig = Rig::on(board, Config::default());
            let [client, other] = [rig.client(), rig.client()];
            [&client, &other]
                .iter()
                .for_each(|c| c.expect_works_at(place));
            assert!(rig.dump().is_empty(), "nothing has happened");
            let bos = buffers(&client, place);
            let template = crash(&rig, &client, place, [&bos[0], &bos[1]], astray);
            let dump = rig.dump();
            let sections = parse(&dump);
            assert_eq!(
                kinds(&sections),
                [REGISTERS, RING, STREAM, BUFFER, BUFFER],
                "{board}"
            );
            let [_, ring, stream, first, second] = &sections[..] else {
                unreachable!()
            };
            let vas = [first.va as u32, second.va as u32];
            if place.va.is_some() {
                assert_eq!(vas, [bos[0].va, bos[1].va]);
            } else {
                assert!(vas.iter().all(|va| *va >= 0x8000_0000) && vas[0] != vas[1]);
            }
            let submitted = if astray { [BROKEN; 2] } else { vas };
            assert_eq!(stream.words(), template.at(&submitted));
            let pairs = template.words.len() as u32 / 2;
            let ring_words = ring.words();
            assert_eq!(ring_words.len(), 2048);
            let link = [0x4000_0000 | (pairs + 1), stream.va as u32];
            assert!(
                ring_words.chunks_exact(2).any(|pair| pair == link),
                "the ring leads there"
            );
            for (bo, section) in bos.iter().zip([first, second]) {
                let words = section.words();
                assert_eq!(
                    words.len(),
                    if section.va == first.va { 1024 } else { 2048 }
                );
                assert!(
                    (0..words.len()).all(|n| words[n] == bo.get(n * 4)),
                    "as it is now"
                );
            }
            if !astray {
                assert_eq!(bos[0].get(0), 0x0bad_cafe, "the first half was done");
            }
            // The model of the core, where its front end was, and the address that had no page.
            let model = [0x2000, 0x320][place.pipe as usize];
            let model = if board == "imx8mq" { 0x7000 } else { model };
            assert_eq!(register(&sections, 0x20), Some(model));
            let at = register(&sections, 0x664).unwrap();
            let inside = |section: &Section| {
                (section.va..section.va + section.bytes.len() as u64 + 16).contains(&u64::from(at))
            };
            assert!(inside(stream) || inside(ring), "{at:#x}");
            if astray {
                let [address, status] = if board == "imx8mq" {
                    [0x380, 0x384]
                } else {
                    [0x190, 0x188]
                };
                assert_eq!(register(&sections, address), Some(BROKEN), "{board}");
                assert_eq!(register(&sections, status), Some(1), "no table is there");
            }
            drop((bos, client, other));
            rig.finish();
        }
    }
}

/// Catches: a dump that later crashes, of this core or another, write over; one that cannot be got
/// rid of.
#[test]
fn the_first_is_kept_until_it_is_cleared() {
    let rig = Rig::on("imx6q", Config::default());
    let client = rig.client();
    let models = |dump: &[u8]| register(&parse(dump), 0x20);
    let crash_on = |place: Place| {
        let bos = buffers(&client, place);
        crash(&rig, &client, place, [&bos[0], &bos[1]], false);
    };
    crash_on(IMX6Q[1]);
    let first = rig.dump();
    assert_eq!(models(&first), Some(0x320));
    crash_on(IMX6Q[0]);
    crash_on(IMX6Q[1]);
    assert!(rig.dump() == first, "it is the first one's");
    assert_eq!(
        rig.devices()[1].dump(),
        first,
        "it is the device's, whatever node is asked"
    );
    rig.devices()[1].clear_dump();
    assert!(rig.dump().is_empty());
    rig.device().clear_dump();
    rig.advance(SEC);
    assert!(rig.dump().is_empty(), "no crash, no dump");
    crash_on(IMX6Q[0]);
    assert_eq!(models(&rig.dump()), Some(0x2000));
    drop(client);
    rig.finish();
}

/// Catches: a recovery that needs memory, a dump that is cut off, and no dump ever after.
#[test]
fn without_memory_there_is_none() {
    for (board, places) in BOARDS {
        let mut short = 0;
        for n in 0.. {
            let rig = Rig::on(board, Config::default());
            let client = rig.client();
            let bos = buffers(&client, places[0]);
            let work = client.work_at(places[0].nth(5), 1).unwrap();
            rig.plant(Injection::HangNextJob);
            let fence = client.start(&work).unwrap();
            rig.advance(100 * MS);
            rig.world().fail_allocation(Some(n));
            rig.advance(2 * SEC);
            rig.world().fail_allocation(None);
            assert!(client.end_of(fence, 0) < 0, "allocation {n}");
            let hit = rig.world().counters().failed_allocations != 0;
            let dump = rig.dump();
            if !dump.is_empty() {
                let sections = parse(&dump);
                // What cannot be mapped has no data.
                assert_eq!(kinds(&sections), [REGISTERS, RING, STREAM, BUFFER]);
                assert!(!hit || sections[3].bytes.is_empty(), "allocation {n}");
                rig.device().clear_dump();
            }
            short += u64::from(hit);
            crash(&rig, &client, places[0], [&bos[0], &bos[1]], false);
            assert_eq!(parse(&rig.dump()).len(), 5);
            drop((bos, work, client));
            rig.finish();
            if !hit {
                break;
            }
        }
        assert!(short >= 2, "{board}: {short}");
    }
}

/// Catches: a dump as large as a client's buffers, or one that large buffers crowd everything else
/// out of.
#[test]
fn large_buffers_have_no_data() {
    for (board, places) in BOARDS {
        let place = places[0];
        let rig = Rig::on(board, Config::default());
        let client = rig.client();
        let mut bos = Vec::new();
        let mut va = 0x2000_0000;
        let sizes = [8 << 20, 4096, 3 << 20, 3 << 20, 64 << 20, 8192];
        for size in sizes {
            let at = place.va.map_or(0, |_| va);
            bos.push(client.bo_at(size, at).unwrap());
            bos.last().unwrap().put(0, size as u32);
            va += size as u32;
        }
        let work = client.work_at(place, 1).unwrap();
        let mut submit = work.submit();
        submit
            .bos
            .extend(bos.iter().map(|bo| (1, bo.handle, u64::from(bo.va))));
        rig.plant(Injection::HangNextJob);
        let fence = client.submit_raw(&submit).unwrap();
        assert!(client.end_of(fence, 10 * SEC) < 0);
        let sections = parse(&rig.dump());
        let all = &sections[3..];
        assert!(all.iter().all(|section| section.kind == BUFFER));
        let got: Vec<usize> = all.iter().map(|section| section.bytes.len()).collect();
        assert_eq!(got, [4096, 0, 4096, 3 << 20, 0, 0, 8192], "{board}");
        for (section, bo) in all[1..].iter().zip(&bos) {
            assert!(section.bytes.is_empty() || word(&section.bytes, 0) == bo.get(0));
            assert!(place.va.is_none() || section.va == u64::from(bo.va));
        }
        drop((bos, work, client));
        rig.finish();
    }
}

/// 256 buffers are in a dump at the most. Catches: a list that is as long as a client likes, whose
/// headers leave no room for anything, or which grows under the job lock.
#[test]
fn many_buffers() {
    for count in [255, 256, 300] {
        let rig = Rig::new();
        let client = rig.client();
        let bos: Vec<Bo> = (0..count)
            .map(|n| client.bo_at(4096, 0x1000_0000 + n * 0x1000).unwrap())
            .collect();
        let all: Vec<&Bo> = bos.iter().collect();
        rig.plant(Injection::HangNextJob);
        let fence = client.run(stream::fill(bos[7].va, 1), &all).unwrap();
        assert!(client.end_of(fence, 10 * SEC) < 0);
        let sections = parse(&rig.dump());
        assert_eq!(sections.len(), 3 + (count as usize).min(256));
        drop((bos, client));
        rig.finish();
    }
}

/// No job is to blame. Catches: a dump that needs one.
#[test]
fn a_crash_without_a_job() {
    for (board, places) in BOARDS {
        let rig = Rig::on(board, Config::default());
        let client = rig.client();
        let work: Work = client.work_at(places[0], 1).unwrap();
        // The end of the job comes with the error: the idle loop follows the last transfers of a
        // job.
        let mut seen = false;
        for n in 0..40 {
            rig.plant(Injection::BusErrorAt(n));
            let fence = client.start(&work).unwrap();
            let end = client.end_of(fence, 10 * SEC);
            rig.plant(Injection::BusErrorAt(u64::MAX));
            let dump = rig.dump();
            if dump.is_empty() {
                continue;
            }
            rig.device().clear_dump();
            let sections = parse(&dump);
            if end == 1 {
                assert_eq!(kinds(&sections), [REGISTERS, RING], "{board} {n}");
                seen = true;
            } else {
                assert_eq!(
                    kinds(&sections),
                    [REGISTERS, RING, STREAM, BUFFER],
                    "{board} {n}"
                );
            }
        }
        assert!(seen, "{board}: no error was without a job");
        drop((work, client));
        rig.finish();
    }
}

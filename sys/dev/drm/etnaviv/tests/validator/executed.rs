// SPDX-License-Identifier: BSD-2-Clause
//! The model executes admitted streams without harm, and reports harm for others.

use crate::board::{Board, Foul, Outcome};
use crate::cases::{load, policy, verdict};
use crate::reader::{all_samples, execute, reloc, Sample, DATA, GUARDED};
use etnaviv::stream::{Policy, Reloc};
use models::vivante::Variant;

/// The GPU for which a stream is made.
pub(crate) fn gpu(shared: bool) -> Variant {
    match shared {
        true => Variant::Gc2000,
        false => Variant::Gc7000L,
    }
}

/// A stream whose relocated words are replaced by addresses that can be accessed.
pub(crate) fn relocated(stream: &[u32], relocs: &[Reloc]) -> Vec<u32> {
    let mut words = stream.to_vec();
    for reloc in relocs {
        words[reloc.submit_offset as usize / 4] = 0x4000_0000;
    }
    words
}

#[test]
fn what_mesa_emits_is_executed() {
    let samples = all_samples();
    let all = std::fs::read_dir(DATA).unwrap();
    let streams = all.filter(|file| {
        file.as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|ext| ext == "bin")
    });
    assert_eq!(
        streams.count(),
        samples.len(),
        "a stream that no test reads"
    );
    for Sample {
        name,
        words,
        relocs,
        shared,
    } in samples
    {
        let run = execute(&words, &relocs, shared).unwrap();
        let outcome = Board::new(gpu(shared)).execute(&relocated(&words, &relocs), &run.headers);
        assert_eq!(outcome, Ok(Outcome::Done), "{name}");
    }
}

/// Every state that the validator admits, loaded alone, affects only the client.
#[test]
fn every_admitted_state_is_harmless_on_its_own() {
    let relocs = [reloc(4)];
    let mut executed = [0; 2];
    for variant in [
        Variant::Gc2000,
        Variant::Gc320,
        Variant::Gc7000L,
        Variant::Gc3000,
    ] {
        let shared = matches!(variant, Variant::Gc2000 | Variant::Gc320);
        let mut board = Board::new(variant);
        for state in 0..0x1_0000u32 {
            // Addresses get a relocation.
            let words = [0x0801_0000 | state, 0x4000_0000];
            let admitted = verdict(&words, &relocs, policy(shared))
                .or_else(|_| verdict(&words, &[], policy(shared)));
            if admitted.is_ok() {
                let outcome = board.execute(&words, &[0]);
                assert!(
                    outcome.is_ok(),
                    "{variant:?}: {:#x}: {outcome:x?}",
                    state * 4
                );
                executed[usize::from(shared)] += 1;
            }
        }
    }
    // Which states are admitted does not depend on the MMU.
    assert!(
        executed[0] > 20_000 && executed[0] == executed[1],
        "{executed:?}"
    );
}

/// The stream of libdrm's `etnaviv_2d_test` without its loads of state 0: the states in their
/// order, those that are not 0 with their value, then 256 rectangles.
fn libdrm_2d() -> (Vec<u32>, Vec<Reloc>) {
    let mut words = Vec::new();
    for states in [
        0x1204..=0x1234,
        0x125c..=0x1264,
        0x126c..=0x126c,
        0x1278..=0x1280,
        0x12b4..=0x12c0,
        0x1268..=0x1268,
        0x1270..=0x1274,
        0x12c4..=0x12d8,
        0x12e8..=0x12ec,
    ] {
        for state in states.step_by(4) {
            let value = match state {
                0x122c => 1024,
                0x1234 => 6,
                0x125c => 0x0030_cccc,
                0x1264 => 256 << 16 | 256,
                0x1268 => 0xff,
                0x12c0 | 0x1270 | 0x1274 => 0xff40_ff40,
                0x12e8 | 0x12ec => 0xffff_ffff,
                _ => 0,
            };
            words.extend(load(state, &[value]));
        }
    }
    let address = words
        .iter()
        .position(|word| *word == 0x0801_0000 | (0x1228 / 4))
        .unwrap()
        + 1;
    words.extend([0x2000_0000, 0]);
    for n in 0..256u32 {
        let (x, y) = (n % 16 * 8, n / 16 * 8);
        words.extend([y << 16 | x, (y + 4) << 16 | (x + 4)]);
    }
    words.extend(load(0x380c, &[8]));
    (words, vec![reloc(address as u32 * 4)])
}

#[test]
fn what_libdrm_emits_for_2d_is_admitted_and_executed() {
    let (words, relocs) = libdrm_2d();
    assert_eq!(verdict(&words, &relocs, Policy::Mmuv1), Ok(()));
    let run = execute(&words, &relocs, true).unwrap();
    let outcome = Board::new(Variant::Gc320).execute(&relocated(&words, &relocs), &run.headers);
    assert_eq!(outcome, Ok(Outcome::Done));
}

/// The model reports every kind of harm that a wrong validator could admit, each as what it is.
#[test]
fn the_model_reports_harm() {
    let nop = [0x1800_0000, 0];
    for variant in [
        Variant::Gc2000,
        Variant::Gc320,
        Variant::Gc7000L,
        Variant::Gc3000,
    ] {
        let mut board = Board::new(variant);
        let mut run = |words: &[u32], headers: &[usize]| {
            let mut stream = nop.to_vec();
            stream.extend(words);
            let mut all = vec![0];
            all.extend(headers);
            board.execute(&stream, &all)
        };
        assert_eq!(run(&nop, &[8]), Ok(Outcome::Done));
        for state in GUARDED.iter().flat_map(|range| range.clone().step_by(4)) {
            let expected = Err(Foul::State(state as u32));
            assert_eq!(run(&[0x0801_0000 | (state as u32 / 4), 0], &[8]), expected);
        }
        for opcode in [2, 7, 8, 10, 11, 13, 15, 19] {
            let words = [opcode << 27 | 2, 0x7000_0000, 2, 0x7000_0000];
            let headers = if opcode == 10 { &[8][..] } else { &[8, 16] };
            assert_eq!(
                run(&words, headers),
                Err(Foul::Command(opcode)),
                "opcode {opcode}"
            );
        }
        for opcode in [0, 14, 17, 18, 20, 31] {
            assert_eq!(
                run(&[opcode << 27, 0], &[8]),
                Err(Foul::Illegal),
                "opcode {opcode}"
            );
        }
        // A command that is longer than the stream includes the LINK; one that is shorter than
        // assumed has its data executed.
        assert_eq!(run(&[0x0803_3000, 0], &[8]), Err(Foul::Starved));
        assert_eq!(
            run(&[0x2800_0000, 4, 0, 1], &[8, 16]),
            Err(Foul::Differs(2))
        );
        assert_eq!(
            run(&[0x1800_0000, 0, 0x1800_0000, 0], &[8]),
            Err(Foul::Differs(2))
        );
        // A hang, after which the GPU executes other streams.
        assert_eq!(run(&[0x4800_0000, 0x0701], &[8]), Ok(Outcome::Stopped));
        assert_eq!(run(&nop, &[8]), Ok(Outcome::Done));
    }
}

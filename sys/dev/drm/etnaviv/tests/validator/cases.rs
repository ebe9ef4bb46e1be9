// SPDX-License-Identifier: BSD-2-Clause
//! Which streams the validator admits: Mesa's, and none of them with anything foreign in it.

use crate::board::{Board, Foul, Outcome};
use crate::reader::{execute, kind, reloc, samples, Harm, Kind, Sample, GUARDED};
use etnaviv::stream::{CmdStream, Placed, Policy, Refused, Reloc, Why};
use models::vivante::Variant;

pub(crate) fn policy(shared: bool) -> Policy {
    match shared {
        true => Policy::Mmuv1,
        false => Policy::Mmuv2,
    }
}

fn verdict(words: &[u32], relocs: &[Reloc], policy: Policy) -> Result<(), Refused> {
    CmdStream::new(words).validate(policy, relocs).map(|_| ())
}

fn why(words: &[u32], relocs: &[Reloc], policy: Policy) -> Option<(u32, Why)> {
    verdict(words, relocs, policy)
        .err()
        .map(|refused| (refused.offset_words, refused.why))
}

/// A load of `values` from byte address `register` on.
fn load(register: u32, values: &[u32]) -> Vec<u32> {
    let mut words = vec![0x0800_0000 | ((values.len() as u32 % 1024) << 16) | (register / 4)];
    words.extend(values);
    words.resize(words.len().next_multiple_of(2), 0);
    words
}

#[test]
fn what_mesa_emits_is_admitted() {
    let mut commands = 0;
    for Sample {
        name,
        words,
        relocs,
        shared,
    } in samples()
    {
        assert_eq!(verdict(&words, &relocs, policy(shared)), Ok(()), "{name}");
        let run = execute(&words, &relocs, shared).unwrap();
        commands += run.headers.len();
        // With relocations, MMUv2 takes it too; without, MMUv1 does not.
        assert_eq!(verdict(&words, &relocs, Policy::Mmuv2), Ok(()), "{name}");
        let first = run
            .values
            .iter()
            .find(|(_, register)| kind(*register) == Kind::Address)
            .unwrap();
        let refused = verdict(&words, &[], Policy::Mmuv1).unwrap_err();
        assert_eq!(refused.offset_words as usize * 4, first.0, "{name}");
        assert_eq!(
            (refused.why, refused.word),
            (Why::Uncovered, words[first.0 / 4]),
            "{name}"
        );
        // A copy is the same, and what is behind it is left alone.
        let mut copy = vec![0xdead_beef; words.len() + 3];
        let stream = CmdStream::new(&words[..])
            .validate_into(&mut copy[..], policy(shared), &relocs)
            .unwrap();
        let stream = stream
            .relocate(|_| {
                Some(Placed {
                    iova: 0x8000_0000,
                    bytes: 4,
                })
            })
            .unwrap();
        assert_eq!(stream.words().len(), words.len());
        for (i, (new, old)) in stream.words().iter().zip(&words).enumerate() {
            let here = relocs.iter().any(|reloc| reloc.submit_offset as usize == i * 4);
            assert_eq!(*new, if here { 0x8000_0000 } else { *old }, "{name}: word {i}");
        }
        assert_eq!(copy[words.len()..], [0xdead_beef; 3]);
    }
    assert_eq!(commands, 28 + 32 + 89 + 53 + 52 + 186);
}

/// Whether a load of a state (a word's index) is admitted for a client with addresses of its own.
pub(crate) fn knows(state: u32) -> bool {
    verdict(&[0x0801_0000 | state, 0], &[], Policy::Mmuv2).is_ok()
}

/// Headers of everything that a client may not do: every other opcode, loads of every guarded register, and of the first and the
/// last of every run of states that the validator does not know.
fn foreign(shared: bool) -> Vec<u32> {
    let mut headers = Vec::new();
    for opcode in 0..32u32 {
        let admitted = [1, 3, 4, 5, 6, 9, 12].contains(&opcode) || (opcode == 16 && !shared);
        if !admitted {
            for low in [0, 1, 0x0000_0100, 0x0001_0000, 0x07ff_ffff] {
                headers.push(opcode << 27 | low);
            }
        }
    }
    let mut unknown = 0;
    for state in 0..0x1_0000u32 {
        let guarded = kind(state as usize * 4) == Kind::Guarded;
        assert!(!(guarded && knows(state)), "{:#x}", state * 4);
        let border = !knows(state) && (knows(state.wrapping_sub(1) & 0xffff) || knows((state + 1) & 0xffff));
        unknown += u32::from(border && !guarded);
        if guarded || border {
            headers.push(0x0801_0000 | state);
            headers.push(0x0c01_0000 | state);
        }
    }
    assert!(unknown > 100, "{unknown}");
    // 1024 states, and runs that only their last state spoils.
    headers.extend([
        0x0800_0180,
        0x0802_0194,
        0x0804_0e00 - 3,
        0x0820_0600 / 4,
        0x0802_ffff,
    ]);
    headers
}

/// Every word of every stream replaced by everything foreign. As a header it is refused, at that word. As a value it is what any
/// value is; what has become of the stream is for the second reader to say, and for the model with one in `sparse` of them.
fn replace_every_word(sparse: usize) {
    let (mut as_header, mut as_value, mut executed) = (0, 0, 0);
    for Sample {
        name,
        words,
        relocs,
        shared,
    } in samples()
    {
        let run = execute(&words, &relocs, shared).unwrap();
        let foreign = foreign(shared);
        let mut board = Board::new(gpu(shared));
        let mut stream = words.clone();
        for at in 0..words.len() {
            for (n, header) in foreign.iter().enumerate() {
                stream[at] = *header;
                let verdict = verdict(&stream, &relocs, policy(shared));
                if run.headers.contains(&(at * 4)) {
                    let refused = verdict.unwrap_err();
                    assert!(
                        (at..at + 34).contains(&(refused.offset_words as usize)),
                        "{name}: {header:#x} at {at}: {refused}"
                    );
                    as_header += 1;
                } else if verdict.is_ok() {
                    let changed = execute(&stream, &relocs, shared);
                    let changed =
                        changed.unwrap_or_else(|harm| panic!("{name}: {header:#x} at {at}: {harm:?}"));
                    as_value += 1;
                    if n % sparse == at % sparse {
                        let outcome = board.execute(&relocated(&stream, &relocs), &changed.headers);
                        assert!(outcome.is_ok(), "{name}: {header:#x} at {at}: {outcome:x?}");
                        executed += 1;
                    }
                }
            }
            stream[at] = words[at];
        }
    }
    println!("{as_header} headers refused, {as_value} values harmless, {executed} of them executed");
    assert!(
        as_header > 300_000 && as_value > 300_000 && executed > as_value / sparse / 2,
        "{as_header} {as_value} {executed}"
    );
}

#[test]
fn one_foreign_word_anywhere_is_refused() {
    replace_every_word(32);
}

/// `cargo test --release -p etnaviv --test validator -- --ignored --nocapture foreign_word`
#[test]
#[ignore = "minutes of a processor"]
fn one_foreign_word_anywhere_is_refused_and_whatever_is_not_is_executed() {
    replace_every_word(1);
}

/// The GPU a stream is for.
fn gpu(shared: bool) -> Variant {
    match shared {
        true => Variant::Gc2000,
        false => Variant::Gc7000L,
    }
}

/// A stream with addresses that can be accessed in the words that take one.
fn relocated(stream: &[u32], relocs: &[Reloc]) -> Vec<u32> {
    let mut words = stream.to_vec();
    for reloc in relocs {
        words[reloc.submit_offset as usize / 4] = 0x4000_0000;
    }
    words
}

#[test]
fn what_mesa_emits_is_executed() {
    let samples = samples();
    let all = std::fs::read_dir(crate::reader::DATA).unwrap();
    let streams = all.filter(|file| {
        file.as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|ext| ext == "bin")
    });
    assert_eq!(streams.count(), samples.len(), "a stream nobody looks at");
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

/// Every state that the validator knows, loaded alone: whatever it does, it does to the client.
#[test]
fn every_admitted_state_is_harmless_on_its_own() {
    let relocs = [reloc(4)];
    let mut executed = [0; 2];
    for variant in [Variant::Gc2000, Variant::Gc320, Variant::Gc7000L, Variant::Gc3000] {
        let shared = matches!(variant, Variant::Gc2000 | Variant::Gc320);
        let mut board = Board::new(variant);
        for state in 0..0x1_0000u32 {
            // Addresses get a relocation.
            let words = [0x0801_0000 | state, 0x4000_0000];
            let admitted =
                verdict(&words, &relocs, policy(shared)).or_else(|_| verdict(&words, &[], policy(shared)));
            if admitted.is_ok() {
                let outcome = board.execute(&words, &[0]);
                assert!(outcome.is_ok(), "{variant:?}: {:#x}: {outcome:x?}", state * 4);
                executed[usize::from(shared)] += 1;
            }
        }
    }
    // Which states are admitted does not depend on the MMU.
    assert!(executed[0] > 20_000 && executed[0] == executed[1], "{executed:?}");
}

/// The stream of libdrm's `etnaviv_2d_test` without its loads of state 0: the states in their order, those that are not 0 with
/// their value, then 256 rectangles.
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

/// What the validator would have to let through to be wrong is seen by the model, each kind under its own name.
#[test]
fn the_model_sees_harm() {
    let nop = [0x1800_0000, 0];
    for variant in [Variant::Gc2000, Variant::Gc320, Variant::Gc7000L, Variant::Gc3000] {
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
        // A command that goes on behind the end takes the LINK with it, one that ends early shows what is in it.
        assert_eq!(run(&[0x0803_3000, 0], &[8]), Err(Foul::Starved));
        assert_eq!(run(&[0x2800_0000, 4, 0, 1], &[8, 16]), Err(Foul::Differs(2)));
        assert_eq!(
            run(&[0x1800_0000, 0, 0x1800_0000, 0], &[8]),
            Err(Foul::Differs(2))
        );
        // A hang of its own, and it goes on.
        assert_eq!(run(&[0x4800_0000, 0x0701], &[8]), Ok(Outcome::Stopped));
        assert_eq!(run(&nop, &[8]), Ok(Outcome::Done));
    }
}

/// The same with every value of the upper half, which has opcode and count, over what was there below.
#[test]
fn every_opcode_and_count_at_every_header() {
    let mut admitted = 0;
    for Sample {
        words,
        relocs,
        shared,
        ..
    } in samples()
    {
        let run = execute(&words, &relocs, shared).unwrap();
        let mut stream = words.clone();
        for at in run.headers.iter().map(|offset| offset / 4).step_by(7) {
            for high in (0..=0xffffu32).step_by(3) {
                stream[at] = high << 16 | words[at] & 0xffff;
                if verdict(&stream, &relocs, policy(shared)).is_ok() {
                    assert!(
                        execute(&stream, &relocs, shared).is_ok(),
                        "{:#x} at {at}",
                        stream[at]
                    );
                    admitted += 1;
                }
            }
            stream[at] = words[at];
        }
    }
    assert!(admitted > 1000, "{admitted}");
}

#[test]
fn commands_and_their_lengths() {
    let v2 = |words: &[u32]| why(words, &[], Policy::Mmuv2);
    assert_eq!(v2(&[]), None);
    assert_eq!(v2(&[0x1800_0000]), Some((0, Why::Length)));
    assert_eq!(v2(&[0x1800_0000, 0]), None);
    assert_eq!(v2(&[0x1800_0000, 0, 0x1800_0000]), Some((2, Why::Length)));
    for (header, words) in [
        (0x4800_0000, 2),
        (0x2800_0000, 4),
        (0x6000_0000, 4),
        (0x3000_0000, 6),
        (0x8000_0000, 2),
    ] {
        for len in (2..=8).step_by(2) {
            let mut stream = vec![0x1000_0000; len];
            stream[0] = header;
            let expected = match len.cmp(&words) {
                std::cmp::Ordering::Less => Some((0, Why::Length)),
                std::cmp::Ordering::Equal => None,
                std::cmp::Ordering::Greater => Some((words as u32, Why::Command)),
            };
            assert_eq!(v2(&stream), expected, "{header:#x}, {len} words");
        }
    }
    // DRAW_2D: rectangles, 0 for 256, and no data.
    for (count, words) in [(1, 4), (2, 6), (255, 512), (0, 514)] {
        let mut stream = vec![0; words];
        stream[0] = 0x2000_0000 | count << 8;
        assert_eq!(v2(&stream), None, "{count} rectangles");
        assert_eq!(
            v2(&stream[..words - 2]),
            Some((0, Why::Length)),
            "{count} rectangles"
        );
        stream[0] |= 1 << 16;
        assert_eq!(v2(&stream), Some((0, Why::Command)));
    }
    // LOAD_STATE: up to 1023 by number, 1024 as 0, in a run of allowed states and in one that ends.
    for count in 1..=1024usize {
        let stream = load(0x0c000, &vec![0x1000_0000; count]);
        assert_eq!(v2(&stream), None, "{count} states");
        let short = (count > 1).then_some((0, Why::Length));
        assert_eq!(v2(&stream[..stream.len() - 2]), short, "{count} states");
        let stream = load(0x10000 - 4 * count as u32 + 4 * 128 + 4, &vec![0; count]);
        assert_eq!(
            v2(&stream),
            Some((count as u32, Why::State)),
            "{count} states up to 0x10200"
        );
    }
    // The last state, and the one behind it.
    assert_eq!(v2(&load(0x3fffc, &[0])), None);
    assert_eq!(v2(&load(0x3fffc, &[0, 0])), Some((2, Why::State)));
    // Opcodes of MMUv2 alone.
    assert_eq!(
        why(&[0x8000_0000, 0], &[], Policy::Mmuv1),
        Some((0, Why::Command))
    );
}

#[test]
fn relocations_go_where_addresses_go() {
    let mut stream = load(0x01410, &[7]); // PE DEPTH_ADDR: words 0, 1
    stream.extend(load(0x01414, &[7])); // PE DEPTH_STRIDE: words 2, 3
    stream.extend(load(0x01460, &[7, 7])); // PE PIPE_COLOR_ADDR: words 4 to 6, 7 fills up
    stream.extend(load(0x30000, &[7])); // SH UNIFORMS: words 8, 9
    stream.extend([0x2800_0000, 4, 0, 1]); // words 10 to 13
    let good = [reloc(4), reloc(20), reloc(24)];
    let v1 = |relocs: &[Reloc]| why(&stream, relocs, Policy::Mmuv1);
    assert_eq!(v1(&good), None);
    assert_eq!(
        v1(&[good[0], good[1], good[2], reloc(36)]),
        None,
        "a uniform may be an address"
    );
    assert_eq!(
        v1(&[good[0], good[0], good[1], good[2]]),
        None,
        "the last one counts"
    );
    assert_eq!(v1(&[]), Some((1, Why::Uncovered)));
    assert_eq!(v1(&good[1..]), Some((1, Why::Uncovered)));
    assert_eq!(v1(&good[..2]), Some((6, Why::Uncovered)));
    assert_eq!(v1(&[good[0], good[2]]), Some((5, Why::Uncovered)));
    assert_eq!(
        v1(&[good[0], good[2], good[1]]),
        Some((5, Why::Uncovered)),
        "out of order"
    );
    for policy in [Policy::Mmuv1, Policy::Mmuv2] {
        let at = |offset: u32| {
            let mut relocs = good.to_vec();
            relocs.push(reloc(offset));
            relocs.sort_by_key(|reloc| reloc.submit_offset);
            why(&stream, &relocs, policy)
        };
        // Headers, a stride, the word that fills up, a draw, between words, behind the end.
        for offset in [
            0,
            8,
            12,
            16,
            28,
            32,
            40,
            44,
            48,
            52,
            5,
            6,
            21,
            22,
            35,
            37,
            56,
            60,
            0x8000_0000,
            u32::MAX,
        ] {
            let refused = at(offset).unwrap_or_else(|| panic!("relocation at {offset} with {policy:?}"));
            assert!(
                matches!(refused.1, Why::Relocation | Why::Uncovered),
                "{offset}: {refused:?}"
            );
        }
        assert_eq!(at(36), None);
    }
    assert_eq!(why(&stream, &[], Policy::Mmuv2), None);
    assert_eq!(why(&stream, &good[1..2], Policy::Mmuv2), None);
    // An address converted to floating point is another address.
    let mut float = stream.clone();
    float[0] |= 0x0400_0000;
    assert_eq!(why(&float, &good, Policy::Mmuv1), Some((1, Why::FixedPoint)));
    assert_eq!(why(&float, &good, Policy::Mmuv2), Some((1, Why::FixedPoint)));
    assert_eq!(why(&float, &[], Policy::Mmuv2), None);
    let mut float = stream.clone();
    float[8] |= 0x0400_0000;
    assert_eq!(why(&float, &good, Policy::Mmuv1), None);
}

#[test]
fn relocations_point_into_their_object() {
    let stream = load(0x01410, &[7]);
    let relocated = |reloc: Reloc, objects: &[Placed]| {
        let mut words = stream.clone();
        let relocs = [reloc];
        let checked = CmdStream::new(&mut words[..])
            .validate(Policy::Mmuv1, &relocs)
            .unwrap();
        checked
            .relocate(|i| objects.get(i as usize).copied())
            .map(|stream| stream.words()[1])
            .map_err(|refused| refused.why)
    };
    let object = Placed {
        iova: 0x8000_1000,
        bytes: 0x3000,
    };
    let to = |reloc_idx, reloc_offset| Reloc {
        submit_offset: 4,
        reloc_idx,
        reloc_offset,
        ..Reloc::default()
    };
    assert_eq!(relocated(to(0, 0), &[object]), Ok(0x8000_1000));
    assert_eq!(relocated(to(0, 0x2ffc), &[object]), Ok(0x8000_3ffc));
    assert_eq!(
        relocated(
            to(1, 0),
            &[
                object,
                Placed {
                    iova: 0xffff_f000,
                    bytes: 0x1000
                }
            ]
        ),
        Ok(0xffff_f000)
    );
    for offset in [0x2ffd, 0x3000, 1 << 32, u64::MAX - 3, u64::MAX] {
        assert_eq!(
            relocated(to(0, offset), &[object]),
            Err(Why::Bounds),
            "{offset:#x}"
        );
    }
    assert_eq!(
        relocated(to(0, 0), &[Placed { iova: 0, bytes: 3 }]),
        Err(Why::Bounds)
    );
    assert_eq!(
        relocated(
            to(0, 0x1000),
            &[Placed {
                iova: 0xffff_f000,
                bytes: 1 << 33
            }]
        ),
        Err(Why::Bounds)
    );
    assert_eq!(relocated(to(1, 0), &[object]), Err(Why::Object));
    assert_eq!(relocated(to(u32::MAX, 0), &[object]), Err(Why::Object));
    assert_eq!(
        relocated(Reloc { flags: 1, ..to(0, 0) }, &[object]),
        Err(Why::Object)
    );
}

/// A destination without room gets nothing, nor does one whose stream is refused.
#[test]
fn a_copy_is_whole_or_not_made() {
    let mut to = [9; 4];
    let stream = load(0x01414, &[1, 2, 3, 4, 5]);
    let refused = CmdStream::new(&stream[..])
        .validate_into(&mut to[..], Policy::Mmuv2, &[])
        .map(|_| ())
        .unwrap_err();
    assert_eq!((refused.offset_words, refused.why), (4, Why::Length));
    let refused = CmdStream::new(&[0x0801_0505, 1, 0x1000_0000, 0][..])
        .validate_into(&mut to[..], Policy::Mmuv2, &[])
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refused.to_string(), "command not permitted at word 2: 0x10000000");
    assert_eq!(to, [9; 4]);
}

/// The second reader calls these harmful, so it is no yes-man.
#[test]
fn the_second_reader_sees_harm() {
    for Sample {
        words,
        relocs,
        shared,
        ..
    } in samples()
    {
        assert!(execute(&words, &relocs, shared).is_ok());
        assert!(execute(&words, &relocs[..relocs.len().saturating_sub(1)], shared).is_ok() != shared);
        let mut harmful = words.clone();
        harmful.extend([0x0801_006b, 0]);
        assert_eq!(
            execute(&harmful, &relocs, shared).err(),
            Some(Harm::Guarded(0x1ac))
        );
        assert_eq!(
            execute(&words[..words.len() - 1], &relocs, shared).err(),
            Some(Harm::Overrun)
        );
    }
}

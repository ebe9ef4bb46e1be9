// SPDX-License-Identifier: BSD-2-Clause
//! Which streams the validator admits: those of Mesa, and none that contains anything else.

use crate::reader::{all_samples, execute, kind, samples, Harm, Kind, Sample};
use etnaviv::stream::{CmdStream, Placed, Policy, Refused, Reloc, Why};

pub(crate) fn policy(shared: bool) -> Policy {
    match shared {
        true => Policy::Mmuv1,
        false => Policy::Mmuv2,
    }
}

pub(crate) fn verdict(words: &[u32], relocs: &[Reloc], policy: Policy) -> Result<(), Refused> {
    CmdStream::new(words).validate(policy, relocs).map(|_| ())
}

pub(crate) fn why(words: &[u32], relocs: &[Reloc], policy: Policy) -> Option<(u32, Why)> {
    verdict(words, relocs, policy)
        .err()
        .map(|refused| (refused.offset_words, refused.why))
}

/// A load of `values` from byte address `register` on.
pub(crate) fn load(register: u32, values: &[u32]) -> Vec<u32> {
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
    } in all_samples()
    {
        assert_eq!(verdict(&words, &relocs, policy(shared)), Ok(()), "{name}");
        let run = execute(&words, &relocs, shared).unwrap();
        commands += run.headers.len();
        // MMUv2 also admits it with relocations; MMUv1 does not admit it without.
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
        // A copy has the same words, and what follows it is not written.
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
            let here = relocs
                .iter()
                .any(|reloc| reloc.submit_offset as usize == i * 4);
            assert_eq!(
                *new,
                if here { 0x8000_0000 } else { *old },
                "{name}: word {i}"
            );
        }
        assert_eq!(copy[words.len()..], [0xdead_beef; 3]);
    }
    // Two of the newer ones draw.
    assert_eq!(commands, 28 + 32 + 89 + 53 + 52 + 186 + 817);
}

/// As above, with every value of the upper half of each header, which has opcode and count, and the
/// original lower half.
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
    // The last state, and the one after it.
    assert_eq!(v2(&load(0x3fffc, &[0])), None);
    assert_eq!(v2(&load(0x3fffc, &[0, 0])), Some((2, Why::State)));
    // Opcodes that only MMUv2 admits.
    assert_eq!(
        why(&[0x8000_0000, 0], &[], Policy::Mmuv1),
        Some((0, Why::Command))
    );
}

/// A stall must follow each semaphore, which would otherwise end the kernel's own stall.
#[test]
fn semaphores_are_waited_for() {
    const STALL: u32 = 0x4800_0000;
    let v2 = |words: &[u32]| why(words, &[], Policy::Mmuv2);
    let semaphore = |token| load(0x3808, &[token]);
    let refused = Some((1, Why::State));
    // FE waits for PE, and for BLT.
    for token in [0x0701, 0x1001] {
        let good = [semaphore(token), vec![STALL, token]].concat();
        assert_eq!(v2(&good), None);
        assert_eq!(v2(&semaphore(token)), refused, "at the end");
        let bad: [&[u32]; 5] = [
            &[STALL, token ^ 0x100],
            &[STALL | 1, token],
            &[0x1800_0000, 0],
            &load(0x3c00, &[token]),
            &semaphore(token),
        ];
        for next in bad {
            let stream = [&semaphore(token), next, &[STALL, token]].concat();
            assert_eq!(v2(&stream), refused, "{next:x?}");
        }
    }
    // RA waits for PE, by its register.
    let ra = [semaphore(0x0705), load(0x3c00, &[0x0705])].concat();
    assert_eq!(v2(&ra), None);
    assert_eq!(
        v2(&[semaphore(0x0705), vec![STALL, 0x0705]].concat()),
        refused
    );
    // Not among other states, not converted.
    assert!(v2(&[load(0x3808, &[0x0701, 0]), vec![STALL, 0x0701]].concat()).is_some());
    let mut float = [semaphore(0x0701), vec![STALL, 0x0701]].concat();
    float[0] |= 1 << 26;
    assert_eq!(v2(&float), refused);
}

/// Nothing is written to a destination that is too small, or if the stream is refused.
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
    assert_eq!(
        refused.to_string(),
        "command not permitted at word 2: 0x10000000"
    );
    assert_eq!(to, [9; 4]);
}

/// Catches: a second reader that accepts every stream.
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
        assert!(
            execute(&words, &relocs[..relocs.len().saturating_sub(1)], shared).is_ok() != shared
        );
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

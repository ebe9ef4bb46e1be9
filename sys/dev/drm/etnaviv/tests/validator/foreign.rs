// SPDX-License-Identifier: BSD-2-Clause
//! Mesa's streams with one word replaced by a foreign one: each word, and each kind.

use crate::board::Board;
use crate::cases::{policy, verdict};
use crate::executed::{gpu, relocated};
use crate::reader::{execute, kind, samples, Kind, Sample};
use etnaviv::stream::Policy;

/// Whether a load of a state, by its index, is admitted for a client with a VM of its own.
pub(crate) fn knows(state: u32) -> bool {
    verdict(&[0x0801_0000 | state, 0], &[], Policy::Mmuv2).is_ok()
}

/// GL_SEMAPHORE_TOKEN.
const SEMAPHORE: u32 = 0x3808 / 4;

/// Headers of all that a client may not do: every other opcode, loads of every guarded register,
/// and of the first and the last of every run of states that the validator does not admit.
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
        let border =
            !knows(state) && (knows(state.wrapping_sub(1) & 0xffff) || knows((state + 1) & 0xffff));
        unknown += u32::from(border && !guarded);
        if guarded || border {
            // The semaphore may be correct, if it replaces one that is followed by a stall.
            if state != SEMAPHORE {
                headers.push(0x0801_0000 | state);
            }
            headers.push(0x0c01_0000 | state);
        }
    }
    assert!(unknown > 100, "{unknown}");
    // 1024 states, and runs of which only the last state is not admitted.
    headers.extend([
        0x0800_0180,
        0x0802_0194,
        0x0804_0e00 - 3,
        0x0820_0600 / 4,
        0x0802_ffff,
    ]);
    headers
}

/// Replaces every word of every stream by every foreign word. As a header it is refused at that
/// word. As a value it may be admitted: then the second reader, and the model for one in `sparse`
/// streams, must find no harm.
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
                        // At the word before, if the replaced word was the stall of a semaphore.
                        (at.max(1) - 1..at + 34).contains(&(refused.offset_words as usize)),
                        "{name}: {header:#x} at {at}: {refused}"
                    );
                    as_header += 1;
                } else if verdict.is_ok() {
                    let changed = execute(&stream, &relocs, shared);
                    let changed = changed
                        .unwrap_or_else(|harm| panic!("{name}: {header:#x} at {at}: {harm:?}"));
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
    println!(
        "{as_header} headers refused, {as_value} values harmless, {executed} of them executed"
    );
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

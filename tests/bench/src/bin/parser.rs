// SPDX-License-Identifier: BSD-2-Clause
//! `parser PEER.SO STREAM...`: what it costs to copy a Vivante command stream and to check it,
//! beside Linux's parser, which only looks. The peer is made by peer/etnaviv.sh.
//!
//! A stream of a GPU with MMUv1 ("GC2000" in its name) has a relocation for every address on both
//! sides. On MMUv2 ours searches for what no client may access; Linux checks nothing there, so
//! its parser runs without relocations on an empty list of states: the least it can do.
//!
//! How far the copy is from the original modulo a page changes what a processor makes of it; a
//! number is the median over eight distances of the shortest time. Exits with 1 if ours takes more
//! than two thirds of the peer's time for any stream.

use bench::count::Counter;
use etnaviv::stream::{CmdStream, Policy, Refused, Reloc};
use std::ffi::{c_void, CStr, CString};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

/// Of ours to the peer's time.
const BOUND: f64 = 0.67;
/// Calls between two checks of the clock, and how often.
const CALLS: u32 = 500;
const LOOKS: u32 = 120;
/// Distances of the copy, in words.
const DISTANCES: [usize; 8] = [0, 16, 80, 208, 336, 512, 760, 1008];

type Init = extern "C" fn();
type One = extern "C" fn(*mut c_void, *mut u32, u32, *const Reloc, u32) -> bool;

/// Linux's parser.
struct Peer {
    init: Init,
    one: One,
}

fn symbol(library: *mut c_void, name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: the library is open, the name is a C string.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    match found.is_null() {
        true => Err(format!("the peer has no {}", name.to_string_lossy())),
        false => Ok(found),
    }
}

impl Peer {
    fn load(path: &str) -> Result<Peer, String> {
        let name = CString::new(path).map_err(|error| error.to_string())?;
        // SAFETY: the library has no constructors.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            return Err(format!("{path}: no such peer"));
        }
        let init = symbol(library, c"etnaviv_validate_init")?;
        let one = symbol(library, c"etnaviv_cmd_validate_one")?;
        Ok(Peer {
            // SAFETY: the type is the one that the C source gives it.
            init: unsafe { std::mem::transmute::<*mut c_void, Init>(init) },
            // SAFETY: likewise; a pointer to what is never inspected, words, their number,
            // relocations, their number.
            one: unsafe { std::mem::transmute::<*mut c_void, One>(one) },
        })
    }

    fn looks(&self, words: &mut [u32], relocs: &[Reloc]) -> bool {
        let mut device = [0u64; 8];
        let (size, count) = (words.len() as u32, relocs.len() as u32);
        (self.one)(
            device.as_mut_ptr().cast(),
            words.as_mut_ptr(),
            size,
            relocs.as_ptr(),
            count,
        )
    }
}

/// A stream and what goes with it.
struct Stream {
    name: String,
    words: Vec<u32>,
    relocs: Vec<Reloc>,
    /// Relocations of all addresses, needed or not.
    all: Vec<Reloc>,
    policy: Policy,
}

impl Stream {
    fn read(path: &str) -> Result<Stream, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        let words: Vec<u32> = bytes
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let name = path
            .rsplit('/')
            .next()
            .unwrap_or(path)
            .trim_end_matches(".bin")
            .to_owned();
        let policy = match name.contains("GC2000") {
            true => Policy::Mmuv1,
            false => Policy::Mmuv2,
        };
        let mut all = Vec::new();
        // Every address that lacks a relocation is named by a refusal.
        while let Err(refused) = CmdStream::new(&words[..])
            .validate(Policy::Mmuv1, &all)
            .map(|_| ())
        {
            add(&mut all, refused, words.len()).ok_or_else(|| format!("{name}: {refused}"))?;
        }
        let relocs = match policy {
            Policy::Mmuv1 => all.clone(),
            Policy::Mmuv2 => Vec::new(),
        };
        Ok(Stream {
            name,
            words,
            relocs,
            all,
            policy,
        })
    }
}

fn add(relocs: &mut Vec<Reloc>, refused: Refused, words: usize) -> Option<()> {
    let submit_offset = refused.offset_words.checked_mul(4)?;
    (refused.why == etnaviv::stream::Why::Uncovered && relocs.len() < words).then(|| {
        relocs.push(Reloc {
            submit_offset,
            ..Reloc::default()
        });
    })
}

/// Ours: the copy is made if the stream is admitted.
#[inline(never)]
fn ours(stream: &Stream, copy: &mut [u32]) -> bool {
    CmdStream::new(&stream.words[..])
        .validate_into(copy, stream.policy, &stream.relocs)
        .is_ok()
}

/// The shortest time of a call, in nanoseconds.
fn shortest(mut call: impl FnMut()) -> f64 {
    let mut shortest = f64::INFINITY;
    for _ in 0..LOOKS {
        let begin = Instant::now();
        (0..CALLS).for_each(|_| call());
        shortest = shortest.min(begin.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    shortest
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures one stream; returns the ratio.
fn measure(stream: &mut Stream, peer: &Peer, counter: &mut Option<Counter>) -> f64 {
    let mut memory = vec![0u32; 1024 + 1024 + stream.words.len()];
    let to_page = memory.as_ptr().align_offset(4096);
    let mut distances = Vec::new();
    for distance in DISTANCES {
        // The distance is counted from where the original is in its page.
        let at = (to_page + (stream.words.as_ptr() as usize % 4096) / 4 + distance) % 1024;
        let copy = &mut memory[at..at + stream.words.len()];
        distances.push(shortest(|| {
            assert!(ours(black_box(stream), black_box(copy)))
        }));
    }
    let ours_ns = median(distances);
    let (words, relocs) = (&mut stream.words, &stream.relocs);
    let peer_ns = shortest(|| assert!(peer.looks(black_box(words), black_box(relocs))));
    let ratio = ours_ns / peer_ns;
    print!(
        "{:<20} {:>6} {:>6} {ours_ns:>9.1} {peer_ns:>9.1} {ratio:>6.2}",
        stream.name,
        stream.words.len(),
        stream.relocs.len()
    );
    if let Some(counter) = counter {
        let ours = counter.count(|| assert!(ours(stream, &mut memory)));
        let peer = counter.count(|| assert!(peer.looks(&mut stream.words, &stream.relocs)));
        print!(" {ours:>10} {peer:>10}");
    }
    println!();
    ratio
}

/// Measures all streams in turn, by the rules of MMUv1, so that no two looks in a row are alike;
/// returns the ratio.
fn measure_in_turn(streams: &mut [Stream], peer: &Peer) -> f64 {
    let mut copies: Vec<Vec<u32>> = streams
        .iter()
        .map(|stream| vec![0; stream.words.len()])
        .collect();
    let ours = shortest(|| {
        for (stream, copy) in streams.iter().zip(&mut copies) {
            let admitted = CmdStream::new(black_box(&stream.words[..])).validate_into(
                &mut copy[..],
                Policy::Mmuv1,
                &stream.all,
            );
            assert!(admitted.is_ok());
        }
    });
    let peers = shortest(|| {
        streams
            .iter_mut()
            .for_each(|stream| assert!(peer.looks(black_box(&mut stream.words), &stream.all)))
    });
    let words: usize = streams.iter().map(|stream| stream.words.len()).sum();
    let relocs: usize = streams.iter().map(|stream| stream.all.len()).sum();
    println!(
        "{:<20} {words:>6} {relocs:>6} {ours:>9.1} {peers:>9.1} {:>6.2}",
        "all in turn",
        ours / peers
    );
    ours / peers
}

fn run(args: &[String]) -> Result<bool, String> {
    let [library, paths @ ..] = args else {
        return Err("usage: parser PEER.SO STREAM...".into());
    };
    let peer = Peer::load(library)?;
    let mut counter = Counter::find();
    let mut streams = paths
        .iter()
        .map(|path| Stream::read(path))
        .collect::<Result<Vec<_>, _>>()?;
    // Those of MMUv2 first: the peer's list of states is empty until it is made.
    streams.sort_by_key(|stream| stream.policy == Policy::Mmuv1);
    let counted = if counter.is_some() {
        " ours instr peer instr"
    } else {
        ""
    };
    println!(
        "{:<20} {:>6} {:>6} {:>9} {:>9} {:>6}{counted}",
        "stream", "words", "relocs", "ours ns", "peer ns", "ratio"
    );
    let (mut worst, mut listed) = (0f64, false);
    for stream in &mut streams {
        if stream.policy == Policy::Mmuv1 && !listed {
            (peer.init)();
            listed = true;
        }
        worst = worst.max(measure(stream, &peer, &mut counter));
    }
    if !listed {
        (peer.init)();
    }
    worst = worst.max(measure_in_turn(&mut streams, &peer));
    println!("worst ratio {worst:.2}, bound {BOUND}");
    Ok(worst <= BOUND)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("parser: {why}");
            ExitCode::from(2)
        }
    }
}

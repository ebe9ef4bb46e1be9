// SPDX-License-Identifier: BSD-2-Clause
//! A run is made of epochs, each with files and objects of its own; so what differs in one differs
//! there only.
//!
//! Kinds of epochs: one thread with files of both nodes, a forked child on files of its parent in
//! the midst of it, several threads or several processes at once with a render file each, and a
//! wait that another thread's call ends.

use super::memory::errno;
use super::names::Names;
use super::rng::Rng;
use super::specs::*;
use super::state::{Driver, File, Kit, Obj, Stream, CONTEXTS, OBJECTS, SYNCS};
use super::stream::{field, Arg};
use super::times::far;
use std::io::{Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};

/// The parameters of a run.
#[derive(Clone, Debug)]
pub struct Config {
    /// All calls follow from it.
    pub seed: u64,
    /// The primary node.
    pub card: String,
    /// The render node.
    pub render: String,
    /// The driver that serves them.
    pub driver: Driver,
    /// The minor version of its user ABI whose calls are made.
    pub minor: u32,
}

/// Calls of an epoch with one thread.
const CALLS: usize = 120;
/// Calls of each of several threads or processes.
const CALLS_EACH: usize = 60;

fn open(path: &str) -> i32 {
    let path = format!("{path}\0");
    // SAFETY: a string that ends with a zero.
    let fd = unsafe { libc::open(path.as_ptr().cast(), libc::O_RDWR | libc::O_CLOEXEC) };
    if fd < 0 {
        -errno()
    } else {
        fd
    }
}

fn close(fd: i32) {
    // SAFETY: plain system call; a number that is none is no harm.
    unsafe { libc::close(fd) };
}

/// Waits until closed files are gone: on a virtual board close(2) returns before the board has
/// heard of it. A name dies with its object, and files go in the order in which they were closed.
fn settle(config: &Config, witness: &mut Stream) {
    let fd = open(&config.card);
    if fd < 0 {
        return;
    }
    let last = File {
        fd,
        murky: true,
        objects: [Obj::default(); OBJECTS],
        syncs: [0; SYNCS],
        contexts: [0; CONTEXTS],
        kit: Kit::None,
    };
    witness.files.push(last);
    let of = witness.files.len() - 1;
    let (spec, fields): (_, &[(&str, u64)]) = match config.driver {
        Driver::Panfrost => (&pan::CREATE_BO, &[("size", 4096)]),
        Driver::Etnaviv => (&etna::GEM_NEW, &[("size", 4096), ("flags", 0x2_0000)]),
    };
    let name = witness.silently(of, spec, fields).and_then(|made| {
        let handle = field(spec, &made, "handle");
        let named = witness.silently(of, &GEM_FLINK, &[("handle", handle)])?;
        Ok(field(&GEM_FLINK, &named, "name"))
    });
    witness.files.pop();
    close(fd);
    let Ok(name) = name else {
        std::thread::sleep(std::time::Duration::from_millis(30));
        return;
    };
    for _ in 0..5000 {
        match witness.silently(0, &GEM_OPEN, &[("name", name)]) {
            // A file gives up being master after its objects.
            Err(_) if witness.silently(0, &SET_MASTER, &[]).is_ok() => {
                let _ = witness.silently(0, &DROP_MASTER, &[]);
                return;
            }
            Err(_) => {}
            Ok(opened) => {
                let handle = field(&GEM_OPEN, &opened, "handle");
                // The name lives on through this handle.
                let _ = witness.silently(0, &GEM_CLOSE, &[("handle", handle)]);
            }
        }
        std::thread::sleep(std::time::Duration::from_micros(500));
    }
    witness.line("files do not close");
}

/// A run.
pub struct Run {
    config: Config,
    /// A file of the primary node that stays open and is not the master.
    witness: Stream,
    /// Calls so far.
    pub calls: usize,
}

impl Run {
    /// Nothing was called yet.
    pub fn new(config: Config) -> Run {
        let mut witness = Stream::new("witness".to_string(), config.driver, config.minor);
        open_file(&mut witness, &config.card);
        let fd = witness.files[0].fd;
        // SAFETY: a request without a structure. The first file is the master, which the epochs'
        // files shall be.
        unsafe { libc::ioctl(fd, DROP_MASTER.code as _, 0) };
        Run {
            config,
            witness,
            calls: 0,
        }
    }

    /// Does an epoch and gives its transcript.
    pub fn epoch(&mut self, nr: u64) -> String {
        let mut rng = Rng::of(self.config.seed, &[nr]);
        // How many calls are meant, whatever they answer: all runs of a seed have the same epochs.
        let (mut out, calls) = match rng.below(20) {
            0..13 => (self.alone(nr, false), CALLS),
            13..16 => (self.alone(nr, true), 2 * CALLS),
            19 if self.config.driver == Driver::Panfrost => (self.woken(nr), 4),
            18 => (self.processes(nr), 3 * CALLS_EACH),
            _ => (self.threads(nr), 3 * CALLS_EACH),
        };
        settle(&self.config, &mut self.witness);
        out.push_str(&std::mem::take(&mut self.witness.out));
        self.calls += calls;
        out
    }

    fn stream(&self, tag: String) -> Stream {
        Stream::new(tag, self.config.driver, self.config.minor)
    }

    fn alone(&self, nr: u64, forked: bool) -> String {
        let mut stream = self.stream(format!("{nr}"));
        for path in [
            &self.config.card,
            &self.config.render,
            &self.config.render,
            &self.config.card,
        ] {
            open_file(&mut stream, path);
        }
        furnish(&self.config, &mut stream, nr, 0);
        calls(&self.config, &mut stream, nr, 0, FURNISHED..CALLS / 2);
        if forked {
            let mut rng = Rng::of(self.config.seed, &[nr, 77]);
            let unprivileged = rng.percent(50);
            let text = in_child(|| {
                stream.out.clear();
                stream.tag = format!("{nr}c");
                stream.unprivileged = unprivileged;
                if unprivileged {
                    // SAFETY: these take any numbers; the child does not come back.
                    let ret = unsafe {
                        libc::setresgid(65534, 65534, 65534) | libc::setresuid(65534, 65534, 65534)
                    };
                    stream.line(&format!("no_one = {ret}"));
                }
                calls(&self.config, &mut stream, nr, 1, CALLS / 2..CALLS);
                std::mem::take(&mut stream.out)
            });
            stream.out.push_str(&text);
            // The child has closed some of the objects and made others, and numbers are used again.
            stream.names = Names::default();
            stream.fds = [None; 6];
            for file in &mut stream.files {
                (file.murky, file.objects, file.syncs) =
                    (true, [Obj::default(); OBJECTS], [0; SYNCS]);
                file.contexts = [0; CONTEXTS];
            }
            furnish(&self.config, &mut stream, nr, 80);
        }
        calls(&self.config, &mut stream, nr, 0, CALLS / 2..CALLS);
        end(stream)
    }

    fn threads(&self, nr: u64) -> String {
        let config = &self.config;
        let texts = std::thread::scope(|scope| {
            let run =
                |which| scope.spawn(move || beside(config, format!("{nr}t{which}"), nr, which));
            let all: Vec<_> = (0..3).map(run).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, String>| {
                thread
                    .join()
                    .unwrap_or_else(|_| "a thread panicked\n".to_string())
            };
            all.into_iter().map(join).collect::<Vec<_>>()
        });
        texts.concat()
    }

    fn processes(&self, nr: u64) -> String {
        let children: Vec<_> = (0..3)
            .map(|which| start_child(|| beside(&self.config, format!("{nr}p{which}"), nr, which)))
            .collect();
        children.into_iter().map(finish_child).collect()
    }

    /// A thread waits for syncobjs that are filled only while it waits.
    fn woken(&self, nr: u64) -> String {
        let mut stream = self.stream(format!("{nr}w"));
        open_file(&mut stream, &self.config.render);
        let fd = stream.files[0].fd;
        let mut rng = Rng::of(self.config.seed, &[nr, 78]);
        for round in 0..4 {
            stream.seq = round + 1;
            let made = [(); 2].map(|()| stream.silently(0, &SYNCOBJ_CREATE, &[]));
            let [Ok(a), Ok(b)] = made else {
                stream.line(&format!("no syncobjs: {:?}", made.map(|m| m.err())));
                break;
            };
            let handles = [a, b].map(|made| field(&SYNCOBJ_CREATE, &made, "handle") as u32);
            let all = rng.percent(50);
            let flags = 2 | u32::from(all);
            let waiter = std::thread::spawn(move || {
                let items = handles.map(|handle| (u64::from(handle), String::new()));
                let arg = Arg::new(&SYNCOBJ_WAIT)
                    .array("handles", &items)
                    .num("count_handles", 2)
                    .num("flags", u64::from(flags))
                    .put("timeout_nsec", far());
                let mut bytes = arg.bytes.clone();
                // SAFETY: the structure is as long as the code says, and its array lives in `arg`.
                let ret = unsafe { libc::ioctl(fd, SYNCOBJ_WAIT.code as _, bytes.as_mut_ptr()) };
                let error = if ret < 0 { errno() } else { 0 };
                (error, field(&SYNCOBJ_WAIT, &bytes, "first_signaled"))
            });
            let first = rng.below(2);
            for nth in [first, 1 - first] {
                std::thread::sleep(std::time::Duration::from_millis(rng.pick(&[0, 1, 5])));
                let at = &raw const handles[nth] as u64;
                if let Err(error) =
                    stream.silently(0, &SYNCOBJ_SIGNAL, &[("handles", at), ("count_handles", 1)])
                {
                    stream.line(&format!("signal: {error}"));
                }
                if !all {
                    break;
                }
            }
            // With all of them some kernels report the last that was filled, others the first of
            // the list.
            let (error, index) = waiter.join().unwrap_or((-1, 0));
            let index = if all {
                "-".to_string()
            } else {
                format!("{}", index == first as u64)
            };
            stream.line(&format!("woken all={all} = {error} first {index}"));
        }
        end(stream)
    }
}

/// A stream with render files of its own that runs beside others.
fn beside(config: &Config, tag: String, nr: u64, which: u64) -> String {
    let mut stream = Stream::new(tag, config.driver, config.minor);
    stream.alone = false;
    for path in [&config.render, &config.render] {
        open_file(&mut stream, path);
    }
    furnish(config, &mut stream, nr, 2 + which);
    calls(config, &mut stream, nr, 2 + which, FURNISHED..CALLS_EACH);
    end(stream)
}

fn open_file(stream: &mut Stream, path: &str) {
    let fd = open(path);
    stream.seq = 0;
    stream.line(&format!("open f{} = {}", stream.files.len(), fd.min(0)));
    stream.files.push(File {
        fd: fd.max(-1),
        murky: false,
        objects: [Obj::default(); OBJECTS],
        syncs: [0; SYNCS],
        contexts: [0; CONTEXTS],
        kit: Kit::None,
    });
}

/// Calls that make what the others work on have numbers below this.
const FURNISHED: usize = 26;

/// Makes objects, syncobjs and descriptors, so that the calls find some.
fn furnish(config: &Config, stream: &mut Stream, nr: u64, branch: u64) {
    for seq in 1..FURNISHED {
        stream.seq = seq;
        stream.rng = Rng::of(config.seed, &[nr, branch, seq as u64]);
        let f = seq % stream.files.len();
        match seq {
            1..13 => stream.make_object(f, seq / stream.files.len()),
            13..21 => stream.make_sync(f, seq),
            21..23 => stream.make_dma_buf(f),
            _ => stream.make_sync_file(f),
        }
    }
}

/// Calls with the numbers of a range. The choices of each follow from the seed and the place alone.
fn calls(
    config: &Config,
    stream: &mut Stream,
    nr: u64,
    branch: u64,
    numbers: std::ops::Range<usize>,
) {
    for seq in numbers {
        stream.seq = seq;
        stream.rng = Rng::of(config.seed, &[nr, branch, seq as u64]);
        let f = stream.rng.below(stream.files.len());
        match (stream.rng.below(100), stream.driver) {
            (0..38, _) => stream.core(f),
            (38..52, _) => stream.descriptors(f),
            (_, Driver::Panfrost) => stream.panfrost(f),
            (_, Driver::Etnaviv) => stream.etnaviv(f),
        }
    }
}

/// Closes all, and gives the transcript.
fn end(mut stream: Stream) -> String {
    for n in 0..stream.fds.len() {
        stream.drop_fd(n);
    }
    stream.maps = [None, None, None];
    for file in &mut stream.files {
        file.kit = Kit::None;
        close(file.fd);
    }
    std::mem::take(&mut stream.out)
}

/// A child that gives a text.
type Child = Result<(libc::pid_t, std::fs::File), i32>;

fn start_child(body: impl FnOnce() -> String) -> Child {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Err(errno());
    }
    // SAFETY: both were just made and have no other owner.
    let (from, to) = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
    // SAFETY: no other thread of the program is running, so the child has a consistent copy of
    // everything.
    match unsafe { libc::fork() } {
        0 => {
            drop(from);
            let text = body();
            let sent = std::fs::File::from(to).write_all(text.as_bytes());
            // SAFETY: _exit takes any status.
            unsafe { libc::_exit(i32::from(sent.is_err())) }
        }
        pid @ 1.. => Ok((pid, std::fs::File::from(from))),
        _ => Err(errno()),
    }
}

fn finish_child(child: Child) -> String {
    let (pid, mut from) = match child {
        Ok(child) => child,
        Err(error) => return format!("no child: {error}\n"),
    };
    let mut text = String::new();
    if from.read_to_string(&mut text).is_err() {
        text.push_str("a child's text is broken\n");
    }
    let mut status = 0;
    // SAFETY: a place to write to.
    unsafe { libc::waitpid(pid, &mut status, 0) };
    if status != 0 {
        text.push_str(&format!("a child ended with {status:#x}\n"));
    }
    text
}

fn in_child(body: impl FnOnce() -> String) -> String {
    finish_child(start_child(body))
}

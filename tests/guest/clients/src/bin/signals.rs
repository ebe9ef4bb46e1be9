// SPDX-License-Identifier: BSD-2-Clause
//! `signals BOARD [COUNT]`: every kind of call while a timer sends SIGALRM at random times, with
//! SA_RESTART and without, until COUNT of them came while a call was under way. A call that is
//! interrupted has done nothing: it is made again, no handle and no descriptor is left, and each
//! job has run once. Prints how many jobs were submitted, for the driver's count beside it.

use clients::drm::{deadline_ns, Node};
use clients::errno::{Errno, Sys};
use clients::etnaviv::{self, after_ms, Client, LONG_BYTES};
use clients::mali::Chain;
use clients::{exit_status, Outcome};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use uapi::core::SYNCOBJ_WAIT_FOR_SUBMIT;
use uapi::panfrost;

/// Signals if the command line does not say.
const COUNT: u64 = 600;
/// Rounds between two changes of SA_RESTART.
const TURN: u64 = 4;
/// Rounds without a signal in a call after which something is wrong.
const PATIENCE: u64 = 20_000;
/// Jobs of a chain for the Mali, of 5 us each on the model, before the one that writes.
const NULL_JOBS: usize = 40;
const FILLED: u32 = 0x1234_5678;

/// Signals during calls: of a handler without SA_RESTART, and with it.
static HITS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
static RESTART: AtomicBool = AtomicBool::new(false);
static IN_CALL: AtomicBool = AtomicBool::new(false);
static RANDOM: seeded::Shared = seeded::Shared::new(1);

/// Has the next signal come in 20 to 1,000 us, or none at all.
fn arm(on: bool) {
    let random = RANDOM.next();
    let zero = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let value = libc::timeval {
        tv_sec: 0,
        tv_usec: if on { 20 + (random % 980) as i64 } else { 0 },
    };
    let timer = libc::itimerval {
        it_interval: zero,
        it_value: value,
    };
    // SAFETY: a timer that lives through the call, and no buffer for the old one.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
}

extern "C" fn caught(_: libc::c_int) {
    if IN_CALL.load(Relaxed) {
        HITS[usize::from(RESTART.load(Relaxed))].fetch_add(1, Relaxed);
    }
    arm(true);
}

fn hits() -> [u64; 2] {
    [0, 1].map(|kind| HITS[kind].load(Relaxed))
}

fn catch(restart: bool) -> Outcome<()> {
    // SAFETY: all zeroes are a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = caught as extern "C" fn(libc::c_int) as usize;
    action.sa_flags = if restart { libc::SA_RESTART } else { 0 };
    // SAFETY: an action that lives through the call; the handler makes one system call and touches
    // atomics.
    match unsafe { libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()) } {
        0 => {
            RESTART.store(restart, Relaxed);
            Ok(())
        }
        _ => Err(format!("sigaction: {}", Errno::last())),
    }
}

fn failed(what: &str) -> impl Fn(Errno) -> String + '_ {
    move |errno| format!("{what}: {errno}")
}

/// Makes calls again that end with EINTR, which those of a handler with SA_RESTART do not.
#[derive(Default)]
struct Calls {
    interrupted: u64,
    jobs: u64,
}

impl Calls {
    fn make<T>(&mut self, what: &str, mut call: impl FnMut() -> Sys<T>) -> Outcome<T> {
        loop {
            IN_CALL.store(true, Relaxed);
            let result = call();
            IN_CALL.store(false, Relaxed);
            match result {
                Err(Errno(libc::EINTR)) if !RESTART.load(Relaxed) => self.interrupted += 1,
                other => return other.map_err(failed(what)),
            }
        }
    }
}

/// A round of calls on a GPU.
trait Gpu {
    /// The handle that a new buffer had: it is the same each time, unless a handle is left.
    fn round(&mut self, calls: &mut Calls) -> Outcome<u32>;
}

fn prime(node: &Node, handle: u32, calls: &mut Calls) -> Outcome<()> {
    let fd = calls.make("HANDLE_TO_FD", || {
        node.export(handle, libc::O_CLOEXEC | libc::O_RDWR)
    })?;
    let same = calls.make("FD_TO_HANDLE", || node.import(&fd))?;
    if same != handle {
        return Err(format!("handle {handle} came back as {same}"));
    }
    Ok(())
}

struct Mali<'a> {
    node: &'a Node,
    chain: Chain<'a>,
    target: clients::drm::client::Bo<'a>,
}

impl Gpu for Mali<'_> {
    fn round(&mut self, calls: &mut Calls) -> Outcome<u32> {
        let node = self.node;
        let extra = calls.make("CREATE_BO", || node.bo(4096, panfrost::BO_NOEXEC))?;
        let map = self.target.map().map_err(failed("mmap"))?;
        let syncobj = calls.make("SYNCOBJ_CREATE", || node.syncobj(0))?;
        if calls.jobs.is_multiple_of(16) {
            // A job may end before a wait for it sleeps. This one sleeps: nothing fills the
            // syncobj.
            let moment = deadline_ns(2);
            calls.make("SYNCOBJ_WAIT for nothing", || {
                match syncobj.wait(moment, SYNCOBJ_WAIT_FOR_SUBMIT) {
                    Err(Errno(libc::ETIME)) => Ok(()),
                    Ok(_) => Err(Errno(libc::EPROTO)),
                    Err(errno) => Err(errno),
                }
            })?;
        }
        map.write_u64(0, u64::MAX);
        let bos = [self.chain.handle(), self.target.handle, extra.handle];
        let mut work = self.chain.work();
        work.bos = &bos;
        work.out_sync = syncobj.handle;
        calls.make("SUBMIT", || node.submit(&work))?;
        calls.jobs += 1;
        let deadline = deadline_ns(60_000);
        calls.make("WAIT_BO", || extra.wait(deadline))?;
        if map.read(0, 8) != [0; 8] {
            return Err("a job has not done its work".into());
        }
        calls.make("SUBMIT", || node.submit(&work))?;
        calls.jobs += 1;
        calls.make("SYNCOBJ_WAIT", || syncobj.wait(deadline, 0))?;
        prime(node, extra.handle, calls)?;
        // Dropping them would not see that a call was interrupted.
        calls.make("GEM_CLOSE", || node.gem_close(extra.handle))?;
        calls.make("SYNCOBJ_DESTROY", || node.syncobj_destroy(syncobj.handle))?;
        let handle = extra.handle;
        std::mem::forget((extra, syncobj));
        Ok(handle)
    }
}

struct Vivante<'a> {
    client: &'a Client,
    target: etnaviv::Bo<'a>,
}

impl Gpu for Vivante<'_> {
    fn round(&mut self, calls: &mut Calls) -> Outcome<u32> {
        let client = self.client;
        let extra = calls.make("GEM_NEW", || client.bo(4096))?;
        let map = self.target.map().map_err(failed("mmap"))?;
        let last = LONG_BYTES as usize - 4;
        let work = client.work().fill_long(&self.target, FILLED);
        let deadline = after_ms(60_000);
        map.write_u32(last, 0);
        let fence = calls.make("GEM_SUBMIT", || client.submit(&work))?.fence;
        calls.make("WAIT_FENCE", || {
            client.wait_fence(work.pipe, fence, 0, deadline)
        })?;
        if map.read_u32(last) != FILLED {
            return Err("a job has not done its work".into());
        }
        calls.make("GEM_SUBMIT", || client.submit(&work))?;
        let handle = self.target.handle;
        let both = uapi::etnaviv::PREP_READ | uapi::etnaviv::PREP_WRITE;
        calls.make("GEM_CPU_PREP", || client.cpu_prep(handle, both, deadline))?;
        calls.make("GEM_CPU_FINI", || client.cpu_fini(handle, 0))?;
        calls.make("GEM_SUBMIT", || client.submit(&work))?;
        calls.make("GEM_WAIT", || {
            client.gem_wait(work.pipe, handle, 0, deadline)
        })?;
        prime(&client.node, extra.handle, calls)?;
        calls.make("GEM_CLOSE", || client.node.gem_close(extra.handle))?;
        calls.jobs += 3;
        let handle = extra.handle;
        std::mem::forget(extra);
        Ok(handle)
    }
}

fn descriptors() -> Outcome<usize> {
    let all = std::fs::read_dir("/proc/self/fd").map_err(|e| format!("/proc/self/fd: {e}"))?;
    Ok(all.count())
}

/// Rounds until enough signals came.
fn run(gpu: &mut dyn Gpu, count: u64) -> Outcome<()> {
    let mut calls = Calls::default();
    let before = (gpu.round(&mut calls)?, descriptors()?);
    let (mut rounds, mut last) = (0, 0);
    let mut result = Ok(());
    arm(true);
    // Few calls sleep, and one at least has to be interrupted.
    let enough =
        |calls: &Calls, hits: u64| hits >= count && (calls.interrupted != 0 || hits >= 8 * count);
    while result.is_ok() && !enough(&calls, hits().iter().sum::<u64>()) {
        if rounds % TURN == 0 {
            result = catch(rounds / TURN % 2 == 1);
        }
        let seen = hits();
        result = result.and_then(|()| gpu.round(&mut calls).map(drop));
        rounds += 1;
        if hits() != seen {
            last = rounds;
        }
        if rounds - last > PATIENCE {
            result = Err(format!("no signal in {PATIENCE} rounds"));
        }
    }
    arm(false);
    result?;
    let after = (gpu.round(&mut calls)?, descriptors()?);
    if after != before {
        return Err(format!(
            "next handle and descriptors: {before:?}, after it {after:?}"
        ));
    }
    let [ended, restarted] = hits();
    println!(
        "{ended} signals without SA_RESTART, {} calls ended with EINTR; {restarted} with it",
        calls.interrupted
    );
    if calls.interrupted == 0 || ended.min(restarted) < count / 8 {
        return Err("too few of a kind".into());
    }
    println!("signals {}", ended + restarted);
    println!("jobs {}", calls.jobs);
    Ok(())
}

fn on(board: &str, count: u64) -> Outcome<()> {
    // One that comes before the first action is set would be the end.
    catch(true)?;
    match board {
        "rk3399" => {
            let node = Node::render().map_err(failed("render node"))?;
            let target = node
                .bo(4096, panfrost::BO_NOEXEC)
                .map_err(failed("buffer"))?;
            let mut chain = Chain::new(&node, NULL_JOBS + 1).map_err(failed("buffer"))?;
            chain.null(NULL_JOBS).write_zero(target.va);
            let mut gpu = Mali {
                node: &node,
                chain,
                target,
            };
            run(&mut gpu, count)
        }
        "imx8mq" => {
            let client = Client::open(etnaviv::imx8mq()).map_err(failed("render node"))?;
            let target = client.bo(LONG_BYTES).map_err(failed("buffer"))?;
            let mut gpu = Vivante {
                client: &client,
                target,
            };
            run(&mut gpu, count)
        }
        _ => Err(format!("no jobs for board {board}")),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args[..] {
        [board] => on(board, COUNT),
        [board, count] => match count.parse() {
            Ok(count) => on(board, count),
            Err(_) => Err("usage: signals BOARD [COUNT]".into()),
        },
        _ => Err("usage: signals BOARD [COUNT]".into()),
    };
    exit_status("signals", outcome)
}

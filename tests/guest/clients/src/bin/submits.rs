// SPDX-License-Identifier: BSD-2-Clause
//! `submits BOARD [spun]`: jobs for a driver whose instructions are counted from outside, by the
//! marks that it writes into the mailbox of `drmboard vm --count`.
//!
//! The one thing to know: between two marks there is one system call and nothing else. A job takes
//! longer than everything that the kernel has to do to start it, and a process of lowest priority
//! spins: the kernel never idles, so what it executes is for the job. (`spun`: such a process is
//! there already.) What the marks mean is in crate `bench`, guest.rs.

use clients::drm::client::Bo as MaliBo;
use clients::drm::{deadline_ns, Mapping, Node};
use clients::errno::Errno;
use clients::etnaviv::{self, after_ms, Client, LONG_BYTES};
use clients::mali::Chain;
use clients::process::fork;
use clients::{exit_status, Outcome};
use std::process::ExitCode;
use uapi::core::{GemClose, GEM_CLOSE};
use uapi::panfrost;

/// The mailbox on the bus (drmboard's vm/config.rs).
const MAILBOX: u64 = 0x0cf0_0000;
/// Jobs of a measurement. Medians are taken: the first jobs, which find no mappings and empty
/// slabs, do not show in them.
const JOBS: usize = 200;
/// Jobs in flight, at most.
const DEPTH: usize = 4;
/// Jobs of a chain for the Mali, each of 5 us or more on the model, before the one that writes.
const NULL_JOBS: usize = 40;

/// Bytes of the BOs that are made and closed, and how many are.
const BO_BYTES: u32 = 1 << 20;
const BOS: usize = 40;

/// The other BOs that each job has from the start; [`Size::Bos`] of more of them makes more.
const MORE_BOS: usize = 32;

/// Marks, with the depth and the size in the low byte of the first three.
const SUBMIT: u32 = 0x100;
const WAIT: u32 = 0x200;
const DONE: u32 = 0x300;
/// The cheapest ioctl that the driver has, and none at all.
const PARAM: u32 = 0x400;
const NOTHING: u32 = 0x500;
const END: u32 = 0x600;
/// A BO of [`BO_BYTES`] is made, closed, and is gone.
const CREATE: u32 = 0x700;
const CLOSE: u32 = 0x800;
const CLOSED: u32 = 0x900;

fn failed(what: &str) -> impl Fn(Errno) -> String + '_ {
    move |errno| format!("{what}: {errno}")
}

/// The size of a job.
#[derive(Clone, Copy)]
enum Size {
    /// Its chain or stream, and what that writes.
    Small,
    /// It names so many more BOs.
    Bos(usize),
    /// Its stream is so many words longer: loads of one state each.
    Words(u32),
}

/// What is measured: the part of the marks that the size is, the jobs in flight, and the size. The
/// larger jobs that only the plot shows come last, so that the others find no more BOs with them
/// than without.
const MEASURED: [(u32, usize, Size); 9] = [
    (0, 1, Size::Small),
    (0, DEPTH, Size::Small),
    (0x10, 1, Size::Bos(MORE_BOS)),
    (0x10, DEPTH, Size::Bos(MORE_BOS)),
    (0x20, 1, Size::Words(2000)),
    (0x30, 1, Size::Bos(8)),
    (0x40, 1, Size::Bos(128)),
    (0x50, 1, Size::Words(500)),
    (0x60, 1, Size::Words(8000)),
];

/// A GPU with room for [`DEPTH`] jobs.
trait Gpu {
    /// Makes the jobs of the first `depth` places of this size from now on. False if it has none.
    fn resize(&mut self, depth: usize, size: Size) -> Result<bool, Errno>;
    /// Takes back what the job of a place has written.
    fn forget(&self, place: usize);
    /// One ioctl: submits the job of a place.
    fn submit(&mut self, place: usize) -> Result<(), Errno>;
    /// One ioctl: waits for it.
    fn wait(&self, place: usize) -> Result<(), Errno>;
    /// Whether it has done its work.
    fn is_done(&self, place: usize) -> bool;
    /// One ioctl: asks for the GPU's model.
    fn param(&self) -> Result<(), Errno>;
    /// One ioctl: makes a BO of [`BO_BYTES`]; its handle.
    fn create(&self) -> Result<u32, Errno>;
    /// One ioctl: closes it.
    fn close(&self, handle: u32) -> Result<(), Errno>;
}

/// A chain of jobs, the buffer that the last one writes into, and the handles of both.
struct MaliJob<'a> {
    chain: Chain<'a>,
    data: MaliBo<'a>,
    map: Mapping,
    more: Vec<MaliBo<'a>>,
    /// The handles that a submit names: of the chain, the data, and the others.
    handles: Vec<u32>,
}

struct Mali<'a> {
    node: &'a Node,
    jobs: Vec<MaliJob<'a>>,
    /// Late enough for all of it; found out once, so that no system call is made for it.
    deadline: i64,
}

impl<'a> Mali<'a> {
    fn new(node: &'a Node) -> Result<Mali<'a>, Errno> {
        let job = |_| {
            let data = node.bo(4096, panfrost::BO_NOEXEC)?;
            let mut chain = Chain::new(node, NULL_JOBS + 1)?;
            chain.null(NULL_JOBS).write_zero(data.va);
            let map = data.map()?;
            let more = (0..MORE_BOS).map(|_| node.bo(4096, panfrost::BO_NOEXEC));
            Ok(MaliJob {
                handles: vec![chain.handle(), data.handle],
                more: more.collect::<Result<_, Errno>>()?,
                chain,
                data,
                map,
            })
        };
        Ok(Mali {
            node,
            jobs: (0..DEPTH).map(job).collect::<Result<_, Errno>>()?,
            deadline: deadline_ns(100_000),
        })
    }
}

impl Gpu for Mali<'_> {
    fn resize(&mut self, depth: usize, size: Size) -> Result<bool, Errno> {
        let others = match size {
            Size::Small => 0,
            Size::Bos(others) => others,
            Size::Words(_) => return Ok(false),
        };
        for job in self.jobs.iter_mut().take(depth) {
            while job.more.len() < others {
                job.more.push(self.node.bo(4096, panfrost::BO_NOEXEC)?);
            }
            job.handles.truncate(2);
            let more = job.more.iter().take(others);
            job.handles.extend(more.map(|bo| bo.handle));
        }
        Ok(true)
    }

    fn forget(&self, place: usize) {
        self.jobs[place].map.write_u64(0, u64::MAX);
    }

    fn submit(&mut self, place: usize) -> Result<(), Errno> {
        let job = &self.jobs[place];
        let mut work = job.chain.work();
        work.bos = &job.handles;
        self.node.submit(&work)
    }

    fn wait(&self, place: usize) -> Result<(), Errno> {
        self.jobs[place].data.wait(self.deadline).map(drop)
    }

    fn is_done(&self, place: usize) -> bool {
        self.jobs[place].map.read(0, 8) == [0; 8]
    }

    fn param(&self) -> Result<(), Errno> {
        let mut arg = panfrost::GetParam {
            param: panfrost::PARAM_GPU_PROD_ID,
            ..panfrost::GetParam::default()
        };
        self.node.ioctl(panfrost::GET_PARAM, &mut arg).map(drop)
    }

    fn create(&self) -> Result<u32, Errno> {
        let mut arg = panfrost::CreateBo {
            size: BO_BYTES,
            flags: panfrost::BO_NOEXEC,
            ..panfrost::CreateBo::default()
        };
        self.node.ioctl(panfrost::CREATE_BO, &mut arg)?;
        Ok(arg.handle)
    }

    fn close(&self, handle: u32) -> Result<(), Errno> {
        let mut arg = GemClose { handle, pad: 0 };
        self.node.ioctl(GEM_CLOSE, &mut arg).map(drop)
    }
}

struct VivanteJob<'a> {
    work: etnaviv::Work,
    map: Mapping,
    fence: u32,
    /// What it fills, and the others.
    bos: Vec<etnaviv::Bo<'a>>,
}

struct Vivante<'a> {
    client: &'a Client,
    jobs: Vec<VivanteJob<'a>>,
    deadline: uapi::etnaviv::Timespec,
}

/// What a fill writes.
const FILLED: u32 = 0x1234_5678;

impl<'a> Vivante<'a> {
    fn new(client: &'a Client) -> Result<Vivante<'a>, Errno> {
        let job = |_| {
            let mut bos = vec![client.bo(LONG_BYTES)?];
            let map = bos[0].map()?;
            let work = client.work().fill_long(&bos[0], FILLED);
            for _ in 0..MORE_BOS {
                bos.push(client.bo(4096)?);
            }
            Ok(VivanteJob {
                work,
                map,
                fence: 0,
                bos,
            })
        };
        Ok(Vivante {
            client,
            jobs: (0..DEPTH).map(job).collect::<Result<_, Errno>>()?,
            deadline: after_ms(100_000),
        })
    }
}

impl Gpu for Vivante<'_> {
    fn resize(&mut self, depth: usize, size: Size) -> Result<bool, Errno> {
        // Instructions of the vertex shader, which no draw uses.
        let loads = |work: etnaviv::Work, n| work.state(0x4000 + n % 1024 * 4, n);
        for job in self.jobs.iter_mut().take(depth) {
            let begun = match size {
                Size::Words(words) => (0..words / 2).fold(self.client.work(), loads),
                _ => self.client.work(),
            };
            job.work = begun.fill_long(&job.bos[0], FILLED);
            if let Size::Bos(others) = size {
                while job.bos.len() <= others {
                    job.bos.push(self.client.bo(4096)?);
                }
                let named = job.bos.iter().take(others + 1);
                job.work = named.fold(job.work.clone(), |work, bo| work.names(bo));
            }
        }
        Ok(true)
    }

    fn forget(&self, place: usize) {
        self.jobs[place].map.write_u32(LONG_BYTES as usize - 4, 0);
    }

    fn submit(&mut self, place: usize) -> Result<(), Errno> {
        let job = &mut self.jobs[place];
        job.fence = self.client.submit(&job.work)?.fence;
        Ok(())
    }

    fn wait(&self, place: usize) -> Result<(), Errno> {
        let job = &self.jobs[place];
        self.client
            .wait_fence(job.work.pipe, job.fence, 0, self.deadline)
    }

    fn is_done(&self, place: usize) -> bool {
        self.jobs[place].map.read_u32(LONG_BYTES as usize - 4) == FILLED
    }

    fn param(&self) -> Result<(), Errno> {
        self.client
            .param(0, uapi::etnaviv::PARAM_GPU_MODEL)
            .map(drop)
    }

    fn create(&self) -> Result<u32, Errno> {
        self.client.gem_new(BO_BYTES.into(), uapi::etnaviv::BO_WC)
    }

    fn close(&self, handle: u32) -> Result<(), Errno> {
        let mut arg = GemClose { handle, pad: 0 };
        self.client.node.ioctl(GEM_CLOSE, &mut arg).map(drop)
    }
}

/// `JOBS` jobs, `depth` of them in flight, if the GPU has jobs of that size.
fn measure(
    gpu: &mut dyn Gpu,
    (part, depth, size): (u32, usize, Size),
    mark: &dyn Fn(u32),
) -> Outcome<()> {
    if !gpu.resize(depth, size).map_err(failed("buffers"))? {
        return Ok(());
    }
    let tag = depth as u32 | part;
    for n in 0..JOBS {
        let place = n % depth;
        gpu.forget(place);
        mark(SUBMIT | tag);
        let submitted = gpu.submit(place);
        mark(WAIT | tag);
        submitted.map_err(failed("submit"))?;
        // The oldest; the last ones are waited for below.
        let Some(oldest) = (n + 1).checked_sub(depth) else {
            continue;
        };
        let waited = gpu.wait(oldest % depth);
        mark(DONE | tag);
        waited.map_err(failed("wait"))?;
        if !gpu.is_done(oldest % depth) {
            return Err(format!("job {oldest} has not done its work"));
        }
    }
    (0..depth).try_for_each(|place| gpu.wait(place).map_err(failed("wait")))
}

fn run(gpu: &mut dyn Gpu, mark: &dyn Fn(u32)) -> Outcome<()> {
    for _ in 0..JOBS {
        mark(PARAM);
        let got = gpu.param();
        mark(NOTHING);
        mark(END);
        got.map_err(failed("GET_PARAM"))?;
    }
    for _ in 0..BOS {
        mark(CREATE);
        let handle = gpu.create();
        mark(CLOSE);
        let closed = handle.and_then(|handle| gpu.close(handle));
        mark(CLOSED);
        closed.map_err(failed("a BO"))?;
    }
    for measured in MEASURED {
        measure(gpu, measured, mark)?;
    }
    Ok(())
}

/// Starts a process that uses the idle time. It ends with this one.
fn spin() -> Outcome<clients::process::Child> {
    fork(|| {
        let param = libc::sched_param { sched_priority: 0 };
        // SAFETY: this process; a parameter that lives through the call.
        if unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &param) } != 0 {
            return 1;
        }
        let mut turns = 0u64;
        loop {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    })
    .map_err(failed("fork"))
}

fn marked(board: &str, spun: bool) -> Outcome<()> {
    let memory = Node::open("/dev/mem").map_err(failed("/dev/mem"))?;
    let mailbox = memory.map(MAILBOX, 4096).map_err(failed("mailbox"))?;
    let mark = |value| mailbox.write_u32(0, value);
    let _spinner = if spun { None } else { Some(spin()?) };
    match board {
        "rk3399" => {
            let node = Node::render().map_err(failed("render node"))?;
            Mali::new(&node)
                .map_err(failed("buffers"))
                .and_then(|mut gpu| run(&mut gpu, &mark))
        }
        "imx8mq" => {
            let client = Client::open(etnaviv::imx8mq()).map_err(failed("render node"))?;
            Vivante::new(&client)
                .map_err(failed("buffers"))
                .and_then(|mut gpu| run(&mut gpu, &mark))
        }
        _ => Err(format!("no jobs for board {board}")),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args[..] {
        [board] => marked(board, false),
        [board, "spun"] => marked(board, true),
        _ => Err("usage: submits BOARD [spun]".into()),
    };
    exit_status("submits", outcome)
}

// SPDX-License-Identifier: BSD-2-Clause
//! One control connection: the requests of one client thread, one after another.

mod requests;

use crate::errno::to_linux;
use crate::process::{Call, Client};
use crate::proto::{Reply, Request, MAGIC};
use crate::proto::{OP_HELLO, OP_INTERRUPT, OP_IOCTL};
use crate::server::Shared;
use crate::sock;
use drm_os_host::{Caller, Mapping};
use requests::dispatch;
use std::mem::size_of;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The largest size of an argument in a request code, rounded up.
const MAX_ARG: usize = 1 << 14;
const HEADER: usize = size_of::<Request>();
/// How long a new connection may take to announce itself.
const HELLO: Duration = Duration::from_secs(5);

enum Running {
    Nothing,
    /// A request that a signal or the client's death may interrupt.
    Request(u64, Caller),
    /// The client is gone.
    Dead,
}

/// The part of a control connection that other threads use.
pub(crate) struct Control {
    pub(crate) client: Arc<Client>,
    /// The client's number of this connection.
    pub(crate) number: u64,
    pub(crate) socket: OwnedFd,
    running: Mutex<Running>,
    /// A request that a signal interrupted before it was received.
    early: AtomicU64,
}

impl Control {
    pub(crate) fn interrupt(&self, seq: u64) {
        match &*self.running.lock().unwrap() {
            Running::Request(now, caller) if *now == seq => caller.interrupt(),
            Running::Nothing => self.early.store(seq, Ordering::Relaxed),
            _ => {}
        }
    }

    /// The client has ended or is to be cut off: its request does not sleep, and no further request
    /// is read.
    pub(crate) fn kill(&self) {
        let before = std::mem::replace(&mut *self.running.lock().unwrap(), Running::Dead);
        if let Running::Request(_, caller) = before {
            caller.kill();
        }
        sock::shutdown(&self.socket);
    }

    /// False if the client has ended.
    fn begin(&self, seq: u64, caller: &Caller) -> bool {
        let mut running = self.running.lock().unwrap();
        let alive = !matches!(*running, Running::Dead);
        if alive {
            *running = Running::Request(seq, caller.clone());
            if self.early.load(Ordering::Relaxed) == seq {
                caller.interrupt();
            }
        }
        alive
    }

    fn end(&self) {
        let mut running = self.running.lock().unwrap();
        if let Running::Request(..) = *running {
            *running = Running::Nothing;
        }
    }
}

/// The parts of a reply besides the header.
#[derive(Default)]
struct Parcel {
    reply: Reply,
    data: usize,
    fds: Vec<OwnedFd>,
    /// Holds the object of a memfd until the client has received it.
    mapping: Option<Mapping>,
}

type Outcome = Result<Parcel, i32>;

/// Serves `socket` until the client closes it.
pub(crate) fn serve(shared: &Arc<Shared>, socket: OwnedFd, pid: i32, uid: u32) {
    let mut buf = vec![0u8; HEADER + MAX_ARG];
    if !sock::readable(&socket, HELLO) {
        return;
    }
    let Some(hello) = receive(&socket, &mut buf) else {
        return;
    };
    if hello.op == OP_INTERRUPT {
        // The connection that it names may have been created at the same time.
        for _ in 0..20 {
            if shared.interrupt(pid, hello.control, hello.seq) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        return;
    }
    let Ok(client) = shared.client(pid, uid) else {
        return;
    };
    if hello.op != OP_HELLO {
        return;
    }
    client.set_comm(&String::from_utf8_lossy(
        &buf[HEADER..HEADER + hello.len as usize],
    ));
    let control = Arc::new(Control {
        client,
        number: hello.control,
        socket,
        running: Mutex::new(Running::Nothing),
        early: AtomicU64::new(0),
    });
    let Ok(id) = shared.add_control(&control) else {
        return;
    };
    let mut cpu = u32::MAX;
    while let Some(request) = receive(&control.socket, &mut buf) {
        if request.cpu != cpu {
            cpu = request.cpu;
            move_to(cpu);
        }
        let call = Arc::new(Call {
            client: control.client.clone(),
            shared: shared.clone(),
            installed: Mutex::default(),
        });
        let caller = Caller::new(&shared.world, call.clone());
        if !control.begin(request.seq, &caller) {
            break;
        }
        let outcome = dispatch(shared, &request, &caller, &call, &mut buf[HEADER..]);
        control.end();
        let mut parcel = outcome.unwrap_or_else(|error| Parcel {
            reply: Reply {
                status: to_linux(error),
                ..Reply::default()
            },
            ..Parcel::default()
        });
        parcel.reply.seq = request.seq;
        parcel.reply.len = parcel.data as u32;
        let body = &buf[HEADER..HEADER + parcel.data];
        if reply(&control.socket, &parcel, body).is_err() {
            break;
        }
    }
    shared.remove_control(id);
}

/// Moves the calling thread to its client's CPU, if the client named one.
fn move_to(cpu: u32) {
    // SAFETY: cpu_set_t is plain data; CPU_SET gets only numbers below its size.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if (cpu as usize) < libc::CPU_SETSIZE as usize {
            libc::CPU_SET(cpu as usize, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
        }
    }
}

/// The next request; None if the client closed the connection or the request is malformed.
fn receive(socket: &OwnedFd, buf: &mut [u8]) -> Option<Request> {
    let n = sock::receive(socket, buf).ok()?;
    if n < HEADER {
        return None;
    }
    // SAFETY: at least a Request, which any bytes are.
    let request = unsafe { buf.as_ptr().cast::<Request>().read_unaligned() };
    let whole = request.len as usize == n - HEADER;
    // QEMU truncates a message where the kernel returns EFAULT.
    let short = request.op == OP_IOCTL && n - HEADER < request.len as usize;
    (request.magic == MAGIC && (whole || short)).then_some(Request {
        len: (n - HEADER) as u32,
        ..request
    })
}

fn reply(socket: &OwnedFd, parcel: &Parcel, body: &[u8]) -> std::io::Result<()> {
    // SAFETY: a Reply has no padding.
    let header = unsafe {
        std::slice::from_raw_parts((&raw const parcel.reply).cast::<u8>(), size_of::<Reply>())
    };
    let memfd = parcel.mapping.as_ref().map(|mapping| mapping.memfd());
    let fds: Vec<_> = parcel
        .fds
        .iter()
        .map(|fd| fd.as_fd())
        .chain(memfd)
        .collect();
    sock::send(socket, header, body, &fds)
}

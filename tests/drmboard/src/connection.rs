// SPDX-License-Identifier: BSD-2-Clause
//! One control connection: the requests of one client thread, one after another.

use crate::errno::{self, to_linux};
use crate::fence_status;
use crate::ioctl_code::Code;
use crate::process::{Call, Client, Installed};
use crate::proto::{Reply, Request, DRM_MAJOR, MAGIC, MAX_FDS};
use crate::proto::{OP_HELLO, OP_INTERRUPT, OP_IOCTL, OP_LINK, OP_MMAP, OP_OPEN, OP_POLL, OP_STAT};
use crate::server::Shared;
use crate::sock;
use drm_os_host::{sys, Caller, Mapping};
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Minor numbers on Linux: primary nodes are 0 to 63, render nodes 128 to 191.
const RENDER_MINORS: std::ops::Range<u32> = 128..192;
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

/// A descriptor of the same memory that the client cannot map writable.
fn read_only(memfd: BorrowedFd<'_>) -> Result<OwnedFd, i32> {
    let again = std::fs::File::open(format!("/proc/self/fd/{}", memfd.as_raw_fd()));
    again
        .map(OwnedFd::from)
        .map_err(|_| sys::DRM_OS_EMFILE as i32)
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

fn dispatch(
    shared: &Arc<Shared>,
    request: &Request,
    caller: &Caller,
    call: &Call,
    buf: &mut [u8],
) -> Outcome {
    match request.op {
        OP_OPEN => open(shared, request.code, caller, call),
        OP_IOCTL => ioctl(shared, request, caller, call, buf),
        OP_MMAP => {
            let open = shared.file(request.key).ok_or(sys::DRM_OS_EBADF as i32)?;
            let mapping = open.file.mmap(request.arg, request.extra)?;
            let reply = Reply {
                fds: 1,
                value: mapping.memfd_offset(),
                ..Reply::default()
            };
            if !open.file.writable() {
                return Ok(Parcel {
                    reply,
                    fds: vec![read_only(mapping.memfd())?],
                    ..Parcel::default()
                });
            }
            Ok(Parcel {
                reply,
                mapping: Some(mapping),
                ..Parcel::default()
            })
        }
        OP_STAT => {
            let open = shared.file(request.key).ok_or(sys::DRM_OS_EBADF as i32)?;
            let size = if open.device == 0 {
                open.file.size().unwrap_or(0)
            } else {
                0
            };
            let reply = Reply {
                value: open.device,
                value2: size,
                value3: open.file.id(),
                ..Reply::default()
            };
            Ok(Parcel {
                reply,
                ..Parcel::default()
            })
        }
        OP_LINK => {
            let open = shared.file(request.key).ok_or(sys::DRM_OS_EBADF as i32)?;
            let link = open.link();
            let room = buf.get_mut(..link.len()).ok_or(sys::DRM_OS_EINVAL as i32)?;
            room.copy_from_slice(link.as_bytes());
            Ok(Parcel {
                data: link.len(),
                ..Parcel::default()
            })
        }
        OP_POLL => {
            let open = shared.file(request.key).ok_or(sys::DRM_OS_EBADF as i32)?;
            let reply = Reply {
                value: open.ask(request.arg != 0).into(),
                ..Reply::default()
            };
            Ok(Parcel {
                reply,
                ..Parcel::default()
            })
        }
        _ => Err(sys::DRM_OS_EINVAL as i32),
    }
}

fn open(shared: &Arc<Shared>, minor: u32, caller: &Caller, call: &Call) -> Outcome {
    let kind = if RENDER_MINORS.contains(&minor) {
        sys::DRM_OS_MINOR_RENDER
    } else {
        sys::DRM_OS_MINOR_PRIMARY
    };
    let result = shared.device.open(kind, caller);
    if let Some(trace) = &shared.trace {
        let (now, pid) = (shared.world.now(), call.client.pid);
        let ret = result.as_ref().err().map_or(0, |error| to_linux(*error));
        trace.line(format_args!("{now} open pid={pid} minor={minor} ret={ret}"));
    }
    let device = libc::makedev(DRM_MAJOR, minor);
    let fd = shared
        .make_file(result?, device, &call.client)
        .map_err(|_| sys::DRM_OS_EMFILE as i32)?;
    let reply = Reply {
        fds: 1,
        cloexec: 1,
        ..Reply::default()
    };
    Ok(Parcel {
        reply,
        fds: vec![fd],
        ..Parcel::default()
    })
}

fn ioctl(
    shared: &Arc<Shared>,
    request: &Request,
    caller: &Caller,
    call: &Call,
    buf: &mut [u8],
) -> Outcome {
    let code = Code(request.code);
    let open = shared.file(request.key).ok_or(sys::DRM_OS_EBADF as i32)?;
    call.client.ioctls.fetch_add(1, Ordering::Relaxed);
    let data = buf
        .get_mut(..code.size())
        .ok_or(sys::DRM_OS_EINVAL as i32)?;
    if !code.copies_in() {
        data.fill(0);
    } else if request.len as usize != data.len() {
        return Err(sys::DRM_OS_EFAULT as i32);
    }
    let asked = fence_status::asked(code, data);
    let result = open.file.ioctl(caller, code.group(), code.nr(), data);
    if let Some(trace) = &shared.trace {
        let ret = result.as_ref().err().map_or(0, |error| to_linux(*error));
        let (now, pid, file) = (shared.world.now(), call.client.pid, open.key);
        let (nr, name, size) = (code.nr(), code.name(&shared.driver), code.size());
        trace.line(format_args!(
            "{now} ioctl pid={pid} file={file} nr=0x{nr:02x} name={name} size={size} ret={ret}"
        ));
    }
    if result.is_err() && wants_screen(code) && call.client.first_without_screen() {
        eprintln!(
            "drmboard: {} (pid {}) asks for a screen, and this board has none: it only \
             renders. A headless compositor shows windows without one, as in mk/session.sh.",
            call.client.comm(),
            call.client.pid
        );
    }
    let installed = std::mem::take(&mut *call.installed.lock().unwrap());
    if let Err(error) = result {
        if code.name(&shared.driver).ends_with("SUBMIT") {
            refused(shared, &call.client, error);
        }
        return Err(error);
    }
    fence_status::translate(code, asked, data, call)?;
    let mut parcel = Parcel {
        data: if code.copies_out() { data.len() } else { 0 },
        ..Parcel::default()
    };
    deliver(shared, call, installed, &data[..parcel.data], &mut parcel)?;
    Ok(parcel)
}

/// Whether the request lists screens or planes: DRM_IOCTL_MODE_GETRESOURCES,
/// DRM_IOCTL_MODE_GETPLANERESOURCES. Clients that only render make neither.
fn wants_screen(code: Code) -> bool {
    code.group() == u32::from(b'd') && matches!(code.nr(), 0xa0 | 0xb5)
}

/// Counts a submit that the driver refused. A client's first is reported at once: programs often
/// ignore the error.
fn refused(shared: &Shared, client: &Client, error: i32) {
    // An interrupted call was not refused; the client repeats it.
    if error == sys::DRM_OS_EINTR as i32 || error == sys::DRM_OS_ERESTART {
        return;
    }
    if client.refused.fetch_add(1, Ordering::Relaxed) != 0 {
        return;
    }
    let (pid, comm) = (client.pid, client.comm());
    let why = errno::describe(to_linux(error));
    let said = format!("process {pid}: ");
    let log = shared.world.log_lines();
    let log = log.iter().rev().find_map(|line| line.split_once(&said));
    let log = log.map(|(_, text)| format!(": {text}")).unwrap_or_default();
    eprintln!("drmboard: a submit is refused ({why}), the first of pid={pid} comm={comm}{log}");
}

/// Creates descriptors for the installed files and finds the offsets of their numbers in the
/// argument.
fn deliver(
    shared: &Arc<Shared>,
    call: &Call,
    installed: Vec<Installed>,
    data: &[u8],
    parcel: &mut Parcel,
) -> Result<(), i32> {
    for Installed {
        token,
        file,
        cloexec,
    } in installed.into_iter().take(MAX_FDS)
    {
        let place = data
            .chunks_exact(4)
            .position(|word| word == token.to_ne_bytes());
        // Without a place for its number the descriptor is unreachable.
        let Some(place) = place else { continue };
        let fd = shared
            .make_file(file, 0, &call.client)
            .map_err(|_| sys::DRM_OS_EMFILE as i32)?;
        let nth = parcel.fds.len();
        parcel.reply.fd_at[nth] = place as u32 * 4;
        parcel.reply.cloexec |= u32::from(cloexec) << nth;
        parcel.reply.fds += 1;
        parcel.fds.push(fd);
    }
    Ok(())
}

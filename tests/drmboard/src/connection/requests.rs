// SPDX-License-Identifier: BSD-2-Clause
//! What the requests of a client do, each with its reply.

use super::{Outcome, Parcel};
use crate::errno::{self, to_linux};
use crate::fence_status;
use crate::ioctl_code::Code;
use crate::process::{Call, Client, Installed};
use crate::proto::{Reply, Request, DRM_MAJOR, MAX_FDS};
use crate::proto::{OP_IOCTL, OP_LINK, OP_MMAP, OP_OPEN, OP_POLL, OP_STAT};
use crate::server::Shared;
use drm_os_host::{sys, Caller};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// Minor numbers on Linux: primary nodes are 0 to 63, render nodes 128 to 191.
const RENDER_MINORS: std::ops::Range<u32> = 128..192;

/// A descriptor of the same memory that the client cannot map writable.
fn read_only(memfd: BorrowedFd<'_>) -> Result<OwnedFd, i32> {
    let again = std::fs::File::open(format!("/proc/self/fd/{}", memfd.as_raw_fd()));
    again
        .map(OwnedFd::from)
        .map_err(|_| sys::DRM_OS_EMFILE as i32)
}

pub(super) fn dispatch(
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

// SPDX-License-Identifier: BSD-2-Clause
//! What no program says: nonsense on the socket, and submits that are refused or fault.

use super::{add, errno, open};
use uapi::{etnaviv, panfrost};

/// Speaks to the server without knowing its language, and goes on as a good client.
pub(super) fn nonsense() {
    let name = std::env::var("DRMBOARD_SOCKET").unwrap();
    let connect = || unsafe {
        let fd = libc::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0);
        let mut addr: libc::sockaddr_un = std::mem::zeroed();
        addr.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (to, from) in addr.sun_path[1..].iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        let len = (3 + name.len()) as libc::socklen_t;
        assert_eq!(libc::connect(fd, (&raw const addr).cast(), len), 0);
        fd
    };
    // One that never speaks, and messages of all sizes.
    let silent = connect();
    for size in [1usize, 55, 64, 72, 200, 16384, 100_000] {
        let fd = connect();
        let bytes = vec![0x5au8; size];
        assert_eq!(
            unsafe { libc::send(fd, bytes.as_ptr().cast(), size, 0) },
            size as isize
        );
        let mut back = [0u8; 16];
        assert_eq!(
            unsafe { libc::recv(fd, back.as_mut_ptr().cast(), 16, 0) },
            0,
            "hung up on {size} bytes"
        );
        unsafe { libc::close(fd) };
    }
    let fd = open(0);
    // A file is no place to write to, nor does that end it.
    let bytes = [1u8; 64];
    unsafe { libc::write(fd, bytes.as_ptr().cast(), 64) };
    add(fd);
    unsafe { libc::close(silent) };
}

/// An ioctl of a real driver: its errno, or its argument afterwards.
fn ioctl<T>(fd: i32, request: uapi::Request<T>, mut arg: T) -> Result<T, i32> {
    match unsafe { libc::ioctl(fd, request.code() as _, &raw mut arg) } {
        0 => Ok(arg),
        _ => Err(errno()),
    }
}

/// Two submits of panfrost's that make no sense.
pub(super) fn refused() {
    let fd = open(0);
    for _ in 0..2 {
        let submit = panfrost::Submit40::default();
        assert_eq!(ioctl(fd, panfrost::SUBMIT_40, submit), Err(libc::EINVAL));
    }
}

/// An unknown command of etnaviv's BLT engine, to its end.
pub(super) fn unknown() {
    let fd = open(0);
    let load = |state: u32, value: u32| [0x0801_0000 | (state / 4), value];
    let stream = [
        load(0x140b8, 1),
        load(0x140ac, 3),
        load(0x14060, 9),
        load(0x140ac, 3),
        load(0x140b8, 0),
    ];
    let submit = etnaviv::GemSubmit {
        stream_size: size_of_val(&stream) as u32,
        stream: stream.as_ptr() as u64,
        flags: etnaviv::SUBMIT_SOFTPIN,
        ..etnaviv::GemSubmit::default()
    };
    let done = ioctl(fd, etnaviv::GEM_SUBMIT, submit).expect("GEM_SUBMIT");
    let wait = etnaviv::WaitFence {
        fence: done.fence,
        timeout: etnaviv::Timespec {
            tv_sec: 1 << 40,
            tv_nsec: 0,
        },
        ..etnaviv::WaitFence::default()
    };
    ioctl(fd, etnaviv::WAIT_FENCE, wait).expect("WAIT_FENCE");
}

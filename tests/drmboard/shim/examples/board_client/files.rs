// SPDX-License-Identifier: BSD-2-Clause
//! What a descriptor of the board says of itself: poll(2), fstat(2), links, terminals.

use super::{abi, add, buffer, errno, map, open, request, NODE};
use std::ffi::CString;
use std::io::Error;
use std::ptr::{null, null_mut};
use std::thread;
use std::time::{Duration, Instant};

pub(super) fn events() {
    let fd = open(0);
    let event = request(fd, abi::EVENT, [0]).expect("EVENT")[0] as i32;
    let other = request(fd, abi::EVENT, [0]).expect("EVENT")[0] as i32;
    assert_ne!(event, other);
    let mut poll = libc::pollfd {
        fd: event,
        events: libc::POLLIN,
        revents: 0,
    };
    assert_eq!(unsafe { libc::poll(&mut poll, 1, 20) }, 0);
    let start = Instant::now();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        request(fd, abi::SIGNAL, []).expect("SIGNAL");
    });
    assert_eq!(unsafe { libc::poll(&mut poll, 1, 5000) }, 1);
    assert_eq!(poll.revents & libc::POLLIN, libc::POLLIN);
    assert!(start.elapsed() >= Duration::from_millis(90));
    thread.join().unwrap();
    // It stays readable, for epoll too, and in a copy.
    let copy = unsafe { libc::dup(other) };
    let epoll = unsafe { libc::epoll_create1(0) };
    let mut want = libc::epoll_event {
        events: libc::EPOLLIN as u32,
        u64: 5,
    };
    assert_eq!(
        unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, copy, &mut want) },
        0
    );
    let mut got = want;
    assert_eq!(unsafe { libc::epoll_wait(epoll, &mut got, 1, 5000) }, 1);
    assert_eq!(unsafe { libc::poll(&mut poll, 1, 0) }, 1);
}

fn link(path: &str) -> String {
    std::fs::read_link(path)
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

/// stat and /proc describe a descriptor as on Linux.
pub(super) fn identity() {
    let fd = open(0);
    let name = format!("/proc/self/fd/{fd}");
    for path in [
        name.clone(),
        format!("/proc/{}/fd/{fd}", std::process::id()),
        format!("/dev/fd/{fd}"),
    ] {
        assert_eq!(link(&path), NODE, "{path}");
        assert_eq!(
            std::fs::canonicalize(&path).unwrap().to_str(),
            Some(NODE),
            "{path}"
        );
    }
    let (path, dir) = (
        CString::new(name.as_str()).unwrap(),
        CString::new("/proc/self/fd").unwrap(),
    );
    let number = CString::new(fd.to_string()).unwrap();
    let mut text = [0u8; 64];
    let at: *mut libc::c_char = text.as_mut_ptr().cast();
    // What does not fit is cut off, without a NUL.
    assert_eq!(unsafe { libc::readlink(path.as_ptr(), at, 8) }, 8);
    assert_eq!(&text[..9], b"/dev/dri\0");
    let dir = unsafe { libc::open(dir.as_ptr(), libc::O_DIRECTORY) };
    assert_eq!(
        unsafe { libc::readlinkat(dir, number.as_ptr(), at, 64) },
        NODE.len() as isize
    );
    assert_eq!(&text[..NODE.len()], NODE.as_bytes());
    let node = CString::new(NODE).unwrap();
    let stat = |fd: i32, path: *const libc::c_char, flags: i32| unsafe {
        let mut st: libc::stat = std::mem::zeroed();
        assert_eq!(libc::fstatat(fd, path, &mut st, flags), 0);
        (
            st.st_dev,
            st.st_ino,
            st.st_mode,
            st.st_rdev,
            st.st_uid,
            st.st_mtime,
        )
    };
    let there = stat(libc::AT_FDCWD, node.as_ptr(), 0);
    assert_eq!(stat(fd, c"".as_ptr(), libc::AT_EMPTY_PATH), there);
    let mut st: libc::stat = unsafe { std::mem::zeroed() };
    assert_eq!(unsafe { libc::fstat(fd, &mut st) }, 0);
    assert_eq!((st.st_dev, st.st_ino), (there.0, there.1));
    let mut stx: libc::statx = unsafe { std::mem::zeroed() };
    let (empty, all) = (c"".as_ptr(), libc::STATX_BASIC_STATS);
    assert_eq!(
        unsafe { libc::statx(fd, empty, libc::AT_EMPTY_PATH, all, &mut stx) },
        0
    );
    let device = libc::makedev(stx.stx_dev_major, stx.stx_dev_minor);
    assert_eq!((device, stx.stx_ino), (there.0, there.1));
    // Opened again by its name in /proc it is another file of the same node, also from a descriptor
    // that is only a place.
    let place = unsafe { libc::open(node.as_ptr(), libc::O_PATH) };
    let handle = buffer(fd, 4096);
    for number in [fd, place] {
        let path = CString::new(format!("/proc/self/fd/{number}")).unwrap();
        let again = unsafe { libc::open(path.as_ptr(), libc::O_RDWR) };
        assert!(again >= 0, "{number}: {}", Error::last_os_error());
        add(again);
        assert_eq!(
            map(again, 4096, handle << 32, libc::MAP_SHARED).cast(),
            libc::MAP_FAILED
        );
    }
    // A dma-buf and a sync_file have a name and no way to open them by it.
    let buf = request(fd, abi::EXPORT, [handle, 1, 0]).expect("EXPORT")[2] as i32;
    let event = request(fd, abi::EVENT, [0]).expect("EVENT")[0] as i32;
    for (number, name) in [(buf, "/dmabuf:"), (event, "anon_inode:sync_file")] {
        let path = format!("/proc/self/fd/{number}");
        assert_eq!(link(&path), name);
        let path = CString::new(path).unwrap();
        assert_eq!(unsafe { libc::open(path.as_ptr(), libc::O_RDWR) }, -1);
        assert_eq!(errno(), libc::ENXIO);
    }
    // Another socket is a socket.
    let mut sockets = [0; 2];
    let kind = libc::SOCK_STREAM;
    assert_eq!(
        unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, sockets.as_mut_ptr()) },
        0
    );
    assert!(link(&format!("/proc/self/fd/{}", sockets[0])).starts_with("socket:["));
}

fn polled(fd: i32) -> [bool; 4] {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let now: libc::timespec = unsafe { std::mem::zeroed() };
    let mut set: libc::fd_set = unsafe { std::mem::zeroed() };
    let mut zero: libc::timeval = unsafe { std::mem::zeroed() };
    unsafe {
        let plain = libc::poll(&mut poll, 1, 0) == 1;
        let timed = libc::ppoll(&mut poll, 1, &now, null()) == 1;
        libc::FD_SET(fd, &mut set);
        let selected = libc::select(fd + 1, &mut set, null_mut(), null_mut(), &mut zero) == 1;
        let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: 0,
        };
        assert_eq!(
            libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event),
            0
        );
        let waited = libc::epoll_wait(epoll, &mut event, 1, 0) == 1;
        libc::close(epoll);
        [plain, timed, selected, waited]
    }
}

/// Files that a request has made ready are ready for every later poll, and those that are no longer
/// ready are not.
pub(super) fn polling() {
    let fd = open(0);
    for round in 0..300 {
        let event = request(fd, abi::EVENT, [0]).expect("EVENT")[0] as i32;
        assert_eq!(polled(event), [false; 4], "{round}: before");
        request(fd, abi::SIGNAL, []).expect("SIGNAL");
        assert_eq!(polled(event), [true; 4], "{round}: signalled");
        request(fd, abi::UNSIGNAL, []).expect("UNSIGNAL");
        assert_eq!(polled(event), [false; 4], "{round}: taken back");
        request(fd, abi::SIGNAL, []).expect("SIGNAL");
        assert_eq!(polled(event), [true; 4], "{round}: signalled again");
        unsafe { libc::close(event) };
    }
}

/// A pseudo-terminal, as terminals and `script` make one.
pub(super) fn terminal() {
    for path in [c"/dev/ptmx", c"/dev/pts/ptmx"] {
        let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_NOCTTY) };
        assert!(fd >= 0, "{path:?}: {}", Error::last_os_error());
        let mut name = [0u8; 64];
        unsafe {
            assert_eq!((libc::grantpt(fd), libc::unlockpt(fd)), (0, 0), "{path:?}");
            assert_eq!(
                libc::ptsname_r(fd, name.as_mut_ptr().cast(), name.len()),
                0,
                "{path:?}"
            );
            let slave = libc::open(name.as_ptr().cast(), libc::O_RDWR | libc::O_NOCTTY);
            assert!(slave >= 0, "{path:?}: {}", Error::last_os_error());
            assert_eq!(
                (
                    libc::isatty(slave),
                    libc::write(slave, b"x".as_ptr().cast(), 1)
                ),
                (1, 1)
            );
            assert_eq!(
                (libc::read(fd, name.as_mut_ptr().cast(), 1), name[0]),
                (1, b'x')
            );
        }
    }
}

/// Of files that only the sysroot has; this machine has no libEGL for arm64.
pub(super) fn asks() {
    extern "C" {
        fn eaccess(path: *const libc::c_char, mode: i32) -> i32;
    }
    let there = c"/usr/lib/aarch64-linux-gnu/libEGL_mesa.so.0".as_ptr();
    let nowhere = c"/usr/lib/aarch64-linux-gnu/libnowhere.so.0".as_ptr();
    unsafe {
        for (path, answer) in [(there, 0), (nowhere, -1)] {
            assert_eq!(libc::access(path, libc::R_OK), answer);
            assert_eq!(eaccess(path, libc::R_OK), answer);
            assert_eq!(
                libc::faccessat(libc::AT_FDCWD, path, libc::R_OK, libc::AT_EACCESS),
                answer
            );
            assert_eq!(libc::faccessat(libc::AT_FDCWD, path, libc::R_OK, 0), answer);
        }
    }
    assert_eq!(errno(), libc::ENOENT);
}

// SPDX-License-Identifier: BSD-2-Clause
//! Client of the toy driver: one system call pattern per word of the command line. It fails by
//! panicking.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "system calls with buffers of the function around them"
)]

#[path = "../../../tests/toy/abi.rs"]
mod abi;

use std::ffi::CString;
use std::io::Error;
use std::process::exit;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use uapi::{etnaviv, panfrost};

const NODE: &str = "/dev/dri/renderD128";

fn errno() -> i32 {
    Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn open(flags: i32) -> i32 {
    let path = CString::new(NODE).unwrap();
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | flags) };
    assert!(fd >= 0, "open: {}", Error::last_os_error());
    fd
}

/// The ioctl's errno, or its argument afterwards.
fn request<const N: usize>(fd: i32, code: u32, mut words: [u64; N]) -> Result<[u64; N], i32> {
    let result = unsafe { libc::ioctl(fd, code as _, words.as_mut_ptr()) };
    if result == 0 {
        Ok(words)
    } else {
        Err(errno())
    }
}

fn add(fd: i32) {
    assert_eq!(request(fd, abi::ADD, [40, 2, 0]), Ok([40, 2, 42]));
}

fn buffer(fd: i32, size: u64) -> u64 {
    request(fd, abi::NEW, [size, 0, 0]).expect("NEW")[1]
}

fn map(fd: i32, len: usize, offset: u64, flags: i32) -> *mut u64 {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    unsafe { libc::mmap(null_mut(), len, prot, flags, fd, offset as i64).cast() }
}

fn shared(fd: i32, len: usize, offset: u64) -> *mut u64 {
    let at = map(fd, len, offset, libc::MAP_SHARED);
    assert_ne!(
        at.cast(),
        libc::MAP_FAILED,
        "mmap: {}",
        Error::last_os_error()
    );
    at
}

/// Runs `f` in a forked child; panics if it fails there.
fn in_child(f: impl FnOnce()) {
    let pid = fork(f);
    assert_eq!(wait(pid), 0, "child");
}

fn fork(f: impl FnOnce()) -> i32 {
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    if pid == 0 {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    pid
}

fn wait(pid: i32) -> i32 {
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    status
}

/// Memory of this process as the device has it, and of a child with a copy of its own.
fn memory() {
    let fd = open(0);
    let at = map(-1, 3 * 4096, 0, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let word = |page: usize| unsafe { at.add(page * 512) };
    let touch =
        |page: usize, pages: u64| request(fd, abi::TOUCH, [word(page) as u64, pages, 0]).map(drop);
    unsafe {
        word(1).write_volatile(41);
        assert_eq!(touch(0, 3), Ok(()));
        in_child(|| {
            assert_eq!(touch(1, 1), Ok(()));
            assert_eq!(word(1).read_volatile(), 43);
        });
        assert_eq!([0, 1, 2].map(|page| word(page).read_volatile()), [1, 42, 1]);
        assert_eq!(libc::mprotect(word(2).cast(), 4096, libc::PROT_READ), 0);
    }
    assert_eq!(touch(1, 2), Err(libc::EFAULT));
    assert_eq!(touch(2, 0), Err(libc::EINVAL));
    assert_eq!(
        request(fd, abi::TOUCH, [word(0) as u64 + 8, 1, 0]).map(drop),
        Err(libc::EINVAL)
    );
    assert_eq!(touch(0, 2), Ok(()));
    assert_eq!(unsafe { word(0).read_volatile() }, 2);
}

fn basics() {
    let fd = open(libc::O_CLOEXEC);
    add(fd);
    let mut st: libc::stat = unsafe { std::mem::zeroed() };
    assert_eq!(unsafe { libc::fstat(fd, &mut st) }, 0);
    assert_eq!(
        (st.st_mode & libc::S_IFMT, st.st_rdev),
        (libc::S_IFCHR, libc::makedev(226, 128))
    );
    let mut stx: libc::statx = unsafe { std::mem::zeroed() };
    let empty = c"".as_ptr();
    assert_eq!(
        unsafe {
            libc::statx(
                fd,
                empty,
                libc::AT_EMPTY_PATH,
                libc::STATX_BASIC_STATS,
                &mut stx,
            )
        },
        0
    );
    assert_eq!((stx.stx_rdev_major, stx.stx_rdev_minor), (226, 128));
    assert_eq!(
        unsafe { libc::fstatat(fd, empty, &mut st, libc::AT_EMPTY_PATH) },
        0
    );
    assert_eq!(st.st_mode & libc::S_IFMT, libc::S_IFCHR);
    assert_eq!(unsafe { libc::fcntl(fd, libc::F_GETFD) }, libc::FD_CLOEXEC);
    let plain = open(0);
    assert_eq!(unsafe { libc::fcntl(plain, libc::F_GETFD) }, 0);
    assert_eq!(unsafe { libc::isatty(fd) }, 0);
    assert_eq!(errno(), libc::ENOTTY);
    assert_eq!(request(fd, 0xc008_647f, [0]), Err(libc::ENOTTY));
    assert!(request(0, abi::ADD, [0; 3]).is_err());
    // FreeBSD EAGAIN and ETIMEDOUT come out as Linux's.
    assert_eq!(request(fd, abi::FAIL, [35]), Err(libc::EAGAIN));
    assert_eq!(request(fd, abi::FAIL, [60]), Err(libc::ETIMEDOUT));
    assert_eq!(unsafe { libc::ioctl(fd, abi::ADD as _, 16usize) }, -1);
    assert_eq!(errno(), libc::EFAULT);
    let from = [7u8; 5000];
    let mut to = [0u8; 5000];
    assert!(request(
        fd,
        abi::COPY,
        [from.as_ptr() as u64, to.as_mut_ptr() as u64, 5000]
    )
    .is_ok());
    assert_eq!(from, to);
    assert_eq!(
        request(fd, abi::COPY, [16, to.as_mut_ptr() as u64, 8]),
        Err(libc::EFAULT)
    );
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    assert_eq!(unsafe { libc::poll(&mut poll, 1, 0) }, 0);
    let missing = CString::new("/dev/dri/card7").unwrap();
    assert_eq!(unsafe { libc::open(missing.as_ptr(), libc::O_RDWR) }, -1);
    assert_eq!(errno(), libc::ENOENT);
    // What libdrm reads of a device.
    let link = std::fs::read_link("/sys/dev/char/226:128/device/subsystem").unwrap();
    assert_eq!(link.file_name().unwrap(), "platform");
    let uevent = std::fs::read_to_string("/sys/dev/char/226:128/device/uevent").unwrap();
    assert!(uevent.contains("OF_COMPATIBLE_0=rockchip,rk3399-mali"));
    let mut nodes: Vec<_> = std::fs::read_dir("/dev/dri")
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    nodes.sort();
    assert_eq!(nodes, ["card0", "renderD128"]);
    assert!(std::path::Path::new("/sys/dev/char/226:0/device/drm/renderD128").is_dir());
    assert!(
        std::path::Path::new("/dev/null").exists()
            && std::path::Path::new("/sys/dev/char/1:3/uevent").exists()
    );
}

fn sharing() {
    const SIZE: usize = 3 << 20;
    let fd = open(0);
    let handle = buffer(fd, SIZE as u64);
    assert_eq!(
        map(fd, SIZE, handle << 32, libc::MAP_PRIVATE).cast(),
        libc::MAP_FAILED
    );
    assert_eq!(errno(), libc::EINVAL);
    assert_eq!(
        map(fd, SIZE + 4096, handle << 32, libc::MAP_SHARED).cast(),
        libc::MAP_FAILED
    );
    let first = shared(fd, SIZE, handle << 32);
    unsafe { first.write_volatile(11) };
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) };
    assert!(copy >= 0 && unsafe { libc::close(fd) } == 0);
    add(copy);
    in_child(|| {
        let again = shared(copy, SIZE, handle << 32);
        assert_eq!(unsafe { again.read_volatile() }, 11);
        unsafe { again.write_volatile(12) };
        unsafe { again.add(SIZE / 8 - 1).write_volatile(99) };
        add(copy);
    });
    assert_eq!(
        unsafe {
            (
                first.read_volatile(),
                first.add(SIZE / 8 - 1).read_volatile(),
            )
        },
        (12, 99)
    );
    // A fixed address, and an offset into the buffer.
    let place = map(-1, 8192, 0, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let prot = libc::PROT_READ;
    let flags = libc::MAP_SHARED | libc::MAP_FIXED;
    let offset = (handle << 32) + SIZE as u64 - 4096;
    let at = unsafe { libc::mmap(place.cast(), 4096, prot, flags, copy, offset as i64) };
    assert_eq!(at, place.cast());
    assert_eq!(unsafe { place.add(511).read_volatile() }, 99);
}

fn send_fd(socket: i32, fd: i32) {
    let mut control = [0u64; 4];
    let mut byte = 1u8;
    let mut iov = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    unsafe {
        let mut msg: libc::msghdr = std::mem::zeroed();
        msg.msg_iov = &mut iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control.as_mut_ptr().cast();
        msg.msg_controllen = libc::CMSG_SPACE(4) as _;
        let cmsg = libc::CMSG_FIRSTHDR(&msg);
        (*cmsg).cmsg_level = libc::SOL_SOCKET;
        (*cmsg).cmsg_type = libc::SCM_RIGHTS;
        (*cmsg).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(cmsg).cast::<i32>().write_unaligned(fd);
        assert_eq!(libc::sendmsg(socket, &msg, 0), 1);
    }
}

fn receive_fd(socket: i32) -> i32 {
    let mut control = [0u64; 4];
    let mut byte = 0u8;
    let mut iov = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    unsafe {
        let mut msg: libc::msghdr = std::mem::zeroed();
        msg.msg_iov = &mut iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control.as_mut_ptr().cast();
        msg.msg_controllen = 32;
        assert_eq!(libc::recvmsg(socket, &mut msg, 0), 1);
        libc::CMSG_DATA(libc::CMSG_FIRSTHDR(&msg))
            .cast::<i32>()
            .read_unaligned()
    }
}

fn passing() {
    let mut sockets = [0; 2];
    assert_eq!(
        unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, sockets.as_mut_ptr()) },
        0
    );
    // The child has never opened the board when it gets the two descriptors.
    let child = fork(|| {
        let node = receive_fd(sockets[1]);
        let buf = receive_fd(sockets[1]);
        add(node);
        let at = shared(buf, 8192, 0);
        assert_eq!(unsafe { at.read_volatile() }, 77);
        unsafe { at.write_volatile(78) };
        let own = open(0);
        let handle = request(own, abi::IMPORT, [buf as u64, 0, 0]).expect("IMPORT")[1];
        let again = shared(own, 8192, handle << 32);
        assert_eq!(unsafe { again.read_volatile() }, 78);
        assert_eq!(request(own, abi::IMPORT, [0, 0, 0]), Err(libc::EINVAL));
        assert_eq!(request(own, abi::IMPORT, [499, 0, 0]), Err(libc::EBADF));
    });
    let fd = open(0);
    let handle = buffer(fd, 8192);
    let buf = request(fd, abi::EXPORT, [handle, 1, 0]).expect("EXPORT")[2] as i32;
    assert_eq!(unsafe { libc::fcntl(buf, libc::F_GETFD) }, libc::FD_CLOEXEC);
    assert_eq!(unsafe { libc::lseek(buf, 0, libc::SEEK_END) }, 8192);
    assert_eq!(unsafe { libc::lseek(buf, 1, libc::SEEK_SET) }, -1);
    let at = shared(buf, 8192, 0);
    unsafe { at.write_volatile(77) };
    send_fd(sockets[0], fd);
    send_fd(sockets[0], buf);
    // In flight they are open, even if all processes close them.
    unsafe { libc::close(fd) };
    unsafe { libc::close(buf) };
    assert_eq!(wait(child), 0);
    assert_eq!(unsafe { at.read_volatile() }, 78);
}

fn events() {
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
fn identity() {
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
fn polling() {
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
fn terminal() {
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
fn asks() {
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

static CAUGHT: AtomicUsize = AtomicUsize::new(0);
extern "C" fn caught(_: i32) {
    CAUGHT.fetch_add(1, Ordering::SeqCst);
}

fn alarm_in_50_ms(flags: i32) {
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = caught as *const () as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(libc::SIGALRM, &action, null_mut()), 0);
        let mut timer: libc::itimerval = std::mem::zeroed();
        timer.it_value.tv_usec = 50_000;
        assert_eq!(libc::setitimer(libc::ITIMER_REAL, &timer, null_mut()), 0);
    }
}

fn blocked(fd: i32) -> u64 {
    request(fd, abi::STATE, [0]).expect("STATE")[0]
}

fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn signals() {
    let fd = open(0);
    alarm_in_50_ms(0);
    assert_eq!(request(fd, abi::BLOCK, []), Err(libc::EINTR));
    assert_eq!((CAUGHT.load(Ordering::SeqCst), blocked(fd)), (1, 0));
    add(fd);
    // With SA_RESTART the request goes on.
    let mut mask: libc::sigset_t = unsafe { std::mem::zeroed() };
    unsafe { libc::sigaddset(&mut mask, libc::SIGALRM) };
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &mask, null_mut()) };
    let waker = thread::spawn(move || {
        until("signal", || CAUGHT.load(Ordering::SeqCst) == 2);
        assert_eq!(blocked(fd), 1);
        request(fd, abi::WAKE, []).expect("WAKE");
    });
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &mask, null_mut()) };
    alarm_in_50_ms(libc::SA_RESTART);
    assert_eq!(request(fd, abi::BLOCK, []), Ok([]));
    waker.join().unwrap();
}

fn killed() {
    let fd = open(0);
    let child = fork(|| {
        let own = open(0);
        let handle = buffer(own, 1 << 20);
        shared(own, 1 << 20, handle << 32);
        request(own, abi::EXPORT, [handle, 0, 0]).expect("EXPORT");
        request(own, abi::EVENT, [0]).expect("EVENT");
        for _ in 0..2 {
            thread::spawn(move || request(own, abi::BLOCK, []));
        }
        let _ = request(own, abi::BLOCK, []);
    });
    // A grandchild that keeps copies of everything must not keep the dead alive.
    until("three threads block", || blocked(fd) == 3);
    unsafe { libc::kill(child, libc::SIGKILL) };
    assert_eq!(wait(child) & 0x7f, libc::SIGKILL);
    until("none blocks", || blocked(fd) == 0);
}

/// A thread blocks, another forks a child that lives on; then the process is killed.
fn orphaned() {
    let fd = open(0);
    let mut sockets = [0; 2];
    assert_eq!(
        unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, sockets.as_mut_ptr()) },
        0
    );
    let child = fork(|| {
        thread::spawn(move || request(fd, abi::BLOCK, []));
        until("it blocks", || blocked(fd) == 1);
        fork(|| {
            let mut byte = 0u8;
            unsafe { libc::read(sockets[1], (&raw mut byte).cast(), 1) };
        });
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    });
    assert_eq!(wait(child) & 0x7f, libc::SIGKILL);
    until("none blocks", || blocked(fd) == 0);
    assert_eq!(
        unsafe { libc::write(sockets[0], [0u8].as_ptr().cast(), 1) },
        1
    );
}

fn threads() {
    let fd = open(0);
    let workers: Vec<_> = (0..16)
        .map(|i| {
            thread::spawn(move || {
                for n in 0..100u64 {
                    assert_eq!(request(fd, abi::ADD, [n, i, 0]), Ok([n, i, n + i]));
                }
                let own = open(libc::O_CLOEXEC);
                let handle = buffer(own, 4096);
                unsafe { shared(own, 4096, handle << 32).write_volatile(i) };
                unsafe { libc::close(own) };
            })
        })
        .collect();
    workers
        .into_iter()
        .for_each(|worker| worker.join().unwrap());
}

fn processes(count: usize) {
    let fd = open(0);
    let children: Vec<_> = (0..count)
        .map(|_| {
            fork(|| {
                add(fd);
                let own = open(0);
                add(own);
            })
        })
        .collect();
    assert!(children.into_iter().all(|child| wait(child) == 0));
}

fn run(path: &str, args: &[&str], exec: impl Fn(*const libc::c_char, *const *const libc::c_char)) {
    let path = CString::new(path).unwrap();
    let args: Vec<_> = args.iter().map(|arg| CString::new(*arg).unwrap()).collect();
    let mut argv: Vec<_> = args.iter().map(|arg| arg.as_ptr()).collect();
    argv.push(null());
    in_child(|| exec(path.as_ptr(), argv.as_ptr()));
}

fn exec() {
    let own = std::env::args().next().unwrap();
    let fd = open(0);
    let number = fd.to_string();
    let inherit = [own.as_str(), "inherit", &number];
    run(&own, &inherit, |path, argv| unsafe {
        libc::execv(path, argv);
    });
    // An empty environment: the shim puts back what it lives by.
    run(&own, &inherit, |path, argv| unsafe {
        libc::execve(path, argv, [null()].as_ptr());
    });
    run(&own, &inherit, |path, argv| unsafe {
        let a = std::slice::from_raw_parts(argv, 3);
        libc::execl(path, a[0], a[1], a[2], null::<libc::c_char>());
    });
    run(
        &own,
        &[&own, "many", "1", "2", "3", "4", "5", "6", "7", "8"],
        |path, argv| unsafe {
            let a = std::slice::from_raw_parts(argv, 10);
            let end = null::<libc::c_char>();
            let env = [c"X=1".as_ptr(), null()];
            libc::execle(
                path,
                a[0],
                a[1],
                a[2],
                a[3],
                a[4],
                a[5],
                a[6],
                a[7],
                a[8],
                a[9],
                end,
                env.as_ptr(),
            );
        },
    );
    run(&own, &inherit, |path, argv| unsafe {
        libc::execvp(path, argv);
    });
    let path = CString::new(own.as_str()).unwrap();
    let word = CString::new("basics").unwrap();
    let mut pid = 0;
    let argv = [path.as_ptr(), word.as_ptr(), null()];
    extern "C" {
        static environ: *const *mut libc::c_char;
    }
    let argv: Vec<*mut libc::c_char> = argv.iter().map(|arg| arg.cast_mut()).collect();
    let spawned = unsafe {
        libc::posix_spawn(
            &mut pid,
            path.as_ptr(),
            null(),
            null(),
            argv.as_ptr(),
            environ,
        )
    };
    assert_eq!(spawned, 0);
    assert_eq!(wait(pid), 0);
    // Programs of the host run as well.
    run("true", &["true"], |path, argv| unsafe {
        libc::execvp(path, argv);
    });
}

fn closed() {
    let fd = open(0);
    add(fd);
    // A daemon closes all it does not know, the shim's own descriptors too.
    assert_eq!(
        unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) },
        0
    );
    let again = open(0);
    add(again);
    // Something else under the number of the shim's descriptor.
    for number in 490..520 {
        unsafe { libc::dup2(0, number) };
    }
    add(again);
}

/// Speaks to the server without knowing its language, and goes on as a good client.
fn nonsense() {
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

fn latency() {
    let fd = open(0);
    add(fd);
    let count = 20_000u32;
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..count / 5 {
            add(fd);
        }
        best = best.min(start.elapsed() / (count / 5));
    }
    println!(
        "round trip of a trivial ioctl: {:.1} us",
        best.as_nanos() as f64 / 1000.0
    );
}

/// Leaves a process running that holds a file for some time.
fn linger(ms: u64) {
    fork(|| {
        let fd = open(0);
        // Who waits for the end of our output is not to wait for this process.
        unsafe { (libc::close(1), libc::close(2)) };
        thread::sleep(Duration::from_millis(ms));
        add(fd);
    });
    thread::sleep(Duration::from_millis(200));
}

/// An ioctl of a real driver: its errno, or its argument afterwards.
fn ioctl<T>(fd: i32, request: uapi::Request<T>, mut arg: T) -> Result<T, i32> {
    match unsafe { libc::ioctl(fd, request.code() as _, &raw mut arg) } {
        0 => Ok(arg),
        _ => Err(errno()),
    }
}

/// Two submits of panfrost's that make no sense.
fn refused() {
    let fd = open(0);
    for _ in 0..2 {
        let submit = panfrost::Submit40::default();
        assert_eq!(ioctl(fd, panfrost::SUBMIT_40, submit), Err(libc::EINVAL));
    }
}

/// An unknown command of etnaviv's BLT engine, to its end.
fn unknown() {
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

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args[1].as_str() {
        "basics" => basics(),
        "sharing" => sharing(),
        "memory" => memory(),
        "passing" => passing(),
        "events" => events(),
        "screen" => {
            // What lists the screens of a card, twice.
            let fd = open(0);
            assert!((0..2).all(|_| request(fd, 0xc040_64a0, [0; 8]).is_err()));
        }
        "refused" => refused(),
        "unknown" => unknown(),
        "identity" => identity(),
        "polling" => polling(),
        "terminal" => terminal(),
        "asks" => asks(),
        "signals" => signals(),
        "killed" => killed(),
        "orphaned" => orphaned(),
        "threads" => threads(),
        "processes" => processes(args[2].parse().unwrap()),
        "exec" => exec(),
        "inherit" => add(args[2].parse().unwrap()),
        "many" => assert_eq!(args[2..], ["1", "2", "3", "4", "5", "6", "7", "8"]),
        "closed" => closed(),
        "nonsense" => nonsense(),
        "latency" => latency(),
        "linger" => linger(args[2].parse().unwrap()),
        "exit" => exit(args[2].parse().unwrap()),
        "sleep" => thread::sleep(Duration::from_secs(60)),
        "signal" => unsafe {
            libc::raise(libc::SIGTERM);
        },
        other => panic!("unknown word {other}"),
    }
}

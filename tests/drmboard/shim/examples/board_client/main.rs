// SPDX-License-Identifier: BSD-2-Clause
//! Client of the toy driver: one system call pattern per word of the command line. It fails by
//! panicking.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "system calls with buffers of the function around them"
)]

#[path = "../../../tests/toy/abi.rs"]
mod abi;

mod buffers;
mod files;
mod hostile;
mod processes;

use std::ffi::CString;
use std::io::Error;
use std::process::exit;
use std::ptr::null_mut;
use std::thread;
use std::time::{Duration, Instant};

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

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args[1].as_str() {
        "basics" => basics(),
        "sharing" => buffers::sharing(),
        "memory" => buffers::memory(),
        "passing" => buffers::passing(),
        "events" => files::events(),
        "screen" => {
            // What lists the screens of a card, twice.
            let fd = open(0);
            assert!((0..2).all(|_| request(fd, 0xc040_64a0, [0; 8]).is_err()));
        }
        "refused" => hostile::refused(),
        "unknown" => hostile::unknown(),
        "identity" => files::identity(),
        "polling" => files::polling(),
        "terminal" => files::terminal(),
        "asks" => files::asks(),
        "signals" => processes::signals(),
        "killed" => processes::killed(),
        "orphaned" => processes::orphaned(),
        "threads" => processes::threads(),
        "processes" => processes::processes(args[2].parse().unwrap()),
        "exec" => processes::exec(),
        "inherit" => add(args[2].parse().unwrap()),
        "many" => assert_eq!(args[2..], ["1", "2", "3", "4", "5", "6", "7", "8"]),
        "closed" => processes::closed(),
        "nonsense" => hostile::nonsense(),
        "latency" => latency(),
        "linger" => processes::linger(args[2].parse().unwrap()),
        "exit" => exit(args[2].parse().unwrap()),
        "sleep" => thread::sleep(Duration::from_secs(60)),
        "signal" => unsafe {
            libc::raise(libc::SIGTERM);
        },
        other => panic!("unknown word {other}"),
    }
}

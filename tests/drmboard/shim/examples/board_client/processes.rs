// SPDX-License-Identifier: BSD-2-Clause
//! Signals, threads, and processes that fork, execute and die.

use super::{abi, add, buffer, fork, in_child, open, request, shared, wait};
use std::ffi::CString;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

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

pub(super) fn signals() {
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

pub(super) fn killed() {
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
pub(super) fn orphaned() {
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

pub(super) fn threads() {
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

pub(super) fn processes(count: usize) {
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

pub(super) fn exec() {
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

pub(super) fn closed() {
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

/// Leaves a process running that holds a file for some time.
pub(super) fn linger(ms: u64) {
    fork(|| {
        let fd = open(0);
        // Who waits for the end of our output is not to wait for this process.
        unsafe { (libc::close(1), libc::close(2)) };
        thread::sleep(Duration::from_millis(ms));
        add(fd);
    });
    thread::sleep(Duration::from_millis(200));
}

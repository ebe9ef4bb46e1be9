// SPDX-License-Identifier: BSD-2-Clause
//! Sync objects: every ioctl, every wait, and descriptors of both kinds.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/drm_syncobj.c; the function is named in each description.
//! The driver has no timelines.

use atf::drm::{deadline_ns, now_ns, Node, BAD_ADDRESS};
use atf::mali::Chain;
use atf::process::{channel, fork, open_descriptors, Exit};
use atf::{case, require, require_eq, require_errno, require_ok, Ctx, Sys};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;
use uapi::core::*;

/// Jobs that do nothing, long enough to be observed while they run.
const LONG: usize = 20_000;
const UNKNOWN: u32 = 77;

fn render() -> Node {
    require_ok!(Node::render())
}

fn wait_request(node: &Node, mut arg: SyncobjWait) -> Sys<u32> {
    node.ioctl(SYNCOBJ_WAIT, &mut arg)
        .map(|_| arg.first_signaled)
}

/// What two array ioctls share.
const ARRAYS: [uapi::Request<SyncobjArray>; 2] = [SYNCOBJ_RESET, SYNCOBJ_SIGNAL];

fn create(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    require!(empty.handle != 0 && signalled.handle != 0 && empty.handle != signalled.handle);
    require_errno!(empty.wait(0, 0), libc::EINVAL);
    require_ok!(signalled.wait(0, 0));
    for flags in [2, 3, 1 << 31] {
        let mut arg = SyncobjCreate { handle: 7, flags };
        require_errno!(node.ioctl(SYNCOBJ_CREATE, &mut arg), libc::EINVAL);
        require_eq!(arg.handle, 7);
    }
    require_errno!(
        node.ioctl_raw(SYNCOBJ_CREATE.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

fn destroy(_: &Ctx) {
    let (node, other) = (render(), render());
    let syncobj = require_ok!(node.syncobj(0));
    let handle = syncobj.handle;
    require_errno!(
        node.ioctl(SYNCOBJ_DESTROY, &mut SyncobjDestroy { handle, pad: 1 }),
        libc::EINVAL
    );
    require_errno!(other.syncobj_destroy(handle), libc::EINVAL);
    require_errno!(syncobj.wait(0, SYNCOBJ_WAIT_FOR_SUBMIT), libc::ETIME);
    require_ok!(node.syncobj_destroy(handle));
    for gone in [handle, 0, UNKNOWN, u32::MAX] {
        require_errno!(node.syncobj_destroy(gone), libc::EINVAL);
    }
    require_errno!(
        node.ioctl_raw(SYNCOBJ_DESTROY.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

fn handles_are_not_buffers(_: &Ctx) {
    let node = render();
    let syncobj = require_ok!(node.syncobj(0));
    require_errno!(node.gem_close(syncobj.handle), libc::EINVAL);
    let bo = require_ok!(node.bo(4096, 0));
    // The numbers may be the same; the tables are not.
    require_ok!(node.syncobj_destroy(syncobj.handle));
    require_errno!(node.syncobj_destroy(bo.handle), libc::EINVAL);
    require_eq!(node.live_handles(), [bo.handle]);
}

fn wait_errors(_: &Ctx) {
    let node = render();
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let handles = [signalled.handle, UNKNOWN];
    let good = SyncobjWait {
        handles: handles.as_ptr() as u64,
        count_handles: 1,
        ..SyncobjWait::default()
    };
    require_eq!(wait_request(&node, good), Ok(0));
    for flags in [SYNCOBJ_WAIT_AVAILABLE, 8, 1 << 31 | SYNCOBJ_WAIT_ALL] {
        require_errno!(
            wait_request(&node, SyncobjWait { flags, ..good }),
            libc::EINVAL
        );
    }
    require_errno!(
        wait_request(
            &node,
            SyncobjWait {
                count_handles: 0,
                ..good
            }
        ),
        libc::EINVAL
    );
    require_errno!(
        wait_request(
            &node,
            SyncobjWait {
                count_handles: 2,
                ..good
            }
        ),
        libc::ENOENT
    );
    let bad = BAD_ADDRESS as u64;
    require_errno!(
        wait_request(
            &node,
            SyncobjWait {
                handles: bad,
                ..good
            }
        ),
        libc::EFAULT
    );
    require_errno!(
        wait_request(&node, SyncobjWait { handles: 0, ..good }),
        libc::EFAULT
    );
    // The padding is not checked.
    require_eq!(wait_request(&node, SyncobjWait { pad: 5, ..good }), Ok(0));
}

fn wait_absurd_count(_: &Ctx) {
    let node = render();
    let handles = [1u32; 4];
    for count_handles in [u32::MAX, 1 << 30] {
        let handles = handles.as_ptr() as u64;
        let arg = SyncobjWait {
            handles,
            count_handles,
            ..SyncobjWait::default()
        };
        require_errno!(wait_request(&node, arg), libc::ENOMEM);
    }
}

fn wait_of_empty(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let both = [signalled.handle, empty.handle];
    // One without a fence spoils it, even if another would do.
    require_errno!(node.syncobj_wait(&both, 0, 0), libc::EINVAL);
    require_errno!(
        node.syncobj_wait(&both, i64::MAX, SYNCOBJ_WAIT_ALL),
        libc::EINVAL
    );
    let late = SYNCOBJ_WAIT_FOR_SUBMIT;
    require_eq!(node.syncobj_wait(&both, 0, late), Ok(0));
    require_errno!(
        node.syncobj_wait(&both, 0, late | SYNCOBJ_WAIT_ALL),
        libc::ETIME
    );
    require_errno!(empty.wait(0, late), libc::ETIME);
}

fn wait_any_and_all(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let (e, s) = (empty.handle, signalled.handle);
    let late = SYNCOBJ_WAIT_FOR_SUBMIT;
    require_eq!(node.syncobj_wait(&[e, s], 0, late), Ok(1));
    require_eq!(node.syncobj_wait(&[e, e, s, s], 0, late), Ok(2));
    require_eq!(node.syncobj_wait(&[s, s], 0, SYNCOBJ_WAIT_ALL), Ok(0));
    require_eq!(node.syncobj_wait(&[s], i64::MAX, SYNCOBJ_WAIT_ALL), Ok(0));
    let many = vec![s; 1000];
    require_eq!(node.syncobj_wait(&many, 0, SYNCOBJ_WAIT_ALL), Ok(0));
}

fn wait_deadline(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let late = SYNCOBJ_WAIT_FOR_SUBMIT;
    for past in [0, 1, -1, i64::MIN, now_ns() - 1] {
        require_errno!(empty.wait(past, late), libc::ETIME);
    }
    let start = now_ns();
    require_errno!(empty.wait(deadline_ns(20), late), libc::ETIME);
    let waited = now_ns() - start;
    require!(
        (20_000_000..500_000_000).contains(&waited),
        "waited {waited} ns"
    );
}

fn wait_for_submit(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            empty.signal()
        });
        let start = now_ns();
        require_eq!(
            empty.wait(deadline_ns(5000), SYNCOBJ_WAIT_FOR_SUBMIT),
            Ok(0)
        );
        require!(now_ns() - start < 4_000_000_000);
    });
    // Of several, the one that comes.
    let other = require_ok!(node.syncobj(0));
    let third = require_ok!(node.syncobj(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            other.signal()
        });
        let handles = [third.handle, other.handle];
        require_eq!(
            node.syncobj_wait(&handles, deadline_ns(5000), SYNCOBJ_WAIT_FOR_SUBMIT),
            Ok(1)
        );
    });
}

fn wait_for_submit_of_all(_: &Ctx) {
    let node = render();
    let both = [require_ok!(node.syncobj(0)), require_ok!(node.syncobj(0))];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for syncobj in &both {
                std::thread::sleep(Duration::from_millis(15));
                require_ok!(syncobj.signal());
            }
        });
        let flags = SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_ALL;
        require_ok!(node.syncobj_wait(&[both[0].handle, both[1].handle], deadline_ns(5000), flags));
        require_ok!(both[1].wait(0, 0));
    });
}

fn wait_for_job(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let out = require_ok!(node.syncobj(0));
    let mut work = chain.work();
    work.out_sync = out.handle;
    require_ok!(node.submit(&work));
    require_errno!(out.wait(0, 0), libc::ETIME);
    require_errno!(out.wait(deadline_ns(5), 0), libc::ETIME);
    require_eq!(out.wait(deadline_ns(5000), 0), Ok(0));
    require_eq!(out.wait(0, 0), Ok(0));
    require_eq!(out.status(), Ok(1));
}

fn wait_for_submitted_job(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let out = require_ok!(node.syncobj(0));
    let mut work = chain.work();
    work.out_sync = out.handle;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            node.submit(&work)
        });
        // The fence comes with the submit, the end with the job.
        require_eq!(out.wait(deadline_ns(5000), SYNCOBJ_WAIT_FOR_SUBMIT), Ok(0));
        require_eq!(chain.last_status(), 1);
    });
}

extern "C" fn ignore(_: i32) {}

fn wait_interrupted(_: &Ctx) {
    let mut child = require_ok!(fork(|| {
        let node = render();
        let empty = require_ok!(node.syncobj(0));
        // SAFETY: all zero is a valid sigaction: no flags, so no restart.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = ignore as extern "C" fn(i32) as usize;
        let timer = libc::itimerval {
            it_interval: libc::timeval {
                tv_sec: 0,
                tv_usec: 0,
            },
            it_value: libc::timeval {
                tv_sec: 0,
                tv_usec: 20_000,
            },
        };
        // SAFETY: both structures live through the calls.
        unsafe {
            libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
            libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
        }
        require_errno!(
            empty.wait(deadline_ns(5000), SYNCOBJ_WAIT_FOR_SUBMIT),
            libc::EINTR
        );
        0
    }));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
}

fn killed_waiter(_: &Ctx) {
    let node = render();
    let shared = require_ok!(node.syncobj(0));
    let mut child = require_ok!(fork(|| {
        let _ = shared.wait(i64::MAX, SYNCOBJ_WAIT_FOR_SUBMIT);
        0
    }));
    require_eq!(require_ok!(child.wait_for(Duration::from_millis(50))), None);
    require_ok!(child.kill(libc::SIGKILL));
    let exit = require_ok!(child.wait_for(Duration::from_secs(2)));
    require_eq!(exit, Some(Exit::Signal(libc::SIGKILL)));
    require_ok!(shared.signal());
    require_ok!(shared.wait(0, 0));
}

fn reset_and_signal(_: &Ctx) {
    let node = render();
    let objects = [
        require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED)),
        require_ok!(node.syncobj(0)),
    ];
    let handles = [objects[0].handle, objects[1].handle, objects[0].handle];
    require_ok!(node.syncobj_signal(&handles));
    require_ok!(node.syncobj_wait(&handles, 0, SYNCOBJ_WAIT_ALL));
    require_ok!(node.syncobj_signal(&handles));
    require_ok!(node.syncobj_reset(&handles));
    for object in &objects {
        require_errno!(object.wait(0, 0), libc::EINVAL);
    }
    require_ok!(node.syncobj_reset(&handles));
}

fn array_errors(_: &Ctx) {
    let node = render();
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let empty = require_ok!(node.syncobj(0));
    let handles = [signalled.handle, empty.handle, UNKNOWN];
    for request in ARRAYS {
        let good = SyncobjArray {
            handles: handles.as_ptr() as u64,
            count_handles: 3,
            ..SyncobjArray::default()
        };
        let call = |mut arg| node.ioctl(request, &mut arg);
        require_errno!(
            call(SyncobjArray {
                pad: 1,
                count_handles: 2,
                ..good
            }),
            libc::EINVAL
        );
        require_errno!(
            call(SyncobjArray {
                count_handles: 0,
                ..good
            }),
            libc::EINVAL
        );
        require_errno!(
            call(SyncobjArray {
                handles: BAD_ADDRESS as u64,
                ..good
            }),
            libc::EFAULT
        );
        // All handles are looked up before the first is touched.
        require_errno!(call(good), libc::ENOENT);
        require_ok!(signalled.wait(0, 0));
        require_errno!(empty.wait(0, 0), libc::EINVAL);
    }
}

fn export(_: &Ctx) {
    let (node, other) = (render(), render());
    let first = require_ok!(node.syncobj(0));
    let fd = require_ok!(first.export());
    // SAFETY: F_GETFD takes no argument.
    require_eq!(
        unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) },
        libc::FD_CLOEXEC
    );
    let second = require_ok!(other.syncobj_import(&fd));
    let third = require_ok!(node.syncobj_import(&fd));
    require!(third.handle != first.handle, "each import makes a handle");
    drop(fd);
    require_ok!(first.signal());
    require_ok!(second.wait(0, 0));
    require_ok!(third.wait(0, 0));
    drop(first);
    require_ok!(second.reset());
    require_errno!(third.wait(0, 0), libc::EINVAL);
}

fn export_to_process(_: &Ctx) {
    let (ours, theirs) = require_ok!(channel());
    let mut child = require_ok!(fork(move || {
        let (_, fd) = require_ok!(theirs.receive(&mut [0; 8]));
        let node = render();
        let syncobj = require_ok!(node.syncobj_import(&fd.unwrap()));
        require_eq!(
            syncobj.wait(deadline_ns(5000), SYNCOBJ_WAIT_FOR_SUBMIT),
            Ok(0)
        );
        0
    }));
    let node = render();
    let syncobj = require_ok!(node.syncobj(0));
    let fd = require_ok!(syncobj.export());
    require_ok!(ours.send(b"syncobj", Some(fd.as_fd())));
    require_eq!(require_ok!(child.wait_for(Duration::from_millis(30))), None);
    require_ok!(syncobj.signal());
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
}

fn export_errors(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let before = open_descriptors();
    require_errno!(node.syncobj_fd(UNKNOWN, 0), libc::EINVAL);
    require_errno!(node.syncobj_fd(0, 0), libc::EINVAL);
    require_errno!(node.syncobj_fd(UNKNOWN, SYNCOBJ_SYNC_FILE), libc::ENOENT);
    require_errno!(empty.sync_file(), libc::EINVAL);
    for request in [SYNCOBJ_HANDLE_TO_FD, SYNCOBJ_FD_TO_HANDLE] {
        for (flags, pad) in [(2, 0), (3, 0), (1 << 31, 0), (0, 1), (1, 1)] {
            let mut arg = SyncobjHandle {
                handle: empty.handle,
                flags,
                fd: 7,
                pad,
            };
            require_errno!(node.ioctl(request, &mut arg), libc::EINVAL);
            require_eq!((arg.handle, arg.fd), (empty.handle, 7));
        }
        require_errno!(node.ioctl_raw(request.code(), BAD_ADDRESS), libc::EFAULT);
    }
    require_eq!(open_descriptors(), before);
}

/// A number that is no descriptor.
struct Number(i32);

impl AsRawFd for Number {
    fn as_raw_fd(&self) -> i32 {
        self.0
    }
}

fn import_errors(_: &Ctx) {
    let node = render();
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let bo = require_ok!(node.bo(4096, 0));
    let fence = require_ok!(signalled.sync_file());
    let object = require_ok!(signalled.export());
    let neither = [
        require_ok!(Node::open("/dev/null")),
        require_ok!(node.duplicate()),
        require_ok!(node.export(bo.handle, libc::O_CLOEXEC)),
    ];
    for other in &neither {
        require_errno!(node.syncobj_import(other), libc::EINVAL);
        require_errno!(
            node.syncobj_import_fence(signalled.handle, other),
            libc::EINVAL
        );
    }
    for number in [-1, 9999] {
        require_errno!(node.syncobj_import(&Number(number)), libc::EINVAL);
        require_errno!(
            node.syncobj_import_fence(signalled.handle, &Number(number)),
            libc::EINVAL
        );
    }
    // Each kind is not the other.
    require_errno!(node.syncobj_import(&fence), libc::EINVAL);
    require_errno!(
        node.syncobj_import_fence(signalled.handle, &object),
        libc::EINVAL
    );
    // The descriptor is checked before the handle.
    require_errno!(node.syncobj_import_fence(UNKNOWN, &object), libc::EINVAL);
    require_errno!(node.syncobj_import_fence(UNKNOWN, &fence), libc::ENOENT);
    require_ok!(signalled.wait(0, 0));
}

fn fences_travel(_: &Ctx) {
    let (node, other) = (render(), render());
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let out = require_ok!(node.syncobj(0));
    let mut work = chain.work();
    work.out_sync = out.handle;
    require_ok!(node.submit(&work));
    let fd = require_ok!(out.sync_file());
    // A sync_file is the fence of that moment: what happens to the object later is not its
    // business.
    require_ok!(out.reset());
    let theirs = require_ok!(other.syncobj(SYNCOBJ_CREATE_SIGNALED));
    require_ok!(other.syncobj_import_fence(theirs.handle, &fd));
    require_errno!(theirs.wait(0, 0), libc::ETIME);
    require_ok!(theirs.wait(deadline_ns(5000), 0));
    require_eq!(chain.last_status(), 1);
    require_errno!(out.wait(0, 0), libc::EINVAL);
}

fn other_requests(_: &Ctx) {
    let node = render();
    let fd = require_ok!(require_ok!(node.syncobj(0)).export());
    let mut arg = [0u64; 8];
    for code in [VERSION.code(), 0x4008_6200, 0xc038_3e04] {
        require_errno!(fd.ioctl_raw(code, arg.as_mut_ptr() as usize), libc::ENOTTY);
    }
    require_errno!(fd.map(0, 4096), libc::ENODEV);
}

fn timelines(_: &Ctx) {
    let node = render();
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let handles = [signalled.handle];
    let handles = handles.as_ptr() as u64;
    let points = [0u64];
    let points = points.as_ptr() as u64;
    let mut wait = SyncobjTimelineWait {
        handles,
        points,
        count_handles: 1,
        ..Default::default()
    };
    require_errno!(
        node.ioctl(SYNCOBJ_TIMELINE_WAIT, &mut wait),
        libc::EOPNOTSUPP
    );
    let mut array = SyncobjTimelineArray {
        handles,
        points,
        count_handles: 1,
        flags: 0,
    };
    require_errno!(node.ioctl(SYNCOBJ_QUERY, &mut array), libc::EOPNOTSUPP);
    require_errno!(
        node.ioctl(SYNCOBJ_TIMELINE_SIGNAL, &mut array),
        libc::EOPNOTSUPP
    );
    let mut transfer = SyncobjTransfer {
        src_handle: 1,
        dst_handle: 1,
        pad: 9,
        ..Default::default()
    };
    require_errno!(
        node.ioctl(SYNCOBJ_TRANSFER, &mut transfer),
        libc::EOPNOTSUPP
    );
}

fn newer_structures(_: &Ctx) {
    let node = render();
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    // Linux 6.8 appended a timeline point to drm_syncobj_handle, 6.9 a deadline to
    // drm_syncobj_wait.
    let mut words = [signalled.handle, 0, 0, 0, 0, 0];
    let longer = SYNCOBJ_HANDLE_TO_FD.code() & !(0x3fff << 16) | 24 << 16;
    require_ok!(node.ioctl_raw(longer, words.as_mut_ptr() as usize));
    // SAFETY: the descriptor is new and has no other owner.
    unsafe { libc::close(words[2] as i32) };
    words[4] = 1;
    require_errno!(
        node.ioctl_raw(longer, words.as_mut_ptr() as usize),
        libc::EINVAL
    );
    let handles = [signalled.handle];
    let mut wait = [handles.as_ptr() as u64, 0, 1, 0, 0];
    let longer = SYNCOBJ_WAIT.code() & !(0x3fff << 16) | 40 << 16;
    require_ok!(node.ioctl_raw(longer, wait.as_mut_ptr() as usize));
    wait[4] = 5;
    require_errno!(
        node.ioctl_raw(longer, wait.as_mut_ptr() as usize),
        libc::EINVAL
    );
}

fn main() {
    let cases = [
        case!(
            "create",
            "drm_syncobj_create_ioctl: empty, signalled, EINVAL for other flags",
            create
        ),
        case!(
            "destroy",
            "drm_syncobj_destroy_ioctl: EINVAL for padding and unknown handles",
            destroy
        ),
        case!(
            "handles_are_not_buffers",
            "drm_syncobj_get_handle: a table of its own",
            handles_are_not_buffers
        ),
        case!(
            "wait_errors",
            "drm_syncobj_wait_ioctl: EINVAL, ENOENT, EFAULT",
            wait_errors
        ),
        case!(
            "wait_absurd_count",
            "drm_syncobj_array_find: ENOMEM for more than memory",
            wait_absurd_count
        ),
        case!(
            "wait_of_empty",
            "drm_syncobj_array_wait_timeout: EINVAL without a fence",
            wait_of_empty
        ),
        case!(
            "wait_any_and_all",
            "drm_syncobj_array_wait_timeout: which one is reported",
            wait_any_and_all
        ),
        case!(
            "wait_deadline",
            "drm_timeout_abs_to_jiffies: ETIME at and after the deadline",
            wait_deadline
        ),
        case!(
            "wait_for_submit",
            "drm_syncobj_fence_add_wait: woken by another thread",
            wait_for_submit
        ),
        case!(
            "wait_for_submit_of_all",
            "drm_syncobj_array_wait_timeout: all, later",
            wait_for_submit_of_all
        ),
        case!(
            "wait_for_job",
            "drm_syncobj_replace_fence: the fence of a job",
            wait_for_job
        ),
        case!(
            "wait_for_submitted_job",
            "drm_syncobj_wait_ioctl: a job submitted later",
            wait_for_submitted_job
        ),
        case!(
            "wait_interrupted",
            "drm_syncobj_array_wait_timeout: EINTR",
            wait_interrupted
        ),
        case!(
            "killed_waiter",
            "a waiter that is killed is gone at once",
            killed_waiter
        ),
        case!(
            "reset_and_signal",
            "drm_syncobj_reset_ioctl, drm_syncobj_signal_ioctl",
            reset_and_signal
        ),
        case!(
            "array_errors",
            "drm_syncobj_array_find: EINVAL, EFAULT, ENOENT, and nothing changed",
            array_errors
        ),
        case!(
            "export",
            "drm_syncobj_get_fd: the same object by other handles",
            export
        ),
        case!(
            "export_to_process",
            "drm_syncobj_fd_to_handle: the same object in another process",
            export_to_process
        ),
        case!(
            "export_errors",
            "drm_syncobj_handle_to_fd_ioctl: EINVAL, ENOENT, and nothing changed",
            export_errors
        ),
        case!(
            "import_errors",
            "drm_syncobj_fd_to_handle_ioctl: EINVAL, ENOENT, and nothing changed",
            import_errors
        ),
        case!(
            "fences_travel",
            "drm_syncobj_import_sync_file_fence: a job's fence in another file",
            fences_travel
        ),
        case!(
            "other_requests",
            "drm_syncobj_file_fops: ENOTTY, ENODEV",
            other_requests
        ),
        case!("timelines", "EOPNOTSUPP for all of timelines", timelines),
        case!(
            "newer_structures",
            "differs from drm_ioctl: newer fields must be zero, else EINVAL",
            newer_structures
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}

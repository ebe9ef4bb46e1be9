// SPDX-License-Identifier: BSD-2-Clause
//! Memory: of the process, of buffers that processes share, and descriptors that they pass on.

use super::{abi, add, buffer, errno, fork, in_child, map, open, request, shared, wait};

/// Memory of this process as the device has it, and of a child with a copy of its own.
pub(super) fn memory() {
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

pub(super) fn sharing() {
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

pub(super) fn passing() {
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

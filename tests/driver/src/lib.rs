// SPDX-License-Identifier: BSD-2-Clause
//! A client of panfrost in the process of the driver: ioctls as a program would do them, by number
//! and bytes, and job chains written by hand. The layouts are written again here, from the user
//! ABI.

use drm_os_host::{Caller, Config, File, World};
use drmboard::Board;

mod chain;
pub mod etnaviv;
pub mod fuzz;
mod rig;

pub use chain::{compute, null, write_time, write_zero};
pub use rig::{
    charged, coherent, limits, pass, real, tunable, with_memory, Ends, Rig, Work, MS, SEC,
};

/// DRM ioctls are of this group.
pub const GROUP: u32 = 0x64;
/// The render node's minor type.
pub const RENDER: u32 = 2;
/// The primary node's.
pub const PRIMARY: u32 = 0;
/// FreeBSD's numbers.
pub mod errno {
    /// Interrupted.
    pub const EINTR: i32 = 4;
    /// Interrupted; the call is made again.
    pub const ERESTART: i32 = -1;
    /// No such descriptor.
    pub const EBADF: i32 = 9;
    /// No memory.
    pub const ENOMEM: i32 = 12;
    /// Busy.
    pub const EBUSY: i32 = 16;
    /// Invalid.
    pub const EINVAL: i32 = 22;
    /// Already so; FreeBSD's number.
    pub const EALREADY: i32 = 37;
    /// Gone.
    pub const ENXIO: i32 = 6;
    /// Timed out.
    pub const ETIMEDOUT: i32 = 60;
    /// Input or output.
    pub const EIO: i32 = 5;
    /// No such device.
    pub const ENODEV: i32 = 19;
    /// Not there.
    pub const ENOENT: i32 = 2;
    /// Not allowed.
    pub const EACCES: i32 = 13;
    /// No such request.
    pub const ENOTTY: i32 = 25;
    /// Bad address.
    pub const EFAULT: i32 = 14;
    /// No room.
    pub const ENOSPC: i32 = 28;
    /// Not offered.
    pub const ENOSYS: i32 = 78;
    /// Timed out, as syncobjs say it; drm_os.h gives it a number that FreeBSD has not.
    pub const ETIME: i32 = 1062;
    /// Cancelled.
    pub const ECANCELED: i32 = 85;
}

/// A board in this process.
pub fn board(name: &str, config: Config) -> Board {
    Board::new(name, config).expect("the board comes up")
}

/// A file on a board and the thread that uses it.
#[derive(Clone)]
pub struct Client {
    /// The file.
    pub file: File,
    /// The thread.
    pub caller: Caller,
    world: World,
}

/// A buffer object, mapped when it is no heap.
pub struct Bo {
    /// Its handle.
    pub handle: u32,
    /// Its GPU address.
    pub va: u64,
    map: Option<drm_os_host::Mapping>,
}

/// The result of a call.
pub type Result<T> = std::result::Result<T, i32>;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// The bytes of a structure made of words and longs.
#[derive(Default)]
pub struct Arg(Vec<u8>);

impl Arg {
    /// Empty.
    pub fn new() -> Arg {
        Arg::default()
    }
    /// Appends a u32.
    pub fn w(mut self, v: u32) -> Arg {
        self.0.extend(v.to_le_bytes());
        self
    }
    /// The structure so far.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }
    /// Appends bytes.
    pub fn b(mut self, bytes: &[u8]) -> Arg {
        self.0.extend(bytes);
        self
    }
    /// Appends a u16.
    pub fn h(self, v: u16) -> Arg {
        self.b(&v.to_le_bytes())
    }
    /// Appends a u64.
    pub fn l(mut self, v: u64) -> Arg {
        self.0.extend(v.to_le_bytes());
        self
    }
}

impl Client {
    /// Opens the render node.
    pub fn open(board: &Board) -> Result<Client> {
        Client::open_minor(board, RENDER)
    }

    /// Opens a node.
    pub fn open_minor(board: &Board, minor: u32) -> Result<Client> {
        Client::open_at(board, 0, minor)
    }

    /// Opens a node of the `device`-th node of the device tree.
    pub fn open_at(board: &Board, device: usize, minor: u32) -> Result<Client> {
        Client::open_by(board, device, minor, 0)
    }

    /// Opens the render node as user `uid`.
    pub fn open_of(board: &Board, uid: u32) -> Result<Client> {
        Client::open_by(board, 0, RENDER, uid)
    }

    fn open_by(board: &Board, device: usize, minor: u32, uid: u32) -> Result<Client> {
        let caller = Caller::local_of(board.world(), "test", uid);
        let file = board.devices()[device].open(minor, &caller)?;
        Ok(Client {
            file,
            caller,
            world: board.world().clone(),
        })
    }

    /// Opens the primary node, authenticated by who opened it first and is its master.
    pub fn open_primary(board: &Board, master: &Client) -> Result<Client> {
        Client::open_primary_of(board, master, 0)
    }

    /// As [`Client::open_primary`], as user `uid`.
    pub fn open_primary_of(board: &Board, master: &Client, uid: u32) -> Result<Client> {
        let client = Client::open_by(board, 0, PRIMARY, uid)?;
        let magic = client.ioctl(0x02, Arg::new().w(0))?;
        master.ioctl(0x11, Arg::new().b(&magic))?;
        Ok(client)
    }

    /// The same file in another thread of the same process.
    pub fn thread(&self) -> Client {
        Client {
            caller: self.caller.thread(),
            ..self.clone()
        }
    }

    /// An ioctl of a descriptor that is no device's: EBADF, and what the driver says.
    pub fn fd_ioctl(&self, fd: i32, group: u32, nr: u32, arg: Arg) -> Result<Vec<u8>> {
        let mut data = arg.0;
        let file = self.caller.fd(fd).ok_or(errno::EBADF)?;
        file.ioctl(&self.caller, group, nr, &mut data)?;
        Ok(data)
    }

    /// An ioctl; returns the structure afterwards.
    pub fn ioctl(&self, nr: u32, arg: Arg) -> Result<Vec<u8>> {
        let mut data = arg.0;
        self.file.ioctl(&self.caller, GROUP, nr, &mut data)?;
        Ok(data)
    }

    /// CREATE_BO, and a mapping unless it is a heap.
    pub fn bo(&self, size: u32, flags: u32) -> Result<Bo> {
        let out = self.ioctl(0x42, Arg::new().w(size).w(flags).w(0).w(0).l(0))?;
        let (handle, va) = (word(&out, 8), long(&out, 16));
        if flags & 2 != 0 {
            return Ok(Bo {
                handle,
                va,
                map: None,
            });
        }
        self.map(handle, va, size)
    }

    /// MMAP_BO, and a mapping, of an object of `size` bytes at `va`.
    pub fn map(&self, handle: u32, va: u64, size: u32) -> Result<Bo> {
        let offset = long(&self.ioctl(0x43, Arg::new().w(handle).w(0).l(0))?, 8);
        let map = Some(
            self.file
                .mmap(offset, u64::from(size).next_multiple_of(4096))?,
        );
        Ok(Bo { handle, va, map })
    }

    /// GEM_CLOSE.
    pub fn close(&self, handle: u32) -> Result<()> {
        self.ioctl(0x09, Arg::new().w(handle).w(0)).map(drop)
    }

    /// GET_PARAM.
    pub fn param(&self, param: u32) -> Result<u64> {
        Ok(long(&self.ioctl(0x44, Arg::new().w(param).w(0).l(0))?, 8))
    }

    /// SUBMIT of a chain: fragment or not, buffers, syncobjs to wait for, syncobj to fill.
    pub fn submit(
        &self,
        jc: u64,
        fragment: bool,
        bos: &[u32],
        waits: &[u32],
        out: u32,
    ) -> Result<()> {
        let arg = Arg::new()
            .l(jc)
            .l(waits.as_ptr() as u64)
            .w(waits.len() as u32)
            .w(out)
            .l(bos.as_ptr() as u64)
            .w(bos.len() as u32)
            .w(u32::from(fragment));
        self.ioctl(0x40, arg).map(drop)
    }

    /// WAIT_BO for at most `ns` more nanoseconds.
    pub fn wait(&self, handle: u32, ns: u64) -> Result<()> {
        let until = if ns == 0 { 0 } else { self.world.now() + ns };
        self.ioctl(0x41, Arg::new().w(handle).w(0).l(until))
            .map(drop)
    }

    /// MADVISE: retained.
    pub fn madvise(&self, handle: u32, advice: u32) -> Result<bool> {
        Ok(word(&self.ioctl(0x48, Arg::new().w(handle).w(advice).w(0))?, 8) != 0)
    }

    /// SYNCOBJ_CREATE.
    pub fn syncobj(&self, signaled: bool) -> Result<u32> {
        Ok(word(
            &self.ioctl(0xbf, Arg::new().w(0).w(u32::from(signaled)))?,
            0,
        ))
    }

    /// SYNCOBJ_DESTROY.
    pub fn syncobj_destroy(&self, handle: u32) -> Result<()> {
        self.ioctl(0xc0, Arg::new().w(handle).w(0)).map(drop)
    }

    /// SYNCOBJ_WAIT for one, for at most `ns` more nanoseconds.
    pub fn syncobj_wait(&self, handle: u32, ns: u64) -> Result<()> {
        let handles = [handle];
        let until = self.world.now() + ns;
        let arg = Arg::new()
            .l(handles.as_ptr() as u64)
            .l(until)
            .w(1)
            .w(0)
            .w(0)
            .w(0);
        self.ioctl(0xc3, arg).map(drop)
    }

    /// SYNCOBJ_HANDLE_TO_FD as a sync_file: the descriptor.
    pub fn sync_file(&self, handle: u32) -> Result<i32> {
        Ok(word(&self.ioctl(0xc1, Arg::new().w(handle).w(1).w(0).w(0))?, 8) as i32)
    }

    /// SYNCOBJ_FD_TO_HANDLE: puts a sync_file's fence into a syncobj.
    pub fn import_sync_file(&self, handle: u32, fd: i32) -> Result<()> {
        self.ioctl(0xc2, Arg::new().w(handle).w(1).w(fd as u32).w(0))
            .map(drop)
    }

    /// What a sync_file of the syncobj's fence says: 0 under way, 1 done, else an error, negative.
    pub fn outcome(&self, syncobj: u32) -> i32 {
        let fd = self.sync_file(syncobj).expect("the syncobj has a fence");
        let status = self.sync_file_status(fd);
        self.caller.close_fd(fd);
        status
    }

    /// SYNC_IOC_FILE_INFO: status.
    pub fn sync_file_status(&self, fd: i32) -> i32 {
        let file = self.caller.fd(fd).expect("the descriptor is there");
        let mut info = [0; 56];
        file.ioctl(&self.caller, 0x3e, 4, &mut info)
            .expect("the descriptor is a sync_file's");
        word(&info, 32) as i32
    }

    /// PERFCNT_ENABLE.
    pub fn perfcnt_enable(&self, on: bool, set: u32) -> Result<()> {
        self.ioctl(0x46, Arg::new().w(u32::from(on)).w(set))
            .map(drop)
    }

    /// PERFCNT_DUMP.
    pub fn perfcnt_dump(&self, to: &mut [u8]) -> Result<()> {
        self.ioctl(0x47, Arg::new().l(to.as_mut_ptr() as u64))
            .map(drop)
    }

    /// PRIME_HANDLE_TO_FD: the descriptor.
    pub fn export(&self, handle: u32) -> Result<i32> {
        Ok(word(&self.ioctl(0x2d, Arg::new().w(handle).w(0).w(0))?, 8) as i32)
    }

    /// PRIME_FD_TO_HANDLE: the handle.
    pub fn import(&self, fd: i32) -> Result<u32> {
        Ok(word(
            &self.ioctl(0x2e, Arg::new().w(0).w(0).w(fd as u32))?,
            0,
        ))
    }

    /// GEM_FLINK: the global name.
    pub fn flink(&self, handle: u32) -> Result<u32> {
        Ok(word(&self.ioctl(0x0a, Arg::new().w(handle).w(0))?, 4))
    }

    /// GEM_OPEN: a handle of the object with a global name.
    pub fn open_name(&self, name: u32) -> Result<u32> {
        Ok(word(&self.ioctl(0x0b, Arg::new().w(name).w(0).l(0))?, 4))
    }

    /// GET_BO_OFFSET: the GPU address.
    pub fn va(&self, handle: u32) -> Result<u64> {
        Ok(long(&self.ioctl(0x45, Arg::new().w(handle).w(0).l(0))?, 8))
    }

    /// A counter of the file.
    pub fn stat(&self, name: &str) -> u64 {
        let stats = self.file.stats();
        stats
            .into_iter()
            .find(|(n, _)| n == name)
            .map_or(0, |(_, v)| v)
    }
}

impl Bo {
    /// Writes through the mapping.
    pub fn write(&self, at: usize, bytes: &[u8]) {
        self.map.as_ref().expect("mapped").write(at, bytes);
    }

    /// Reads through the mapping.
    pub fn read(&self, at: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.map.as_ref().expect("mapped").read(at, &mut bytes);
        bytes
    }

    /// mlock(2) of the mapping, or munlock(2).
    pub fn set_locked(&self, on: bool) {
        self.map.as_ref().expect("mapped").set_locked(on);
    }

    /// Reads a u64.
    pub fn read_u64(&self, at: usize) -> u64 {
        long(&self.read(at, 8), 0)
    }

    /// Whether it is mapped.
    pub fn is_mapped(&self) -> bool {
        self.map.is_some()
    }
}

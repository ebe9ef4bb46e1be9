// SPDX-License-Identifier: BSD-2-Clause
//! Calls on descriptors: sync_files, dma-bufs, and mappings of buffer objects.

use super::memory::{errno, Map};
use super::spec::Class;
use super::specs::*;
use super::state::{Kind, Obj, Stream};
use super::stream::{lossy, Arg};

impl Stream {
    /// One call on a descriptor.
    pub fn descriptors(&mut self, f: usize) {
        match self.rng.below(100) {
            0..22 => self.merge(f),
            22..45 => self.file_info(f),
            45..55 => self.dma_buf_sync(f),
            55..62 => self.dma_buf_sync_file(f),
            62..66 => self.dma_buf_name(f),
            66..74 => self.seek(),
            74..82 => self.poll(),
            82..88 => self.map_dma_buf(),
            88..91 => {
                let on = self.fd(Kind::SyncFile);
                self.call_fd(on.0 as i32, f, &on.1, Arg::new(&SYNC_SET_DEADLINE));
            }
            91..95 => {
                // A request of another kind of file.
                let kind = self
                    .rng
                    .pick(&[Kind::DmaBuf, Kind::Syncobj, Kind::SyncFile]);
                let on = self.fd(kind);
                let spec = self.rng.pick(&[&VERSION, &DMA_BUF_SYNC, &GET_CAP]);
                if !on.1.starts_with("drm") {
                    self.call_fd(on.0 as i32, f, &on.1, Arg::new(spec).whole());
                }
            }
            _ => {
                let n = self.rng.below(self.fds.len());
                self.drop_fd(n);
                self.line(&format!("close fd slot {n}"));
            }
        }
    }

    fn merge(&mut self, f: usize) {
        let on = self.fd(Kind::SyncFile);
        let other = self.fd(Kind::SyncFile);
        let flags = self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 1]);
        let pad = self.rng.pick(&[0, 0, 0, 0, 0, 0, 0, 1]);
        let name = self
            .rng
            .pick(&["merged", "", "a name that is longer than 32 bytes are"]);
        let arg = Arg::new(&SYNC_MERGE)
            .text("name", name)
            .put("fd2", other)
            .num("flags", flags)
            .num("pad", pad);
        let done = self.call_fd(on.0 as i32, f, &on.1, arg);
        if let Some(fd) = done.get("fence") {
            self.keep(fd, Kind::SyncFile, Obj::default());
        }
    }

    fn file_info(&mut self, f: usize) {
        let on = self.fd(Kind::SyncFile);
        let room = self.rng.pick(&[0usize, 0, 1, 2, 4]);
        let reported = if self.rng.percent(90) { room } else { 1 };
        let arg = Arg::new(&SYNC_FILE_INFO)
            .num("num_fences", reported as u64)
            .num("flags", self.rng.pick(&[0, 0, 0, 0, 0, 0, 1]))
            .num("pad", self.rng.pick(&[0, 0, 0, 0, 0, 0, 1]));
        let arg = match self.rng.below(12) {
            0 => arg.put("sync_fence_info", (0, "null".into())),
            1 => arg.put("sync_fence_info", (0x1000, "low".into())),
            _ => arg.region(
                "sync_fence_info",
                vec![0; room.max(reported) * 80],
                String::new(),
            ),
        };
        let done = self.call_fd(on.0 as i32, f, &on.1, arg);
        let infos = done.regions.first().map_or(&[][..], |r| r.as_slice());
        for (i, info) in infos
            .chunks_exact(80)
            .enumerate()
            .filter(|(_, info)| info.iter().any(|b| *b != 0))
        {
            let word = |at: usize| {
                i32::from_ne_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]])
            };
            let time = if info[72..80].iter().all(|b| *b == 0) {
                "0"
            } else {
                "t"
            };
            let text = format!(
                "fence {i} = {} of {} status {} flags {} time {time}",
                lossy(&info[..32]),
                lossy(&info[32..64]),
                word(64),
                word(68)
            );
            self.line(&text);
        }
    }

    /// How the fence of a sync_file ended: 1 well, negative an errno.
    pub fn fence_status(&mut self, fd: u64) {
        let mut info = Arg::new(&SYNC_FILE_INFO);
        let (_, at) = SYNC_FILE_INFO.find("status");
        // SAFETY: the structure is as long as the code says.
        let ret =
            unsafe { libc::ioctl(fd as i32, SYNC_FILE_INFO.code as _, info.bytes.as_mut_ptr()) };
        let status = &info.bytes[at];
        let status = i32::from_ne_bytes([status[0], status[1], status[2], status[3]]);
        self.line(&format!("fence status = {ret} {status}"));
    }

    fn dma_buf_sync(&mut self, f: usize) {
        let on = self.fd(Kind::DmaBuf);
        let flags = self.number(&[1, 2, 3, 5, 6, 7, 0, 4, 8, 9]);
        self.call_fd(
            on.0 as i32,
            f,
            &on.1,
            Arg::new(&DMA_BUF_SYNC).num("flags", flags),
        );
    }

    fn dma_buf_sync_file(&mut self, f: usize) {
        let on = self.fd(Kind::DmaBuf);
        let flags = self.number(&[1, 2, 3, 0, 4]);
        if self.rng.percent(50) {
            let arg = Arg::new(&DMA_BUF_EXPORT_SYNC_FILE).num("flags", flags);
            let done = self.call_fd(on.0 as i32, f, &on.1, arg);
            if let Some(fd) = done.get("fd") {
                self.close_fd(fd);
            }
        } else {
            let fence = self.fd(Kind::SyncFile);
            let arg = Arg::new(&DMA_BUF_IMPORT_SYNC_FILE)
                .num("flags", flags)
                .put("fd", fence);
            self.call_fd(on.0 as i32, f, &on.1, arg);
        }
    }

    fn dma_buf_name(&mut self, f: usize) {
        let on = self.fd(Kind::DmaBuf);
        let arg = match self.rng.below(4) {
            0 => Arg::new(&DMA_BUF_SET_NAME_A).num("name", 0x1000),
            1 => Arg::new(&DMA_BUF_SET_NAME_B).put("name", (0x1000, "low".into())),
            2 => Arg::new(&DMA_BUF_SET_NAME_B).region("name", vec![b'x'; 64], "long".into()),
            _ => Arg::new(&DMA_BUF_SET_NAME_B).region("name", b"a name\0".to_vec(), "good".into()),
        };
        self.call_fd(on.0 as i32, f, &on.1, arg.whole());
    }

    /// A descriptor that a call of this stream made, which is safe for calls that others answer
    /// differently.
    fn made(&mut self) -> Option<(i32, Kind, Obj, String)> {
        let n = self.rng.below(self.fds.len());
        let all = (0..self.fds.len()).filter_map(|k| self.fds[(n + k) % self.fds.len()]);
        all.filter_map(|d| {
            let name = self.names.get(Class::Fd, 0, d.fd as u64)?;
            Some((d.fd, d.kind, d.object, name.to_string()))
        })
        .next()
    }

    fn seek(&mut self) {
        let offset = self.rng.pick(&[0, 0, 0, 1, -1, 4096]);
        let whence = self
            .rng
            .pick(&[libc::SEEK_SET, libc::SEEK_END, libc::SEEK_CUR, 9]);
        if let Some((fd, kind, _, name)) = self.made() {
            // SAFETY: plain system call.
            let at = unsafe { libc::lseek(fd, offset, whence) };
            let at = if at < 0 { -i64::from(errno()) } else { at };
            self.line(&format!("{name} lseek {kind:?} {offset} {whence} = {at}"));
        }
    }

    fn poll(&mut self) {
        let events = self
            .rng
            .pick(&[libc::POLLIN, libc::POLLIN | libc::POLLPRI, 0]);
        if let Some((fd, kind, _, name)) = self.made() {
            let mut entry = libc::pollfd {
                fd,
                events,
                revents: 0,
            };
            // A virtual board reports readiness a little later than a kernel; all that is asked for
            // comes.
            let timeout = if events != 0 && kind != Kind::Syncobj {
                1000
            } else {
                0
            };
            // SAFETY: one entry, which lives through the call.
            let n = unsafe { libc::poll(&mut entry, 1, timeout) };
            self.line(&format!(
                "{name} poll {kind:?} {events:#x} = {n} {:#x}",
                entry.revents
            ));
        }
    }

    fn map_dma_buf(&mut self) {
        let prot = self
            .rng
            .pick(&[libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE]);
        let (offset, more) = self
            .rng
            .pick(&[(0, 0), (0, 0), (0, 4096), (4096, 0), (1, 0)]);
        if let Some((fd, kind, object, name)) = self.made() {
            let len = (object.size.next_multiple_of(4096) as usize).clamp(4096, 1 << 20) + more;
            self.map(
                fd,
                offset,
                len,
                prot,
                libc::MAP_SHARED,
                &format!("{name} mmap {kind:?} {offset} {len:#x}"),
            );
        }
    }

    /// mmap(2), which stays until its place is needed.
    pub fn map(&mut self, fd: i32, offset: u64, len: usize, prot: i32, flags: i32, text: &str) {
        let n = self.rng.below(self.maps.len());
        self.maps[n] = None;
        match Map::new(fd, offset, len, prot, flags) {
            Ok(map) => {
                self.maps[n] = Some(map);
                self.line(&format!("{text} prot {prot} flags {flags:#x} = 0"));
            }
            Err(error) => self.line(&format!("{text} prot {prot} flags {flags:#x} = {error}")),
        }
    }

    /// mmap(2) of a buffer object, right or wrong.
    pub fn map_object(&mut self, f: usize) {
        let n = self.rng.below(super::state::OBJECTS);
        let object = self.files[f].objects[n];
        let known = self
            .names
            .get(Class::Cookie, f, object.cookie)
            .filter(|_| self.live(f, n));
        let (cookie, name, size) = match known {
            Some(name) => (object.cookie, name.to_string(), object.size),
            None => (0x7fff_f000, "never".to_string(), 0),
        };
        // Another file may have a handle of the same object, or not.
        let g = if self.rng.percent(15) {
            self.rng.below(self.files.len())
        } else {
            f
        };
        let size = size.next_multiple_of(4096).clamp(4096, 1 << 22) as usize;
        let (offset, len) = self.rng.pick(&[
            (0, size),
            (0, size),
            (0, size),
            (0, 4096),
            (0, size * 2),
            // In the midst of it; what follows a page is another object, or none.
            ((size as u64 / 2) & !4095, 4096),
            (0, 0),
            (0, 100),
            (8, size),
        ]);
        let (read, write) = (libc::PROT_READ, libc::PROT_WRITE);
        let prot = self.rng.pick(&[
            read,
            read | write,
            read | write,
            write,
            0,
            read | libc::PROT_EXEC,
        ]);
        let flags = self.rng.pick(&[
            libc::MAP_SHARED,
            libc::MAP_SHARED,
            libc::MAP_SHARED,
            libc::MAP_PRIVATE,
        ]);
        let fd = self.files[g].fd;
        let text = format!("f{g} mmap {name}+{offset} {len:#x}");
        self.map(fd, cookie + offset, len, prot, flags, &text);
    }
}

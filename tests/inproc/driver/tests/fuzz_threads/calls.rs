// SPDX-License-Identifier: BSD-2-Clause
//! The calls that threads make.

use super::{info, process, Process, Stage, Thread, FDS, PROCESSES, THREADS};
use driver_tests::fuzz::{Job, HEAP};
use driver_tests::{errno, Client, MS};
use drm_os_host::File;
use seeded::Random;
use std::collections::btree_map::Entry;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use uapi::core::{SYNCOBJ_RESET, SYNCOBJ_SIGNAL};
use uapi::dma_buf;

impl Stage {
    pub(super) fn call(
        &self,
        me: &mut Thread,
        p: &Process,
        c: &Client,
        what: u64,
        n: [u64; 4],
        random: &mut Random,
    ) -> Option<Result<&'static str, i32>> {
        let world = self.gpu.board().world();
        Some(match what {
            0..14 => self.gpu.create(c, random).map(|made| {
                p.handles.add(made.handle);
                "create"
            }),
            14..24 => {
                let handle = match n[1] % 4 {
                    0 => p.handles.any(n[0]),
                    _ => p.handles.take(n[0]),
                };
                c.close(handle?).map(|()| "close")
            }
            24..34 => {
                let advice = u32::from(!n[1].is_multiple_of(4));
                let kept = self.gpu.advise(c, p.handles.any(n[0])?, advice);
                kept.map(|_| "advise")
            }
            34..41 => c.export(p.handles.any(n[0])?).map(|fd| {
                p.dma_bufs.add(fd);
                "export"
            }),
            41..49 => {
                let from = self.process(n[1]);
                let file = from.client.caller.fd(from.dma_bufs.any(n[0])?)?;
                let fd = c.caller.install(file.clone()).unwrap();
                let handle = c.import(fd);
                if from.id != p.id {
                    handle
                        .iter()
                        .for_each(|handle| self.is_kept(c, &file, fd, *handle));
                }
                c.caller.close_fd(fd);
                handle.map(|handle| {
                    p.handles.add(handle);
                    "import"
                })
            }
            49..51 => c.flink(p.handles.any(n[0])?).map(|name| {
                self.names.add(name);
                "flink"
            }),
            51..54 => c.open_name(self.names.any(n[0])?).map(|handle| {
                p.handles.add(handle);
                "open"
            }),
            54..59 => {
                let fds = [&p.dma_bufs, &p.sync_files, &p.shared_syncobjs];
                c.caller.close_fd(fds[n[1] as usize % 3].take(n[0])?);
                Ok("close fd")
            }
            59..63 => {
                let map = match n[1] % 2 {
                    0 => self.gpu.map(c, p.handles.any(n[0])?, 4096),
                    _ => c.caller.fd(p.dma_bufs.any(n[0])?)?.mmap(0, 4096),
                };
                // Not touched: what is purged is a SIGBUS.
                match map {
                    Ok(map) => {
                        map.set_locked(n[2].is_multiple_of(4));
                        me.maps.push(map);
                        Ok("mmap")
                    }
                    // A sync_file.
                    Err(errno::ENODEV) => return None,
                    Err(e) => Err(e),
                }
            }
            63..65 => {
                drop(me.maps.pop()?);
                Ok("munmap")
            }
            65..74 => self.submit(me, p, c, n)?,
            74 | 75 => {
                let [a, b] = [p.syncobjs.any(n[0])?, p.syncobjs.any(n[1])?];
                let [x, y] = [n[2] % 7, n[2] >> 8 & 7];
                match n[2] >> 16 & 3 {
                    0 => c.timeline_signal(a, x).map(|()| "signal point"),
                    1 => c.transfer((a, x), (b, y), 0).map(|()| "transfer"),
                    2 => c.timeline_point(a, 0).map(|_| "query"),
                    _ => {
                        let until = world.now() + n[2] % 4 * MS;
                        let flags = n[3] as u32 >> 1 & 7;
                        c.timeline_wait(&[(a, x), (b, y)], until as i64, flags)
                            .map(|_| "wait for points")
                    }
                }
            }
            76 => c.syncobj(n[0].is_multiple_of(2)).map(|handle| {
                p.syncobjs.add(handle);
                "syncobj"
            }),
            77 => c
                .syncobj_destroy(p.syncobjs.take(n[0])?)
                .map(|()| "destroy"),
            78..81 => c.sync_file(p.syncobjs.any(n[0])?).map(|fd| {
                p.sync_files.add(fd);
                "sync_file"
            }),
            81 | 82 => {
                let (handle, fd) = (p.syncobjs.any(n[0])?, p.sync_files.any(n[1])?);
                c.import_sync_file(handle, fd).map(|()| "to syncobj")
            }
            83 => c.share_syncobj(p.syncobjs.any(n[0])?).map(|fd| {
                p.shared_syncobjs.add(fd);
                "share syncobj"
            }),
            84 => c.take_syncobj(p.shared_syncobjs.any(n[0])?).map(|handle| {
                p.syncobjs.add(handle);
                "take syncobj"
            }),
            85 => {
                let handles = [p.syncobjs.any(n[0])?, p.syncobjs.any(n[1])?];
                let request = [SYNCOBJ_RESET, SYNCOBJ_SIGNAL][n[2] as usize % 2];
                c.syncobj_array(request, &handles).map(|()| "signal")
            }
            86 | 87 => {
                let handles = [p.syncobjs.any(n[0])?, p.syncobjs.any(n[1])?];
                let until = world.now() + n[2] % 4 * MS;
                c.syncobj_wait_many(&handles, until as i64, n[3] as u32 % 4)
                    .map(|_| "wait for syncobjs")
            }
            88..90 => {
                let [a, b] = [p.sync_files.any(n[0])?, p.sync_files.any(n[1])?];
                c.merge(a, b).map(|fd| {
                    p.sync_files.add(fd);
                    "merge"
                })
            }
            90 => {
                let file = c.caller.fd(p.sync_files.any(n[0])?)?;
                let info = info(&file, &c.caller)?;
                assert!(
                    info.status != 1 || file.poll(),
                    "it has ended, and poll waits"
                );
                Ok("info")
            }
            91 => {
                let flags = 1 + n[1] as u32 % 2;
                let made = c.dma_buf_fences(p.dma_bufs.any(n[0])?, flags);
                made.map(|fd| {
                    p.sync_files.add(fd);
                    "dma-buf's fences"
                })
            }
            92 => {
                let fd = p.sync_files.any(n[2])?;
                let flags = 1 + n[1] as u32 % 2;
                c.add_dma_buf_fences(p.dma_bufs.any(n[0])?, flags, fd)
                    .map(|()| "fences to dma-buf")
            }
            93 => {
                let arg = dma_buf::Sync {
                    flags: 1 + n[1] % 2,
                };
                c.fd_ioctl(p.dma_bufs.any(n[0])?, dma_buf::SYNC, arg)
                    .map(|_| "begin access")
            }
            94 => {
                let handle = p.handles.any(n[0])?;
                self.gpu
                    .wait(c, handle, n[1] % 3 * MS, n[2])
                    .map(|()| "wait")
            }
            95 | 96 => {
                world.lowmem(n[1] % 64);
                return None;
            }
            97 => return self.replace(n).map(Err),
            98 => {
                let caller = self.callers[n[0] as usize % THREADS].lock().unwrap();
                match n[1] % 2 {
                    0 => caller.as_ref()?.interrupt(),
                    _ => caller.as_ref()?.interrupt_restarting(),
                }
                return None;
            }
            _ => {
                self.gpu.plant(random, true);
                return None;
            }
        })
    }

    /// What two processes have is not purged. Heaps may have been before.
    pub(super) fn is_kept(&self, c: &Client, file: &File, fd: i32, handle: u32) {
        let heap = file.size() == Ok(HEAP);
        // The handle may be another buffer's by now, but not at both ends of the question.
        let gone = || {
            let gone = self.gpu.advise(c, handle, 2) == Ok(false);
            gone && c.import(fd) == Ok(handle)
        };
        assert!(heap || !(gone() && gone()), "what was imported is purged");
    }

    pub(super) fn submit(
        &self,
        me: &mut Thread,
        p: &Process,
        c: &Client,
        n: [u64; 4],
    ) -> Option<Result<&'static str, i32>> {
        let mut bos = Vec::new();
        for turn in 0..n[0] % 4 {
            let handle = p.handles.any(n[1] >> (8 * turn))?;
            if !bos.contains(&handle) {
                bos.push(handle);
            }
        }
        let waits: Vec<u32> = match n[2] % 3 {
            0 => p.syncobjs.any(n[2] >> 8).into_iter().collect(),
            _ => Vec::new(),
        };
        let job = Job {
            bos: &bos,
            waits: &waits,
            done: p.syncobjs.any(n[2] >> 16)?,
            astray: n[2] >> 32 & 31 == 0,
            any: n[3],
        };
        let code = match me.codes.entry(p.id) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(none) => match self.gpu.code(c) {
                Ok(code) => none.insert(code),
                Err(e) => return Some(Err(e)),
            },
        };
        Some(self.gpu.submit(c, code, &job).map(|()| "submit"))
    }

    /// A process ends, with calls of it under way perhaps, and there is another one.
    pub(super) fn replace(&self, n: [u64; 4]) -> Option<i32> {
        let id = self.next_process.fetch_add(1, Relaxed);
        let next = match process(&*self.gpu, &self.master, id) {
            Ok(next) => next,
            Err(e) => return Some(e),
        };
        let mut place = self.processes[n[0] as usize % PROCESSES].lock().unwrap();
        let last = std::mem::replace(&mut *place, Arc::new(next));
        drop(place);
        (0..FDS).for_each(|fd| last.client.caller.close_fd(fd));
        None
    }
}

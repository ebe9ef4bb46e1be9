// SPDX-License-Identifier: BSD-2-Clause
//! The calls of a step.

use super::{allowed, Fuzz, Held};
use driver_tests::fuzz::Job;
use driver_tests::{Client, MS};
use uapi::core::{SYNCOBJ_RESET, SYNCOBJ_SIGNAL};

impl Fuzz {
    /// One step; what it asks for may be refused.
    pub(super) fn step(&mut self) -> Option<()> {
        let what = self.random.below(110);
        let at = self.user()?;
        self.calls += 1;
        match what {
            0..18 => self.create(at),
            18..30 => self.close(at),
            30..42 => {
                let advice = self.random.below(2) as u32;
                let handle = self.random.pick(&self.users[at].held)?.handle;
                allowed(self.gpu.advise(&self.users[at].client, handle, advice)).map(drop)
            }
            42..50 => {
                let (buffer, handle) = {
                    let held = self.random.pick(&self.users[at].held)?;
                    (held.buffer, held.handle)
                };
                let user = &mut self.users[at];
                let fd = allowed(user.client.export(handle))?;
                user.fds.push((buffer, fd));
                Some(())
            }
            50..58 => self.import(at),
            58..62 => self.open_by_name(at),
            62..66 => {
                let index = self.random.below(self.users[at].fds.len() as u64) as usize;
                let user = &mut self.users[at];
                if index < user.fds.len() {
                    let (_, fd) = user.fds.swap_remove(index);
                    user.client.caller.close_fd(fd);
                }
                Some(())
            }
            66..80 => self.submit(at),
            80..83 => {
                let on = self.random.one_in(2);
                let held = self.random.pick(&self.users[at].held)?;
                held.map.as_ref()?.set_locked(on);
                Some(())
            }
            83..86 => {
                let pages = self.random.below(2000);
                self.purged += self.gpu.board().world().lowmem(pages);
                Some(())
            }
            86..89 => {
                self.gpu.board().world().advance(self.random.below(20) * MS);
                Some(())
            }
            89..91 => {
                self.users.swap_remove(at).end();
                Some(())
            }
            91 => {
                self.gpu.plant(&mut self.random, false);
                Some(())
            }
            92..95 => {
                let handle = self.random.pick(&self.users[at].held)?.handle;
                let any = self.random.next();
                allowed(
                    self.gpu
                        .wait(&self.users[at].client, handle, any % 5 * MS, any >> 8),
                )
            }
            95..107 => self.sync(at),
            _ => self.quiet(),
        }
    }

    fn create(&mut self, at: usize) -> Option<()> {
        let client = &self.users[at].client;
        let made = allowed(self.gpu.create(client, &mut self.random))?;
        let mapped = made.mappable && self.random.one_in(2);
        let map = mapped.then(|| self.gpu.map(client, made.handle, made.size));
        self.buffers += 1;
        self.users[at].held.push(Held {
            buffer: self.buffers,
            handle: made.handle,
            map: map.and_then(allowed),
        });
        Some(())
    }

    fn close(&mut self, at: usize) -> Option<()> {
        let index = self.random.below(self.users[at].held.len() as u64) as usize;
        let user = &mut self.users[at];
        if index < user.held.len() {
            let held = user.held.swap_remove(index);
            user.client.close(held.handle).unwrap();
        }
        Some(())
    }

    fn give(&mut self, at: usize, buffer: u64, handle: u32) -> Option<()> {
        let held = &mut self.users[at].held;
        match held.iter().find(|held| held.handle == handle) {
            Some(held) => assert_eq!(held.buffer, buffer, "a handle of another buffer"),
            None => held.push(Held {
                buffer,
                handle,
                map: None,
            }),
        }
        Some(())
    }

    fn import(&mut self, at: usize) -> Option<()> {
        let from = self.random.below(self.users.len() as u64) as usize;
        let (buffer, fd) = *self.random.pick(&self.users[from].fds)?;
        let file = self.users[from].client.caller.fd(fd)?;
        let caller = &self.users[at].client.caller;
        let fd = caller.install(file).ok()?;
        let handle = self.users[at].client.import(fd);
        caller.close_fd(fd);
        self.give(at, buffer, allowed(handle)?)
    }

    fn open_by_name(&mut self, at: usize) -> Option<()> {
        let from = self.random.below(self.users.len() as u64) as usize;
        let held = self.random.pick(&self.users[from].held)?;
        let (buffer, handle) = (held.buffer, held.handle);
        let name = allowed(self.users[from].client.flink(handle))?;
        let handle = allowed(self.users[at].client.open_name(name))?;
        self.give(at, buffer, handle)
    }

    /// A job that writes to a buffer, or to where none is.
    fn submit(&mut self, at: usize) -> Option<()> {
        let mut bos: Vec<u32> = Vec::new();
        for _ in 0..self.random.below(5) {
            let handle = self.random.pick(&self.users[at].held)?.handle;
            if !bos.contains(&handle) {
                bos.push(handle);
            }
        }
        let done = self.syncobj(at)?;
        let waits = match self.random.below(4) {
            0 => vec![*self.random.pick(&self.users[at].syncs)?],
            _ => Vec::new(),
        };
        let (astray, any) = (self.random.one_in(16), self.random.next());
        let user = &mut self.users[at];
        if user.code.is_none() {
            let code = allowed(self.gpu.code(&user.client))?;
            self.buffers += u64::from(code.handle.is_some());
            user.code = Some((self.buffers, code));
        }
        let (_, code) = user.code.as_mut()?;
        let job = Job {
            bos: &bos,
            waits: &waits,
            done,
            astray,
            any,
        };
        let submitted = allowed(self.gpu.submit(&user.client, code, &job));
        // While the job runs.
        if any >> 32 & 3 == 0 {
            if let Some(handle) = user.code.take().and_then(|(_, code)| code.handle) {
                user.client.close(handle).unwrap();
            }
        }
        submitted
    }

    /// A sync object of a client, a new one if there are few.
    fn syncobj(&mut self, at: usize) -> Option<u32> {
        let signaled = self.random.one_in(2);
        let user = &mut self.users[at];
        if user.syncs.len() < 4 {
            user.syncs.push(allowed(user.client.syncobj(signaled))?);
        }
        self.random.pick(&self.users[at].syncs).copied()
    }

    /// Sync objects, sync_files, and fences of dma-bufs.
    fn sync(&mut self, at: usize) -> Option<()> {
        let what = self.random.below(16);
        let any = self.random.next();
        let handle = self.syncobj(at)?;
        let other = self.syncobj(at)?;
        let until = self.gpu.board().world().now() + any % 3 * MS;
        let dma_buf = self.random.pick(&self.users[at].fds).map(|(_, fd)| *fd);
        let file = self.random.pick(&self.users[at].files).copied();
        let user = &mut self.users[at];
        let client = &user.client;
        match what {
            0 => {
                user.syncs.retain(|other| *other != handle);
                client.syncobj_destroy(handle).unwrap();
            }
            1 | 2 => user.files.push(allowed(client.sync_file(handle))?),
            3 => allowed(client.import_sync_file(handle, file?))?,
            4 => {
                let other = user.files[any as usize % user.files.len().max(1)..].first()?;
                let fd = allowed(client.merge(file?, *other))?;
                user.files.push(fd);
            }
            5 => {
                user.files.retain(|other| Some(*other) != file);
                client.caller.close_fd(file?);
            }
            6 => {
                let flags = 1 + any as u32 % 2;
                user.files
                    .push(allowed(client.dma_buf_fences(dma_buf?, flags))?);
            }
            7 => {
                let flags = 1 + any as u32 % 2;
                allowed(client.add_dma_buf_fences(dma_buf?, flags, file?))?;
            }
            8 => allowed(client.syncobj_wait(handle, any % 3 * MS))?,
            9 | 10 => {
                let request = [SYNCOBJ_RESET, SYNCOBJ_SIGNAL][any as usize % 2];
                allowed(client.syncobj_array(request, &[handle]))?;
            }
            _ => timeline(client, [handle, other], file, any, until as i64)?,
        }
        Some(())
    }
}

/// A call for points of timelines.
fn timeline(
    client: &Client,
    [a, b]: [u32; 2],
    file: Option<i32>,
    any: u64,
    until: i64,
) -> Option<()> {
    let [x, y] = [any >> 8 & 7, any >> 16 & 7];
    match any % 6 {
        0 => allowed(client.timeline_signal(a, x)),
        1 => allowed(client.timeline_point(a, any as u32 >> 20 & 1)).map(drop),
        2 => allowed(client.transfer((a, x), (b, y), 0)),
        3 => {
            let flags = any as u32 >> 20 & 15;
            allowed(client.timeline_wait(&[(a, x), (b, y)], until, flags)).map(drop)
        }
        4 => allowed(client.import_sync_file_at(a, x, file?)),
        _ => {
            let fd = allowed(client.sync_file_of_point(a, x))?;
            client.caller.close_fd(fd);
            Some(())
        }
    }
}

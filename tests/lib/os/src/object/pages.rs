// SPDX-License-Identifier: BSD-2-Clause
//! The pages of an object: frames, residence, wiring and purging.

use super::*;

impl Object {
    /// Takes a frame for page `i`: in the object's own run if it has one or can get one.
    pub(super) fn frame_for(&self, st: &mut State, i: u64) -> Option<u64> {
        let run = (i / RUN) as usize;
        let joined = self.w.mem.contiguous && matches!(self.what, What::File(_));
        if joined && run < st.runs.len() {
            if st.runs[run] == NO_FRAME {
                // A run that has single frames already keeps them.
                let from = run * RUN as usize;
                if st.frames[from..from + RUN as usize]
                    .iter()
                    .all(|&f| f == NO_FRAME)
                {
                    st.runs[run] = self
                        .w
                        .mem
                        .take_block(RUN_ORDER, self.bits)
                        .unwrap_or(NO_FRAME);
                }
            }
            if st.runs[run] != NO_FRAME {
                return Some(st.runs[run] + i % RUN);
            }
        }
        self.w.mem.take_frame(self.bits)
    }

    /// Assigns frames to pages; ENOMEM if there are not enough. The locks are released after each
    /// run, as a kernel releases them after each page, so that other threads can take them in
    /// between.
    pub(crate) fn make_resident(&self, first: u64, count: u64) -> Result<(), u32> {
        let end = first
            .checked_add(count)
            .filter(|&e| e <= self.pages)
            .ok_or(sys::DRM_OS_EINVAL)?;
        let mut at = first;
        loop {
            let next = ((at / RUN + 1) * RUN).min(end);
            self.make_some_resident(at, next)?;
            if next == end {
                return Ok(());
            }
            at = next;
        }
    }

    pub(super) fn make_some_resident(&self, first: u64, end: u64) -> Result<(), u32> {
        let mut st = lk(&self.st);
        if st.purged {
            return Err(sys::DRM_OS_ENXIO);
        }
        self.prepare(&mut st)?;
        let mut new = Vec::new();
        let mut done = Ok(());
        for i in first..end {
            if st.frames[i as usize] != NO_FRAME {
                continue;
            }
            let Some(f) = self.frame_for(&mut st, i) else {
                done = Err(sys::DRM_OS_ENOMEM);
                break;
            };
            st.frames[i as usize] = f;
            new.push(i);
        }
        match &self.what {
            What::File(_) => {
                let copy = if self.two_copies { st.copy } else { st.map };
                let list = new.iter().map(|&i| {
                    let off = i as usize * PAGE;
                    (st.frames[i as usize], st.map + off, copy + off)
                });
                self.w.mem.install(Use::Object, list);
            }
            What::User(memory) => self.w.mem.install_user(new.iter().map(|&i| {
                let page = UserPage::new(memory.clone(), i, st.copy);
                (st.frames[i as usize], page)
            })),
        }
        st.resident += new.len() as u64;
        self.w.counts.add(Kind::ObjectPages, new.len() as u64);
        done
    }

    /// Frees frames, and runs without a page left. The locks are released after each run, as a
    /// kernel releases them after each page, so that other threads can take them in between.
    pub(super) fn free_pages(&self, st: &mut State) {
        for (r, frames) in st.frames.chunks_mut(RUN as usize).enumerate() {
            let there = || frames.iter().copied().filter(|&f| f != NO_FRAME);
            if there().next().is_none() {
                continue;
            }
            self.w.mem.remove(there());
            match st.runs.get_mut(r).filter(|first| **first != NO_FRAME) {
                Some(first) => {
                    let first = std::mem::replace(first, NO_FRAME);
                    self.w.mem.give_block(RUN_ORDER, first);
                }
                None => self.w.mem.give_frames(there()),
            }
            frames.fill(NO_FRAME);
        }
        self.w.counts.sub(Kind::ObjectPages, st.resident);
        st.resident = 0;
        unmap(std::mem::take(&mut st.copy), self.size() as usize);
        unmap(std::mem::take(&mut st.clean), self.size() as usize);
    }

    pub(super) fn is_resident(&self, first: u64, count: u64) -> bool {
        let st = lk(&self.st);
        let pages = st.frames.iter().skip(first as usize).take(count as usize);
        !st.frames.is_empty() && pages.into_iter().all(|&f| f != NO_FRAME)
    }

    pub(super) fn wire(&self, first: u64, pa: &mut [u64]) -> Result<(), u32> {
        self.w.gate()?;
        let ns = self.w.memory_ns.load(Relaxed);
        if ns != 0 && !self.is_resident(first, pa.len() as u64) {
            self.w.sleep(ns);
        }
        self.make_resident(first, pa.len() as u64)?;
        let st = lk(&self.st);
        if st.purged {
            return Err(sys::DRM_OS_ENXIO);
        }
        for (p, f) in pa.iter_mut().zip(&st.frames[first as usize..]) {
            *p = self.w.mem.pa_of(*f);
        }
        Ok(())
    }

    /// Wires the pages for a user mapping, or unwires them.
    pub(crate) fn lock_in_memory(&self, on: bool) {
        let mut st = lk(&self.st);
        st.wired = if on { st.wired + 1 } else { st.wired - 1 };
    }

    pub(super) fn purge(&self) -> Result<(), u32> {
        let What::File(file) = &self.what else {
            fatal("drm_os_object_purge of the memory of a process");
        };
        let mut st = lk(&self.st);
        if st.kmaps != 0 || st.wired != 0 {
            return Err(sys::DRM_OS_EBUSY);
        }
        st.purged = true;
        self.free_pages(&mut st);
        unmap(std::mem::take(&mut st.map), self.size() as usize);
        let Some(fd) = file.get() else {
            return Ok(());
        };
        // SAFETY: our own descriptor.
        if unsafe { libc::ftruncate(fd.as_raw_fd(), 0) } != 0 {
            fatal("ftruncate of a memfd failed");
        }
        Ok(())
    }
}

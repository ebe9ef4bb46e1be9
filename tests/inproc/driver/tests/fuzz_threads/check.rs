// SPDX-License-Identifier: BSD-2-Clause
//! What must be so when no thread is in a call, and at the end.

use super::{in_time, info, Stage, Thread, FDS, HANDLES, PROCESSES};
use driver_tests::fuzz::{Job, HEAP};
use driver_tests::{errno, Client, SEC};
use drm_os_host::File;
use std::collections::btree_map::BTreeMap;
use std::collections::BTreeSet;
use uapi::sync_file::FileInfo;

impl Stage {
    /// No thread is in a call. All fences end; every existing object has a holder, and the GPU
    /// reaches nothing else.
    pub(super) fn check(&self, threads: &mut [Thread]) -> u64 {
        let processes: Vec<_> = (0..PROCESSES).map(|n| self.process(n as u64)).collect();
        for caller in &self.callers {
            *caller.lock().unwrap() = None;
        }
        threads.iter_mut().for_each(|me| me.codes.clear());
        let mut files = Vec::new();
        for p in &processes {
            for fd in (0..FDS).filter_map(|fd| p.client.caller.fd(fd)) {
                files.push(fd);
            }
            for handle in 1..=HANDLES {
                if let Ok(fd) = p.client.sync_file(handle) {
                    files.extend(p.client.caller.fd(fd));
                    p.client.caller.close_fd(fd);
                }
            }
        }
        let caller = &self.master.caller;
        for file in &files {
            in_time("a fence without an end", || {
                info(file, caller).is_none_or(|info| info.status != 0)
            });
        }
        // Who has what, by global names. What was purged before others had it is not imported. The
        // user that asks has memory left.
        let probe = Client::open_primary_of(self.gpu.board(), &self.master, 1).unwrap();
        for file in &files {
            if let Some(FileInfo { status, .. }) = info(file, &probe.caller) {
                let fd = probe.caller.install(file.clone()).unwrap();
                match probe.merge(fd, fd) {
                    Ok(merged) => {
                        let twice = probe.sync_file_status(merged);
                        assert_eq!(twice, status, "merged with itself it ends otherwise");
                        probe.caller.close_fd(merged);
                    }
                    // Whose it is pays for it.
                    Err(e) => assert_eq!(e, errno::ENOMEM),
                }
                probe.caller.close_fd(fd);
            }
        }
        let mut known = BTreeSet::new();
        let mut unknown = 0;
        let mut shared = BTreeSet::new();
        let import = |client: &Client, file: &File| {
            let fd = client.caller.install(file.clone()).unwrap();
            let handle = client.import(fd);
            client.caller.close_fd(fd);
            handle
        };
        for file in files.iter().filter(|file| file.size().is_ok()) {
            let Ok(handle) = import(&probe, file) else {
                let had = processes.iter().any(|p| import(&p.client, file).is_ok());
                unknown += u64::from(!had);
                continue;
            };
            let name = probe.flink(handle).unwrap();
            known.insert(name);
            shared.insert(name);
            for p in &processes {
                match import(&p.client, file) {
                    Ok(theirs) => {
                        let theirs = p.client.flink(theirs);
                        assert_eq!(theirs, Ok(name), "the import is of another buffer");
                    }
                    Err(e) => assert_eq!(e, errno::ENOMEM),
                }
            }
        }
        let mut of_processes = 0;
        let mut holders: BTreeMap<u32, Vec<(usize, u32)>> = BTreeMap::new();
        for (n, p) in processes.iter().enumerate() {
            for handle in 1..=HANDLES {
                match p.client.flink(handle) {
                    Ok(name) => holders.entry(name).or_default().push((n, handle)),
                    // The process's own memory has no name.
                    Err(errno::EINVAL) => of_processes += 1,
                    Err(e) => assert_eq!(e, errno::ENOENT),
                }
            }
        }
        for (name, holders) in &holders {
            let who: BTreeSet<usize> = holders.iter().map(|(n, _)| *n).collect();
            if who.len() > 1 || shared.contains(name) {
                for (n, handle) in holders {
                    let client = &processes[*n].client;
                    let kept = self.gpu.advise(client, *handle, 2);
                    // A heap can also be purged first and shared later: nothing maps it then.
                    if kept != Ok(true) {
                        let fd = match client.export(*handle) {
                            Ok(fd) => fd,
                            Err(errno::ENOMEM) => continue,
                            Err(e) => panic!("error {e}"),
                        };
                        let size = client.caller.fd(fd).unwrap().size();
                        assert_eq!(size, Ok(HEAP), "what others have is purged: {kept:?}");
                        client.caller.close_fd(fd);
                    }
                }
            }
        }
        known.extend(holders.keys());
        drop(probe);
        // A job of each, so that the GPU has the page tables of all; what it did before has ended
        // then.
        let least = (known.len() + of_processes) as u64;
        let objects = || self.gpu.board().world().counters().objects;
        in_time("buffers without a holder", || objects() <= least + unknown);
        let mut nops = Vec::new();
        for p in &processes {
            let Ok(mut code) = self.gpu.code(&p.client) else {
                continue;
            };
            let Some(done) = p.syncobjs.any(0) else {
                continue;
            };
            let job = Job {
                bos: &[],
                waits: &[],
                done,
                astray: false,
                any: 0,
            };
            if self.gpu.submit(&p.client, &mut code, &job).is_ok() {
                nops.push((p, done, code));
            }
        }
        for (p, done, _) in &nops {
            p.client.syncobj_wait(*done, 20 * SEC).unwrap();
        }
        assert!(objects() >= least, "a buffer with a holder is gone");
        let looked = self.gpu.look();
        assert_eq!(self.gpu.board().world().counters().bad_dma, 0);
        looked
    }

    /// All files close.
    pub(super) fn end(self) {
        let Stage {
            gpu,
            master,
            processes,
            ..
        } = self;
        for p in processes.map(|p| p.into_inner().unwrap()) {
            (0..FDS).for_each(|fd| p.client.caller.close_fd(fd));
        }
        drop(master);
        in_time("charged without an owner", || gpu.stat("mem") == 0);
        gpu.finish();
    }
}

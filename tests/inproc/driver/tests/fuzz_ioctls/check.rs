// SPDX-License-Identifier: BSD-2-Clause
//! What must hold after each step, and when nothing is under way.

use super::Fuzz;
use driver_tests::SEC;
use std::collections::BTreeSet;

impl Fuzz {
    /// All jobs end. Every existing object has a holder, and all fences have signalled.
    pub(super) fn quiet(&mut self) -> Option<()> {
        let world = self.gpu.board().world();
        world.fail_allocation(None);
        world.advance(20 * SEC);
        let handles = self.users.iter().flat_map(|user| &user.held);
        let fds = self.users.iter().flat_map(|user| &user.fds);
        let codes = self.users.iter().filter_map(|user| user.code.as_ref());
        let codes = codes.filter(|(_, code)| code.handle.is_some());
        let buffers: BTreeSet<u64> = handles
            .map(|held| held.buffer)
            .chain(fds.map(|(buffer, _)| *buffer))
            .chain(codes.map(|(buffer, _)| *buffer))
            .collect();
        assert_eq!(
            world.counters().objects,
            buffers.len() as u64,
            "buffers without a holder, or too few"
        );
        let files = self.users.iter().map(|user| user.client.stat("mem"));
        let mem = files.sum::<u64>() + self.master.stat("mem");
        assert!(
            mem <= self.gpu.stat("mem"),
            "the device holds less than its files"
        );
        for user in &self.users {
            for fd in &user.files {
                assert_ne!(
                    user.client.sync_file_status(*fd),
                    0,
                    "a fence without an end"
                );
            }
        }
        Some(())
    }

    /// After each step.
    pub(super) fn check(&mut self) {
        let counters = self.gpu.board().world().counters();
        assert_eq!(counters.bad_dma, 0, "the GPU used memory that is not there");
        let pages = counters.object_pages * 4096;
        assert!(pages <= self.gpu.stat("mem"), "pages that are not charged");
        self.looked += self.gpu.look();
    }
}

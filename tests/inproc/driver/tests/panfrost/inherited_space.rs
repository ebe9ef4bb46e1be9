// SPDX-License-Identifier: BSD-2-Clause
//! An address space whose last owner went away after a fault is as good as any other.

use driver_tests::board;
use driver_tests::panfrost::{write_zero, Client};
use drm_os_host::Config;

/// CREATE_BO: no programs, and grown by faults.
const HEAP: u32 = 1 | 2;
/// No client is given this address.
const NOWHERE: u64 = 0x10_0000;

/// One client faults and leaves, which leaves the interrupts of its address space masked; the next
/// has the same address space and a heap, whose faults must be heard. Unheard, its job would be
/// taken for a hang half a second later.
#[test]
fn a_heap_grows_where_another_client_faulted() {
    let b = board("rk3399", Config::default());
    for _ in 0..3 {
        let astray = Client::open(&b).unwrap();
        let chain = astray.bo(4096, 1).unwrap();
        chain.write(0, &write_zero(NOWHERE, 0));
        astray
            .submit(chain.va, false, &[chain.handle], &[], 0)
            .unwrap();
        astray.wait(chain.handle, 10_000_000).unwrap();
        assert_eq!(
            astray.stat("faults"),
            2,
            "the address space's fault, and the job's"
        );
        drop((chain, astray));
        b.world().settle();

        let c = Client::open(&b).unwrap();
        let (chain, heap) = (c.bo(4096, 1).unwrap(), c.bo(8 << 20, HEAP).unwrap());
        chain.write(0, &write_zero(heap.va + (4 << 20), 0));
        c.submit(chain.va, false, &[chain.handle], &[], 0).unwrap();
        assert_eq!(c.wait(chain.handle, 10_000_000), Ok(()));
        assert_eq!((c.stat("jobs"), c.stat("faults")), (1, 0));
        assert_eq!(chain.read(0, 1), [1], "the job's header says DONE");
        drop((chain, heap, c));
    }
    b.close().unwrap();
}

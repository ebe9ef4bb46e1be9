// SPDX-License-Identifier: BSD-2-Clause
//! The way from an ioctl to the GPU and back.

use driver_tests::board;
use driver_tests::panfrost::{write_zero, Client};
use drm_os_host::Config;

#[test]
fn attach_and_detach_leave_nothing() {
    let b = board("rk3399", Config::default());
    b.world().advance(1_000_000_000);
    b.close().unwrap();
}

/// HW: the RK3399 register oracle of the facts, section 2.3.
#[test]
fn params_are_the_rk3399s() {
    let b = board("rk3399", Config::default());
    let c = Client::open(&b).unwrap();
    assert_eq!(c.param(0), Ok(0x860));
    assert_eq!(c.param(1), Ok(0x2000));
    assert_eq!(c.param(2), Ok(0xf));
    assert_eq!(c.param(8), Ok(0x0712_0206));
    assert_eq!(c.param(45), Err(22));
    drop(c);
    b.close().unwrap();
}

#[test]
fn a_job_writes_memory() {
    let b = board("rk3399", Config::default());
    let c = Client::open(&b).unwrap();
    let chain = c.bo(4096, 1).unwrap();
    let data = c.bo(4096, 1).unwrap();
    chain.write(0, &write_zero(data.va + 8, 0));
    data.write(0, &[0xff; 24]);
    let done = c.syncobj(false).unwrap();
    c.submit(chain.va, false, &[chain.handle, data.handle], &[], done)
        .unwrap();
    c.wait(data.handle, 1_000_000_000).unwrap();
    assert_eq!(
        [data.read_u64(0), data.read_u64(8), data.read_u64(16)],
        [u64::MAX, 0, u64::MAX]
    );
    assert_eq!(c.syncobj_wait(done, 0), Ok(()));
    assert_eq!(c.stat("jobs"), 1);
    assert_eq!(c.stat("faults"), 0);
    drop((chain, data, c));
    b.close().unwrap();
}

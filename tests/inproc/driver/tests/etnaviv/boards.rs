// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv on the boards with several cores and with older ones: each core works, and so does each
//! kind of buffer.

use crate::Rig;
use driver_tests::etnaviv::stream::{Engine, Template};
use driver_tests::etnaviv::{prep, Bo, Submit, UserMemory, BOARDS, IMX6Q};
use driver_tests::{errno, MS, SEC};
use drm_os_host::{Config, Device, World};

const PATTERN: u32 = 0x1234_5678;

#[test]
fn every_core_of_a_board_works() {
    let rig = Rig::on("imx6q", Config::default());
    let client = rig.client();
    let models = [0, 1].map(|pipe| client.param_of(pipe, 1));
    assert_eq!(models, [Ok(0x2000), Ok(0x320)]);
    assert_eq!(client.param_of(2, 1), Err(errno::ENXIO));
    for place in IMX6Q {
        client.expect_works_at(place);
    }
    drop(client);
    let all = rig.finish_all();
    assert!(all[0].rs_operations == 1 && all[0].rectangles == 0);
    assert!(all[1].rs_operations == 0 && all[1].rectangles == 1);
}

/// Uniforms and strides are no addresses that the validator sees, and an MMU of the first version
/// lets them reach physical memory. Catches: a core served that cannot be made safe, unless the
/// administrator says so; a refusal that keeps something, or says nothing.
#[test]
fn a_core_with_an_mmu_of_the_first_version_is_refused_unless_the_tunable_says_otherwise() {
    let attach = |tunables: &[(&str, u64)]| {
        let tunables = tunables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value));
        let world = World::new(Config {
            ram_base: 0x1000_0000,
            pages: 0x1_0000,
            tunables: tunables.collect(),
            ..Config::default()
        });
        let nodes: Vec<Device> = drmboard::board::cores("imx6q")
            .into_iter()
            .map(|(node, model)| world.add_device(node, model))
            .collect();
        let driver = etnaviv::DRIVER.as_ptr().cast();
        let attached: Vec<_> = nodes.iter().map(|node| node.attach(driver)).collect();
        for (node, result) in nodes.iter().zip(&attached) {
            if result.is_ok() {
                node.detach(false).unwrap();
            }
        }
        let counters = world.counters();
        assert_eq!((counters.power_domains_on, counters.clocks_enabled), (0, 0));
        let log = world.log_lines();
        drop(nodes);
        world.assert_clean();
        (attached, log)
    };
    for tunables in [&[][..], &[("etnaviv_mmuv1", 0)]] {
        let (attached, log) = attach(tunables);
        assert_eq!(attached, [Err(errno::ENODEV); 2]);
        for model in ["gc2000", "gc320"] {
            let line =
                |line: &&String| line.contains(model) && line.contains("hw.drmkpi.etnaviv_mmuv1");
            assert_eq!(log.iter().filter(line).count(), 1, "{log:?}");
        }
    }
    assert_eq!(attach(&[("etnaviv_mmuv1", 1)]).0, [Ok(()); 2]);
}

#[test]
fn a_gc3000_works() {
    let rig = Rig::on("imx6qp", Config::default());
    let client = rig.client();
    // HW: etnaviv.md 2.2: it reports a GC2000 of a revision that distinguishes it.
    assert_eq!(client.param_of(0, 1), Ok(0x3000));
    client.expect_works_at(BOARDS[1].1[0]);
    drop(client);
    assert_eq!(rig.finish().rs_operations, 1);
}

#[test]
fn a_copy_reads_one_buffer_and_writes_the_other() {
    let rig = Rig::on("imx6q", Config::default());
    let client = rig.client();
    let bos: Vec<Bo> = (0..2).map(|_| client.bo_unplaced(4096).unwrap()).collect();
    (0..1024).for_each(|n| bos[1].put(n * 4, n as u32));
    let submit = Submit::relocated(&Template::rs_copy(), &[&bos[0], &bos[1]]);
    let fence = client.submit_raw(&submit).unwrap();
    assert_eq!(client.end_of(fence, SEC), 1);
    assert!((0..Engine::Rs.words()).all(|n| bos[0].get(n * 4) == n as u32));
    client
        .gem_wait_on(0, bos[0].handle, 0, MS)
        .expect("it is idle already");
    drop((client, bos));
    rig.finish();
}

#[test]
fn memory_of_the_client_is_a_buffer() {
    for coherence in [false, true] {
        let config = Config {
            coherence,
            ..Config::default()
        };
        client_memory(Rig::on("imx6q", config));
    }
}

fn client_memory(rig: Rig) {
    let client = rig.client();
    let memory = UserMemory::new(2);
    // Still in the CPU's caches when the buffer is made.
    memory.put(4096 + 200, 7);
    assert_eq!(
        client.userptr(memory.address() + 4, 4096, 3),
        Err(errno::EINVAL)
    );
    let handle = client.userptr(memory.address(), memory.size(), 3).unwrap();
    for place in IMX6Q {
        let template = Template::fill(place.engine, PATTERN);
        let submit = Submit {
            bos: vec![(3, handle, 0)],
            ..Submit::relocated(&template, &[])
        };
        let submit = submit.on(place.pipe, place.engine.exec_state());
        client
            .cpu_prep(handle, prep::READ | prep::WRITE, SEC)
            .unwrap();
        memory.put(0, 0);
        client.cpu_fini(handle).unwrap();
        let fence = client.submit_raw(&submit).unwrap();
        assert_eq!(client.end_of(fence, SEC), 1);
        client.cpu_prep(handle, prep::READ, SEC).unwrap();
        assert_eq!((memory.get(0), memory.get(60)), (PATTERN, PATTERN));
        client.cpu_fini(handle).unwrap();
    }
    assert_eq!(memory.get(4096 + 200), 7);
    client.close(handle).unwrap();
    drop(client);
    rig.finish();
}

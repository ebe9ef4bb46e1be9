// SPDX-License-Identifier: BSD-2-Clause
//! The client on the boards with several cores and with older ones.

use super::stream::{Engine, Template};
use super::{prep, Bo, Client, Place, Pmr, Rig, Submit, UserMemory};
use crate::{errno, MS, SEC};
use drm_os_host::Config;

const PATTERN: u32 = 0x1234_5678;

/// Both cores of an i.MX6, and where each does its work.
const CORES: [Place; 2] = [
    Place {
        pipe: 0,
        engine: Engine::Rs,
        va: None,
    },
    Place {
        pipe: 1,
        engine: Engine::De,
        va: None,
    },
];

#[test]
fn every_core_of_a_board_works() {
    let rig = Rig::on("imx6q", Config::default());
    let client = rig.client();
    let models = [0, 1].map(|pipe| client.param_of(pipe, 1));
    assert_eq!(models, [Ok(0x2000), Ok(0x320)]);
    assert_eq!(client.param_of(2, 1), Err(errno::ENXIO));
    for place in CORES {
        client.expect_works_at(place);
    }
    drop(client);
    let all = rig.finish_all();
    assert!(all[0].rs_operations == 1 && all[0].rectangles == 0);
    assert!(all[1].rs_operations == 0 && all[1].rectangles == 1);
}

#[test]
fn a_gc3000_works() {
    let rig = Rig::on("imx6qp", Config::default());
    let client = rig.client();
    // HW: etnaviv.md 2.2: it says that it is a GC2000 of a revision that tells it apart.
    assert_eq!(client.param_of(0, 1), Ok(0x3000));
    client.expect_works_at(CORES[0]);
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
    assert_eq!(client.userptr(memory.address() + 4, 4096, 3), Err(errno::EINVAL));
    let handle = client.userptr(memory.address(), memory.size(), 3).unwrap();
    for place in CORES {
        let template = Template::fill(place.engine, PATTERN);
        let submit = Submit {
            bos: vec![(3, handle, 0)],
            ..Submit::relocated(&template, &[])
        };
        let submit = submit.on(place.pipe, place.engine.exec_state());
        client.cpu_prep(handle, prep::READ | prep::WRITE, SEC).unwrap();
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

/// The signal of a core by name.
fn signal(client: &Client, pipe: u32, name: &str) -> (u8, u16) {
    let domains = client.pm_domains(pipe).unwrap();
    let signals = domains.iter().flat_map(|domain| {
        let signals = client.pm_signals(pipe, domain.id).unwrap();
        assert_eq!(signals.len(), usize::from(domain.signals), "{domain:?}");
        signals.into_iter().map(|signal| (domain.id, signal))
    });
    let found = signals.into_iter().find(|(_, signal)| signal.name == name);
    let (domain, signal) = found.expect("the core has the signal");
    (domain, signal.id)
}

#[test]
fn a_counter_is_read_before_and_after_a_job() {
    let rig = Rig::on("imx6q", Config::default());
    let client = rig.client();
    let (domain, signal) = signal(&client, 1, "PIXELS_RENDERED_2D");
    let samples = client.bo_unplaced(4096).unwrap();
    let work = client.work_at(CORES[1], PATTERN).unwrap();
    let mut submit = work.submit();
    submit.bos.push((3, samples.handle, 0));
    // As Mesa does: the sequence in the first word, samples from the third on.
    submit.pmrs = [(1, 2), (2, 3)]
        .map(|(flags, read_offset)| Pmr {
            flags,
            domain,
            signal,
            sequence: 41,
            read_offset,
            read_index: 1,
        })
        .to_vec();
    let fence = client.submit_raw(&submit).unwrap();
    assert_eq!(client.end_of(fence, SEC), 1);
    assert!(work.is_done());
    assert_eq!(samples.get(0), 41);
    assert_eq!(samples.get(12).wrapping_sub(samples.get(8)), 16, "pixels");
    drop((client, samples, work));
    rig.finish();
}

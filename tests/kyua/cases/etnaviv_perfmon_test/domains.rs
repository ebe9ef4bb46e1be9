// SPDX-License-Identifier: BSD-2-Clause
//! The domains and signals of the cores, and the requests that list them.

use super::open;
use atf::etnaviv::{Board, Client, Core, Engine};
use atf::{require, require_eq, require_errno, require_ok, Sys};
use uapi::etnaviv::*;

/// ABI: positions and names are what clients know them by.
const DOMAINS_3D: [(&str, &[&str]); 8] = [
    (
        "HI",
        &[
            "TOTAL_READ_BYTES8",
            "TOTAL_WRITE_BYTES8",
            "TOTAL_CYCLES",
            "IDLE_CYCLES",
            "AXI_CYCLES_READ_REQUEST_STALLED",
            "AXI_CYCLES_WRITE_REQUEST_STALLED",
            "AXI_CYCLES_WRITE_DATA_STALLED",
        ],
    ),
    (
        "PE",
        &[
            "PIXEL_COUNT_KILLED_BY_COLOR_PIPE",
            "PIXEL_COUNT_KILLED_BY_DEPTH_PIPE",
            "PIXEL_COUNT_DRAWN_BY_COLOR_PIPE",
            "PIXEL_COUNT_DRAWN_BY_DEPTH_PIPE",
        ],
    ),
    (
        "SH",
        &[
            "SHADER_CYCLES",
            "PS_INST_COUNTER",
            "RENDERED_PIXEL_COUNTER",
            "VS_INST_COUNTER",
            "RENDERED_VERTICE_COUNTER",
            "VTX_BRANCH_INST_COUNTER",
            "VTX_TEXLD_INST_COUNTER",
            "PXL_BRANCH_INST_COUNTER",
            "PXL_TEXLD_INST_COUNTER",
        ],
    ),
    (
        "PA",
        &[
            "INPUT_VTX_COUNTER",
            "INPUT_PRIM_COUNTER",
            "OUTPUT_PRIM_COUNTER",
            "DEPTH_CLIPPED_COUNTER",
            "TRIVIAL_REJECTED_COUNTER",
            "CULLED_COUNTER",
        ],
    ),
    ("SE", &["CULLED_TRIANGLE_COUNT", "CULLED_LINES_COUNT"]),
    (
        "RA",
        &[
            "VALID_PIXEL_COUNT",
            "TOTAL_QUAD_COUNT",
            "VALID_QUAD_COUNT_AFTER_EARLY_Z",
            "TOTAL_PRIMITIVE_COUNT",
            "PIPE_CACHE_MISS_COUNTER",
            "PREFETCH_CACHE_MISS_COUNTER",
            "CULLED_QUAD_COUNT",
        ],
    ),
    (
        "TX",
        &[
            "TOTAL_BILINEAR_REQUESTS",
            "TOTAL_TRILINEAR_REQUESTS",
            "TOTAL_DISCARDED_TEXTURE_REQUESTS",
            "TOTAL_TEXTURE_REQUESTS",
            "MEM_READ_COUNT",
            "MEM_READ_IN_8B_COUNT",
            "CACHE_MISS_COUNT",
            "CACHE_HIT_TEXEL_COUNT",
            "CACHE_MISS_TEXEL_COUNT",
        ],
    ),
    (
        "MC",
        &[
            "TOTAL_READ_REQ_8B_FROM_PIPELINE",
            "TOTAL_READ_REQ_8B_FROM_IP",
            "TOTAL_WRITE_REQ_8B_FROM_PIPELINE",
        ],
    ),
];
const DOMAINS_2D: [(&str, &[&str]); 1] = [("PE", &["PIXELS_RENDERED_2D"])];

pub(super) fn domains(core: &Core) -> &'static [(&'static str, &'static [&'static str])] {
    match core.engine {
        Engine::De => &DOMAINS_2D,
        Engine::Blt | Engine::Rs => &DOMAINS_3D,
    }
}

fn query_domain(client: &Client, pipe: u32, iter: u8) -> Sys<PmDomain> {
    // What the caller left in the answers does not matter.
    let mut arg = PmDomain {
        pipe,
        iter,
        id: 0xee,
        nr_signals: 0xeeee,
        name: [0xee; 64],
    };
    client.node.ioctl(PM_QUERY_DOM, &mut arg).map(|_| arg)
}

fn query_signal(client: &Client, pipe: u32, domain: u8, iter: u16) -> Sys<PmSignal> {
    let mut arg = PmSignal {
        pipe,
        domain,
        pad: 0xee,
        iter,
        id: 0xeeee,
        name: [0xee; 64],
    };
    client.node.ioctl(PM_QUERY_SIG, &mut arg).map(|_| arg)
}

/// A name is what is before the zeroes, and there are zeroes up to the end.
fn text(name: &[u8; 64]) -> String {
    let len = name.iter().position(|byte| *byte == 0).unwrap_or(64);
    require!(
        len < 64 && name[len..].iter().all(|byte| *byte == 0),
        "{name:x?}"
    );
    String::from_utf8_lossy(&name[..len]).into_owned()
}

pub(super) fn query(board: &'static Board) {
    let client = open(board);
    for core in board.cores {
        let expected = domains(core);
        let mut next = 0;
        for (id, (name, signals)) in expected.iter().enumerate() {
            let domain = require_ok!(query_domain(&client, core.pipe, next));
            require_eq!(usize::from(domain.id), id);
            require_eq!(text(&domain.name), *name);
            require_eq!(usize::from(domain.nr_signals), signals.len(), "{name}");
            next = domain.iter;
            let last = id + 1 == expected.len();
            require_eq!(next, if last { 0xff } else { id as u8 + 1 });
            let mut next = 0;
            for (number, signal) in signals.iter().enumerate() {
                let arg = require_ok!(query_signal(&client, core.pipe, domain.id, next));
                require_eq!(usize::from(arg.id), number);
                require_eq!(text(&arg.name), *signal);
                require_eq!(arg.domain, domain.id);
                next = arg.iter;
                let last = number + 1 == signals.len();
                require_eq!(next, if last { 0xffff } else { number as u16 + 1 });
            }
        }
    }
}

pub(super) fn query_errors(board: &'static Board) {
    let client = open(board);
    for core in board.cores {
        let count = domains(core).len() as u8;
        for iter in [count, count + 1, 0x7f, 0xff] {
            require_errno!(query_domain(&client, core.pipe, iter), libc::EINVAL);
            require_errno!(query_signal(&client, core.pipe, iter, 0), libc::EINVAL);
        }
        for (domain, (_, signals)) in domains(core).iter().enumerate() {
            let signals = signals.len() as u16;
            for iter in [signals, signals + 1, 0xff, 0xffff] {
                require_errno!(
                    query_signal(&client, core.pipe, domain as u8, iter),
                    libc::EINVAL
                );
            }
        }
    }
    for pipe in board.missing_pipes() {
        require_errno!(query_domain(&client, pipe, 0xff), libc::ENXIO);
        require_errno!(query_signal(&client, pipe, 0xff, 0xffff), libc::ENXIO);
    }
    for pipe in [4, 5, u32::MAX] {
        require_errno!(query_domain(&client, pipe, 0), libc::EINVAL);
        require_errno!(query_signal(&client, pipe, 0, 0), libc::EINVAL);
    }
}

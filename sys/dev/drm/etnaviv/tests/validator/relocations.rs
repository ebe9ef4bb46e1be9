// SPDX-License-Identifier: BSD-2-Clause
//! Where relocations may write, and what they may point to.

use crate::cases::{load, why};
use crate::reader::reloc;
use etnaviv::stream::{CmdStream, Placed, Policy, Reloc, Why};

#[test]
fn relocations_go_where_addresses_go() {
    let mut stream = load(0x01410, &[7]); // PE DEPTH_ADDR: words 0, 1
    stream.extend(load(0x01414, &[7])); // PE DEPTH_STRIDE: words 2, 3
    stream.extend(load(0x01460, &[7, 7])); // PE PIPE_COLOR_ADDR: words 4 to 6, 7 fills up
    stream.extend(load(0x30000, &[7])); // SH UNIFORMS: words 8, 9
    stream.extend([0x2800_0000, 4, 0, 1]); // words 10 to 13
    let good = [reloc(4), reloc(20), reloc(24)];
    let v1 = |relocs: &[Reloc]| why(&stream, relocs, Policy::Mmuv1);
    assert_eq!(v1(&good), None);
    assert_eq!(
        v1(&[good[0], good[1], good[2], reloc(36)]),
        None,
        "a uniform may be an address"
    );
    assert_eq!(
        v1(&[good[0], good[0], good[1], good[2]]),
        None,
        "the last one counts"
    );
    assert_eq!(v1(&[]), Some((1, Why::Uncovered)));
    assert_eq!(v1(&good[1..]), Some((1, Why::Uncovered)));
    assert_eq!(v1(&good[..2]), Some((6, Why::Uncovered)));
    assert_eq!(v1(&[good[0], good[2]]), Some((5, Why::Uncovered)));
    assert_eq!(
        v1(&[good[0], good[2], good[1]]),
        Some((5, Why::Uncovered)),
        "out of order"
    );
    for policy in [Policy::Mmuv1, Policy::Mmuv2] {
        let at = |offset: u32| {
            let mut relocs = good.to_vec();
            relocs.push(reloc(offset));
            relocs.sort_by_key(|reloc| reloc.submit_offset);
            why(&stream, &relocs, policy)
        };
        // Headers, a stride, a padding word, a draw, between words, after the end.
        for offset in [
            0,
            8,
            12,
            16,
            28,
            32,
            40,
            44,
            48,
            52,
            5,
            6,
            21,
            22,
            35,
            37,
            56,
            60,
            0x8000_0000,
            u32::MAX,
        ] {
            let refused =
                at(offset).unwrap_or_else(|| panic!("relocation at {offset} with {policy:?}"));
            assert!(
                matches!(refused.1, Why::Relocation | Why::Uncovered),
                "{offset}: {refused:?}"
            );
        }
        assert_eq!(at(36), None);
    }
    assert_eq!(why(&stream, &[], Policy::Mmuv2), None);
    assert_eq!(why(&stream, &good[1..2], Policy::Mmuv2), None);
    // An address converted to floating point is another address.
    let mut float = stream.clone();
    float[0] |= 0x0400_0000;
    assert_eq!(
        why(&float, &good, Policy::Mmuv1),
        Some((1, Why::FixedPoint))
    );
    assert_eq!(
        why(&float, &good, Policy::Mmuv2),
        Some((1, Why::FixedPoint))
    );
    assert_eq!(why(&float, &[], Policy::Mmuv2), None);
    let mut float = stream.clone();
    float[8] |= 0x0400_0000;
    assert_eq!(why(&float, &good, Policy::Mmuv1), None);
}

#[test]
fn relocations_point_into_their_object() {
    let stream = load(0x01410, &[7]);
    let relocated = |reloc: Reloc, objects: &[Placed]| {
        let mut words = stream.clone();
        let relocs = [reloc];
        let checked = CmdStream::new(&mut words[..])
            .validate(Policy::Mmuv1, &relocs)
            .unwrap();
        checked
            .relocate(|i| objects.get(i as usize).copied())
            .map(|stream| stream.words()[1])
            .map_err(|refused| refused.why)
    };
    let object = Placed {
        iova: 0x8000_1000,
        bytes: 0x3000,
    };
    let to = |reloc_idx, reloc_offset| Reloc {
        submit_offset: 4,
        reloc_idx,
        reloc_offset,
        ..Reloc::default()
    };
    assert_eq!(relocated(to(0, 0), &[object]), Ok(0x8000_1000));
    assert_eq!(relocated(to(0, 0x2ffc), &[object]), Ok(0x8000_3ffc));
    assert_eq!(
        relocated(
            to(1, 0),
            &[
                object,
                Placed {
                    iova: 0xffff_f000,
                    bytes: 0x1000
                }
            ]
        ),
        Ok(0xffff_f000)
    );
    for offset in [0x2ffd, 0x3000, 1 << 32, u64::MAX - 3, u64::MAX] {
        assert_eq!(
            relocated(to(0, offset), &[object]),
            Err(Why::Bounds),
            "{offset:#x}"
        );
    }
    assert_eq!(
        relocated(to(0, 0), &[Placed { iova: 0, bytes: 3 }]),
        Err(Why::Bounds)
    );
    assert_eq!(
        relocated(
            to(0, 0x1000),
            &[Placed {
                iova: 0xffff_f000,
                bytes: 1 << 33
            }]
        ),
        Err(Why::Bounds)
    );
    assert_eq!(relocated(to(1, 0), &[object]), Err(Why::Object));
    assert_eq!(relocated(to(u32::MAX, 0), &[object]), Err(Why::Object));
    assert_eq!(
        relocated(
            Reloc {
                flags: 1,
                ..to(0, 0)
            },
            &[object]
        ),
        Err(Why::Object)
    );
}

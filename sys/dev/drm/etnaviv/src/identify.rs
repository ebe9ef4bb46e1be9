// SPDX-License-Identifier: BSD-2-Clause
//! Reads the identity of a core from its registers, and corrects values that are known to be wrong.
//!
//! [`identify`] reads registers by a function, and only those that the core is known to have:
//! reading the product and the engineering change order of a GC600 of revision 0x19 is an error on
//! the bus.

use crate::features::{Features, Words};
use crate::hwdb::{self, Quirks};
use crate::identity::{Identity, Ids, Specs, Unsupported};
use crate::regs::hi;

/// Identifies a core. `read` reads the 32-bit register at a byte offset.
///
/// # Errors
///
/// [`Unsupported`] if there is no core, or none that the driver supports.
pub fn identify(mut read: impl FnMut(u32) -> u32) -> Result<Identity, Unsupported> {
    let ids = ids(&mut read);
    if ids.model == 0 {
        return Err(Unsupported::Absent);
    }
    let (words, specs) = match hwdb::find(&ids) {
        Some(row) => (row.words, row.specs),
        None => {
            let words = words(&ids, &mut read);
            let specs = specs(&ids, Features::of(&words), &mut read);
            (words, specs)
        }
    };
    let features = Features::of(&words);
    if features.contains(Features::PIPE_VG.union(Features::FE20)) {
        return Err(Unsupported::VectorGraphics);
    }
    Ok(Identity {
        ids,
        words,
        features,
        specs,
    })
}

fn ids(read: &mut impl FnMut(u32) -> u32) -> Ids {
    let identity = read(hi::CHIP_IDENTITY);
    if identity >> 24 == 1 {
        return Ids {
            model: 0x500,
            revision: (identity >> 12) & 0xf,
            ..Ids::default()
        };
    }
    let date = read(hi::DATE);
    let mut ids = Ids {
        model: read(hi::MODEL),
        revision: read(hi::REVISION),
        customer_id: read(hi::CUSTOMER_ID),
        ..Ids::default()
    };
    if (ids.model, ids.revision) != (0x600, 0x19) {
        ids.product_id = read(hi::PRODUCT_ID);
        ids.eco_id = read(hi::ECO_ID);
    }
    // HW: the GC400 is sold under several numbers, the GC420 is another core.
    if ids.model & 0xff00 == 0x400 && ids.model != 0x420 {
        ids.model = 0x400;
    }
    match (ids.model, ids.revision, date) {
        // HW: a change of the design without a new revision.
        (0x300, 0x2201, 0x2008_0814) if read(hi::TIME) == 0x1205_1100 => ids.revision = 0x1051,
        // HW: the "GC2000+" of the i.MX 6QP.
        (0x2000, 0xffff_5450, _) => (ids.model, ids.revision) = (0x3000, 0x5450),
        (0x1000, 0x5037, 0x2012_0617) | (0x320, 0x5303, 0x2014_0511) => ids.eco_id = 1,
        _ => {}
    }
    ids
}

/// The feature words that are in registers; the others are 0.
fn words(ids: &Ids, read: &mut impl FnMut(u32) -> u32) -> Words {
    // OVERFLOW: none, for the callers' bits are constants below 32.
    let bit = |bit: u32| 1u32.wrapping_shl(bit);
    let mut major = read(hi::FEATURES);
    if ids.model == 0x700 {
        major &= !bit(0);
    }
    if ids.model == 0x300 || (ids.model == 0x500 && ids.revision <= 2) {
        major |= bit(9);
    }
    let mut minor = [0u32; 6];
    let [first, rest @ ..] = &mut minor;
    // HW: the oldest cores do not have these registers.
    let old =
        (ids.model == 0x500 && ids.revision < 2) || (ids.model == 0x300 && ids.revision < 0x2000);
    let [first_register, registers @ ..] = hi::MINOR_FEATURES;
    if !old {
        *first = read(first_register);
    }
    if *first & bit(21) != 0 {
        for (word, register) in rest.iter_mut().zip(registers) {
            *word = read(register);
        }
    }
    let [m0, m1, m2, m3, m4, m5] = minor;
    [major, m0, m1, m2, m3, m4, m5, 0, 0, 0, 0, 0, 0]
}

/// The sizes in the specification registers, or known values for those that are 0 there.
fn specs(ids: &Ids, features: Features, read: &mut impl FnMut(u32) -> u32) -> Specs {
    let registers = match features.contains(Features::MORE_MINOR_FEATURES) {
        true => hi::SPECS.map(read),
        false => [0; 4],
    };
    let [one, two, three, four] = registers;
    // OVERFLOW: none, for the callers' values are constants below 32.
    let field =
        |register: u32, low: u32, bits: u32| (register >> low) & !u32::MAX.wrapping_shl(bits);
    let or = |value: u32, default: u32| if value == 0 { default } else { value };
    let power_or = |exponent: u32, default: u32| match exponent {
        0 => default,
        // OVERFLOW: none, for exponents have four bits.
        exponent => 1u32.wrapping_shl(exponent),
    };
    let large = ids.model >= 0x1000;
    let less = u32::from(hwdb::quirks(ids.model, ids.revision).contains(Quirks::VARYING_LESS));
    let varyings = or(
        field(three, 4, 5),
        if features.contains(Features::HALTI0) {
            12
        } else {
            8
        },
    );
    Specs {
        stream_count: or(
            or(field(four, 12, 5), field(one, 0, 4)),
            if large { 4 } else { 1 },
        ),
        register_max: power_or(field(one, 4, 4), if ids.model == 0x400 { 32 } else { 64 }),
        thread_count: power_or(
            field(one, 8, 4),
            match ids.model {
                0x400 => 64,
                0x500 | 0x530 => 128,
                _ => 256,
            },
        ),
        vertex_cache_size: or(field(one, 12, 5), 8),
        shader_core_count: or(field(one, 20, 5), if large { 2 } else { 1 }),
        pixel_pipes: or(field(one, 25, 3), 1),
        vertex_output_buffer_size: power_or(
            field(one, 28, 4),
            match (ids.model, ids.revision) {
                (0x400, ..0x4000) => 512,
                (0x400, ..0x4200) => 256,
                (0x400, _) => 128,
                _ => 512,
            },
        ),
        buffer_size: field(two, 0, 8),
        instruction_count: match (field(two, 8, 8), ids.model, ids.revision) {
            (0, 0x2000, 0x5108) | (0, 0x880, _) => 512,
            (1, ..) => 1024,
            (2, ..) => 2048,
            _ => 256,
        },
        num_constants: or(field(two, 16, 16), 168),
        // OVERFLOW: saturates at 0, below which there are no varyings.
        num_varyings: varyings.saturating_sub(less),
    }
}

#[cfg(test)]
#[path = "identify_tests.rs"]
mod tests;

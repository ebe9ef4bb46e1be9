// SPDX-License-Identifier: BSD-2-Clause
//! Ioctl tables.
//!
//! Checked at compile time: numbers have no gap, and each structure has the size in its request
//! code. A shorter structure, of a client that was built against an older header, is extended by
//! zeroes; the rest of a longer one must be zero.

use crate::drm::driver::{Call, Driver};
use crate::util::errno::Result;

/// Permission to call an ioctl.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Files of the render node, too.
    pub render: bool,
    /// On the primary node, only authenticated files.
    pub auth: bool,
    /// Only the master.
    pub master: bool,
    /// Only the privileged.
    pub root: bool,
}

/// Any file of the primary node.
pub const ANY: Access = Access {
    render: false,
    auth: false,
    master: false,
    root: false,
};
/// Any file.
pub const RENDER: Access = Access {
    render: true,
    ..ANY
};
/// Authenticated files of the primary node.
pub const AUTH: Access = Access { auth: true, ..ANY };
/// The master.
pub const MASTER: Access = Access {
    master: true,
    ..ANY
};
/// The privileged, authenticated master.
pub const ROOT: Access = Access {
    auth: true,
    master: true,
    root: true,
    ..ANY
};

/// One ioctl.
pub struct Ioctl<D: Driver> {
    /// The number within group 'd'.
    pub nr: u32,
    /// The size of its structure in bytes; 0 if it has none.
    pub size: usize,
    /// The permission to call it.
    pub access: Access,
    /// Its function, with the structure in `data`: the bytes that are missing there are zero. It
    /// changes `data` only if it succeeds.
    pub run: fn(&Call<'_, D>, data: &mut [u8]) -> Result<()>,
}

/// The number in a Linux request code.
pub const fn code_nr(code: u32) -> u32 {
    code & 0xff
}

/// The size in a Linux request code.
#[expect(clippy::as_conversions, reason = "14 bits to usize in a const fn")]
pub const fn code_size(code: u32) -> usize {
    ((code >> 16) & 0x3fff) as usize
}

/// Whether a Linux request code says that the user's structure is written.
pub const fn code_returns(code: u32) -> bool {
    code >> 31 != 0
}

/// Whether `table` has the numbers `first`, `first + 1` and so on, as dispatch requires.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "at compile time only"
)]
pub const fn is_dense<D: Driver>(table: &[Ioctl<D>], first: u32) -> bool {
    let mut i = 0;
    let mut nr = first;
    while i < table.len() {
        if table[i].nr != nr {
            return false;
        }
        i += 1;
        nr += 1;
    }
    true
}

/// Declares one ioctl: Linux request code, argument structure, access, function.
#[macro_export]
macro_rules! drm_ioctl {
    ($code:literal, $arg:ty, $access:expr, $run:expr) => {{
        const _: () = assert!(
            $crate::drm::ioctl::code_size($code) == <$arg as $crate::util::uapi::Uapi>::SIZE,
            "size in the request code"
        );
        $crate::drm::ioctl::Ioctl {
            nr: $crate::drm::ioctl::code_nr($code),
            size: <$arg as $crate::util::uapi::Uapi>::SIZE,
            access: $access,
            run: |call, data| {
                let mut arg = <$arg as $crate::util::uapi::Uapi>::read(data);
                $run(call, &mut arg)?;
                if $crate::drm::ioctl::code_returns($code) {
                    $crate::util::uapi::Uapi::write(&arg, data);
                }
                Ok(())
            },
        }
    }};
}

/// The group of all DRM ioctls.
pub(crate) const GROUP: u32 = 0x64;
/// Driver ioctls start here (DRM_COMMAND_BASE) and end before `DRIVER_END`.
pub const DRIVER_BASE: u32 = 0x40;
pub(crate) const DRIVER_END: u32 = 0xa0;

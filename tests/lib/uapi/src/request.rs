// SPDX-License-Identifier: BSD-2-Clause
//! Request codes of ioctl(2) in Linux's encoding: direction in bits 31..30, size in 29..16, group
//! in 15..8, number in 7..0.
//!
//! Direction 1 means that the caller writes (the kernel reads), 2 that it reads.

use crate::{Field, Plain};
use std::marker::PhantomData;

/// A request code whose argument is a `T`.
#[derive(Debug)]
pub struct Request<T> {
    code: u32,
    argument: PhantomData<fn(&mut T)>,
}

impl<T> Clone for Request<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Request<T> {}

impl<T> Request<T> {
    /// The number that ioctl(2) takes.
    pub const fn code(self) -> u32 {
        self.code
    }

    /// The group: a letter.
    pub const fn group(self) -> u32 {
        self.code >> 8 & 0xff
    }

    /// The number in the group.
    pub const fn nr(self) -> u32 {
        self.code & 0xff
    }

    /// The same request number with another argument type, as programs of other versions send it.
    pub const fn with<U>(self) -> Request<U> {
        request(self.code >> 30, self.group() as u8, self.nr() as u8)
    }
}

impl<T: Plain> Request<T> {
    /// The fields of the structure, in order.
    pub const fn fields(self) -> &'static [Field] {
        T::FIELDS
    }
}

/// The code of any direction and size.
///
/// # Panics
/// If the size needs more than 14 bits.
pub const fn code(direction: u32, group: u8, nr: u8, size: usize) -> u32 {
    assert!(size < 1 << 14, "the size field has 14 bits");
    direction << 30 | (size as u32) << 16 | (group as u32) << 8 | nr as u32
}

const fn request<T>(direction: u32, group: u8, nr: u8) -> Request<T> {
    Request {
        code: code(direction, group, nr, size_of::<T>()),
        argument: PhantomData,
    }
}

/// `_IO`: no argument.
pub const fn io<T>(group: u8, nr: u8) -> Request<T> {
    assert!(size_of::<T>() == 0, "_IO has no argument");
    request(0, group, nr)
}

/// `_IOW`: the kernel reads a `T`.
pub const fn iow<T>(group: u8, nr: u8) -> Request<T> {
    request(1, group, nr)
}

/// `_IOR`: the kernel writes a `T`.
pub const fn ior<T>(group: u8, nr: u8) -> Request<T> {
    request(2, group, nr)
}

/// `_IOWR`: the kernel reads and writes a `T`.
pub const fn iowr<T>(group: u8, nr: u8) -> Request<T> {
    request(3, group, nr)
}

/// `requests! { GROUP, PREFIX; NAME: iow<T> = NR; ... }` defines the requests of a header, and
/// `NAMES` with the number and the prefixed name of each.
macro_rules! requests {
    ($group:literal, $prefix:literal;
        $($(#[$doc:meta])* $name:ident: $kind:ident<$argument:ty> = $nr:literal;)*) => {
        $(
            $(#[$doc])*
            pub const $name: $crate::Request<$argument> = $crate::$kind($group, $nr);
        )*

        /// The number and the name of each request.
        pub const NAMES: &[(u32, &str)] = &[$(($nr, concat!($prefix, stringify!($name)))),*];
    };
}
pub(crate) use requests;

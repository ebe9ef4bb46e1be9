// SPDX-License-Identifier: BSD-2-Clause
//! Structures of the ABI as bytes, field by field.

/// A value that is the same in memory and in bytes, in the byte order of the machine.
pub trait Plain: Copy {
    /// All bytes zero.
    const ZERO: Self;

    /// Writes it to the beginning of `bytes`.
    fn store(&self, bytes: &mut [u8]);

    /// Reads it from the beginning of `bytes`.
    fn load(bytes: &[u8]) -> Self;
}

/// A field of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its first byte.
    pub offset: usize,
    /// Bytes.
    pub len: usize,
}

/// The argument of a request.
pub trait Argument: Plain {
    /// Its fields, in order.
    const FIELDS: &'static [Field];

    /// Its bytes; padding is zero.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<Self>()];
        self.store(&mut bytes);
        bytes
    }

    /// The bytes of several, as an array of C has them.
    fn array(items: &[Self]) -> Vec<u8> {
        items.iter().flat_map(Argument::to_bytes).collect()
    }

    /// Reads it from bytes; those beyond its size are ignored.
    ///
    /// # Panics
    /// If there are fewer.
    fn from_bytes(bytes: &[u8]) -> Self {
        Self::load(bytes)
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Plain for $number {
            const ZERO: $number = 0;

            fn store(&self, bytes: &mut [u8]) {
                bytes[..size_of::<$number>()].copy_from_slice(&self.to_ne_bytes());
            }

            fn load(bytes: &[u8]) -> $number {
                let mut own = [0; size_of::<$number>()];
                own.copy_from_slice(&bytes[..size_of::<$number>()]);
                <$number>::from_ne_bytes(own)
            }
        }
    )*};
}
numbers! { u8 u16 u32 u64 i32 i64 }

impl<T: Plain, const N: usize> Plain for [T; N] {
    const ZERO: [T; N] = [T::ZERO; N];

    fn store(&self, bytes: &mut [u8]) {
        for (item, at) in self.iter().zip((0..).step_by(size_of::<T>())) {
            item.store(&mut bytes[at..]);
        }
    }

    fn load(bytes: &[u8]) -> [T; N] {
        std::array::from_fn(|i| T::load(&bytes[i * size_of::<T>()..]))
    }
}

impl Plain for () {
    const ZERO: () = ();

    fn store(&self, _: &mut [u8]) {}

    fn load(_: &[u8]) {}
}

impl Argument for () {
    const FIELDS: &'static [Field] = &[];
}

/// `structures! { pub struct NAME: BYTES { pub FIELD: TYPE, ... } ... }` defines structures of C
/// whose sizes are checked.
macro_rules! structures {
    ($($(#[$doc:meta])* pub struct $name:ident: $size:literal {
        $($(#[$field_doc:meta])* pub $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        const _: () = assert!(size_of::<$name>() == $size);

        impl Default for $name {
            fn default() -> $name {
                <$name as $crate::Plain>::ZERO
            }
        }

        impl $crate::Plain for $name {
            const ZERO: $name = $name { $($field: <$type as $crate::Plain>::ZERO,)* };

            fn store(&self, bytes: &mut [u8]) {
                $($crate::Plain::store(
                    &self.$field,
                    &mut bytes[::std::mem::offset_of!($name, $field)..],
                );)*
            }

            fn load(bytes: &[u8]) -> $name {
                $name {
                    $($field: $crate::Plain::load(
                        &bytes[::std::mem::offset_of!($name, $field)..],
                    ),)*
                }
            }
        }

        impl $crate::Argument for $name {
            const FIELDS: &'static [$crate::Field] = &[$($crate::Field {
                name: stringify!($field),
                offset: ::std::mem::offset_of!($name, $field),
                len: size_of::<$type>(),
            }),*];
        }
    )*};
}
pub(crate) use structures;

// SPDX-License-Identifier: BSD-2-Clause
//! Structures of the ABI as bytes, field by field.

/// A field of a structure.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name.
    pub name: &'static str,
    /// Offset in bytes.
    pub offset: usize,
    /// Size in bytes.
    pub len: usize,
    /// The fields of its type, if that is a structure.
    pub fields: &'static [Field],
}

/// A value of the ABI: a number, an array, or a structure of them. Its bytes are in the byte order
/// of the machine.
pub trait Plain: Copy {
    /// All bytes zero.
    const ZERO: Self;

    /// The fields of a structure, in order.
    const FIELDS: &'static [Field] = &[];

    /// Writes the value to the beginning of `bytes`.
    fn store(&self, bytes: &mut [u8]);

    /// Reads a value from `bytes`, whose length must be that of the value.
    fn load(bytes: &[u8]) -> Self;

    /// The bytes of the value; padding is zero.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<Self>()];
        self.store(&mut bytes);
        bytes
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

/// `structures! { pub struct NAME: BYTES { pub FIELD: TYPE, ... } ... }` defines structures with
/// the layout of C, and checks their sizes.
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

            const FIELDS: &'static [$crate::Field] = &[$($crate::Field {
                name: stringify!($field),
                offset: ::std::mem::offset_of!($name, $field),
                len: size_of::<$type>(),
                fields: <$type as $crate::Plain>::FIELDS,
            }),*];

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
    )*};
}
pub(crate) use structures;

// SPDX-License-Identifier: BSD-2-Clause
//! What is known of an ioctl: its request code and the fields of its structure, in order.

/// What a field's number is about: how it is chosen, and how it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A plain number.
    Num,
    /// A signed number.
    Int,
    /// A GEM handle of the file.
    Gem,
    /// A syncobj of the file.
    Sync,
    /// A descriptor of the process.
    Fd,
    /// A global name of a GEM object.
    Flink,
    /// A magic number of authentication.
    Magic,
    /// An offset for mmap(2).
    Cookie,
    /// A GPU address of the file.
    Va,
    /// A fence number of the device.
    Fence,
    /// A process.
    Pid,
    /// An address of the process.
    Ptr,
    /// Bytes, as text.
    Text,
}

/// A field.
#[derive(Debug)]
pub struct Field {
    /// Its name in the uapi.
    pub name: &'static str,
    /// Bytes.
    pub len: usize,
    /// What it is about.
    pub class: Class,
}

/// An ioctl.
#[derive(Debug)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// Its request code.
    pub code: u32,
    /// Its structure.
    pub fields: &'static [Field],
}

impl Spec {
    /// Where a field lies: its place among the fields, and its bytes. Panics when there is none of
    /// that name.
    pub fn find(&self, name: &str) -> (usize, std::ops::Range<usize>) {
        let mut at = 0;
        for (i, field) in self.fields.iter().enumerate() {
            if field.name == name {
                return (i, at..at + field.len);
            }
            at += field.len;
        }
        panic!("{} has no field {name}", self.name)
    }

    /// Bytes of the structure.
    pub fn size(&self) -> usize {
        (self.code >> 16 & 0x3fff) as usize
    }
}

/// Direction: the kernel reads.
pub const W: u32 = 1;
/// Direction: the kernel writes.
pub const R: u32 = 2;

/// A request code in Linux's encoding.
pub const fn code(dir: u32, group: u8, nr: u32, size: usize) -> u32 {
    dir << 30 | (size as u32) << 16 | (group as u32) << 8 | nr
}

/// `spec!(NAME, direction, group, number, field: bytes Class, ...)` declares an ioctl.
macro_rules! spec {
    (
        $id:ident, $dir:expr, $group:expr, $nr:expr
        $(, $field:ident : $len:literal $class:ident)* $(,)?
    ) => {
        pub static $id: $crate::abi::spec::Spec = $crate::abi::spec::Spec {
            name: stringify!($id),
            code: $crate::abi::spec::code($dir, $group, $nr, 0 $(+ $len)*),
            fields: &[$($crate::abi::spec::Field {
                name: stringify!($field),
                len: $len,
                class: $crate::abi::spec::Class::$class,
            }),*],
        };
    };
}
pub(crate) use spec;

// SPDX-License-Identifier: BSD-2-Clause
//! What is known of an ioctl: its request code, and the fields of its structure in order, with what
//! their numbers mean.

use std::ops::Range;

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
    /// A job-manager context of the file.
    Context,
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

/// An ioctl.
#[derive(Debug)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// Its request code.
    pub code: u32,
    /// The fields of its structure.
    pub structure: &'static [uapi::Field],
    /// What each of [`Spec::fields`] is about.
    pub classes: &'static [Class],
}

/// A field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in the uapi.
    pub name: &'static str,
    /// Where it lies.
    pub at: Range<usize>,
    /// What it is about.
    pub class: Class,
}

/// How many fields there are, those of structures in a structure counted each.
pub const fn count(fields: &[uapi::Field]) -> usize {
    let (mut n, mut i) = (0, 0);
    while i < fields.len() {
        n += match fields[i].fields {
            [] => 1,
            inner => inner.len(),
        };
        i += 1;
    }
    n
}

impl Spec {
    /// The fields in order, those of a structure in the structure in its place.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        let flat = self.structure.iter().flat_map(|field| {
            let inner = match field.fields {
                [] => std::slice::from_ref(field),
                inner => inner,
            };
            let base = if field.fields.is_empty() {
                0
            } else {
                field.offset
            };
            inner.iter().map(move |part| {
                let start = base + part.offset;
                (part.name, start..start + part.len)
            })
        });
        let both = flat.zip(self.classes);
        both.map(|((name, at), class)| Field {
            name,
            at,
            class: *class,
        })
    }

    /// Where a field lies: its place among the fields, and its bytes. Panics when there is none of
    /// that name.
    pub fn find(&self, name: &str) -> (usize, Range<usize>) {
        let found = self.fields().enumerate().find(|(_, f)| f.name == name);
        let (i, field) = found.unwrap_or_else(|| panic!("{} has no field {name}", self.name));
        (i, field.at)
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

/// `spec!(NAME, REQUEST: Class ...)` declares an ioctl with the class of each field.
macro_rules! spec {
    ($id:ident, $module:ident::$request:ident $(: $($class:ident)+)?) => {
        pub static $id: $crate::abi::spec::Spec = {
            use $crate::abi::spec::{count, Class, Spec};
            const CLASSES: &[Class] = &[$($(Class::$class),+)?];
            let structure = $module::$request.fields();
            assert!(count(structure) == CLASSES.len());
            Spec {
                name: stringify!($id),
                code: $module::$request.code(),
                structure,
                classes: CLASSES,
            }
        };
    };
}
pub(crate) use spec;

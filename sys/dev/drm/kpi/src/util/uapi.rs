// SPDX-License-Identifier: BSD-2-Clause
//! The argument structures of the DRM core's ioctls, and their conversion between bytes and fields
//! without unsafe code. Layouts: include/uapi/drm/drm.h; the ioctl table compares each size with
//! the request code.

/// A structure of the user ABI.
pub trait Uapi: Sized + Default {
    /// Its size in bytes.
    const SIZE: usize;
    /// The structure in the first `SIZE` bytes of `bytes`; missing bytes are zero.
    fn read(bytes: &[u8]) -> Self;
    /// Stores it in the first `SIZE` bytes of `bytes`, or as many as there are.
    fn write(&self, bytes: &mut [u8]);
}

/// A field of such a structure.
pub trait Field: Sized {
    /// The field from the bytes at its offset on; missing bytes are zero.
    fn load(bytes: &[u8]) -> Self;
    /// Stores the field at the start of `bytes`.
    fn store(&self, bytes: &mut [u8]);
}

macro_rules! int_field {
    ($($t:ty),*) => {$(
        impl Field for $t {
            #[inline(always)]
            fn load(bytes: &[u8]) -> Self {
                <$t>::from_ne_bytes(<[u8; size_of::<$t>()]>::load(bytes))
            }
            #[inline(always)]
            fn store(&self, bytes: &mut [u8]) {
                self.to_ne_bytes().store(bytes);
            }
        }
    )*};
}
int_field!(u8, u16, u32, i32, u64, i64);

impl<const N: usize> Field for [u8; N] {
    #[inline(always)]
    fn load(bytes: &[u8]) -> Self {
        match bytes.first_chunk() {
            Some(whole) => *whole,
            None => padded(bytes),
        }
    }
    #[inline(always)]
    fn store(&self, bytes: &mut [u8]) {
        match bytes.first_chunk_mut() {
            Some(whole) => *whole = *self,
            None => store_part(self, bytes),
        }
    }
}

/// `bytes`, fewer than `N`, followed by zeros.
#[cold]
pub fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut whole = [0; N];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    whole
}

#[cold]
fn store_part(whole: &[u8], bytes: &mut [u8]) {
    for (to, from) in bytes.iter_mut().zip(whole) {
        *to = *from;
    }
}

/// Declares a structure of the user ABI: C layout, without padding (checked), fields converted one
/// by one.
#[macro_export]
macro_rules! uapi_struct {
    (
        $(#[$doc:meta])* $vis:vis struct $name:ident {
            $($(#[$fdoc:meta])* $field:ident : $type:ty),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        $vis struct $name {
            $($(#[$fdoc])* pub $field: $type,)*
        }

        impl $crate::util::uapi::Uapi for $name {
            const SIZE: usize = {
                let fields = 0 $(+ size_of::<$type>())*;
                assert!(fields == size_of::<$name>(), "padding in a user structure");
                fields
            };
            fn read(bytes: &[u8]) -> Self {
                const SIZE: usize = size_of::<$name>();
                let padded;
                let bytes: &[u8; SIZE] = match bytes.first_chunk() {
                    Some(whole) => whole,
                    None => {
                        padded = $crate::util::uapi::padded(bytes);
                        &padded
                    }
                };
                $name {
                    $($field: $crate::util::uapi::Field::load(
                        bytes.get(core::mem::offset_of!($name, $field)..).unwrap_or_default(),
                    ),)*
                }
            }
            fn write(&self, bytes: &mut [u8]) {
                const SIZE: usize = size_of::<$name>();
                let mut whole = [0; SIZE];
                $($crate::util::uapi::Field::store(
                    &self.$field,
                    whole.get_mut(core::mem::offset_of!($name, $field)..).unwrap_or_default(),
                );)*
                $crate::util::uapi::Field::store(&whole, bytes);
            }
        }
    };
}
pub use uapi_struct;

uapi_struct! {
    /// `struct drm_version`.
    pub struct Version {
        /// Major version of the driver.
        version_major: i32,
        /// Minor version.
        version_minor: i32,
        /// Patch level.
        version_patchlevel: i32,
        /// Padding in the C structure.
        pad: u32,
        /// Length of the name's buffer, then of the name.
        name_len: u64,
        /// User address for the name.
        name: u64,
        /// Length of the date's buffer, then of the date.
        date_len: u64,
        /// User address for the date.
        date: u64,
        /// Length of the description's buffer, then of the description.
        desc_len: u64,
        /// User address for the description.
        desc: u64,
    }
}

uapi_struct! {
    /// `struct drm_unique`.
    pub struct Unique {
        /// Length of the buffer, then of the name.
        unique_len: u64,
        /// User address for the name.
        unique: u64,
    }
}

uapi_struct! {
    /// `struct drm_auth`.
    pub struct Auth {
        /// The magic number.
        magic: u32,
    }
}

uapi_struct! {
    /// `struct drm_client`.
    pub struct Client {
        /// Index of the client.
        idx: i32,
        /// Whether it is authenticated.
        auth: i32,
        /// Its process.
        pid: u64,
        /// Its user.
        uid: u64,
        /// Its magic.
        magic: u64,
        /// Unused.
        iocs: u64,
    }
}

/// `struct drm_stats`: a count and 15 pairs of u64, which are no longer used: all zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats;

impl Uapi for Stats {
    const SIZE: usize = 248;
    fn read(_bytes: &[u8]) -> Self {
        Stats
    }
    fn write(&self, bytes: &mut [u8]) {
        for byte in bytes.iter_mut().take(Self::SIZE) {
            *byte = 0;
        }
    }
}

uapi_struct! {
    /// `struct drm_set_version`.
    pub struct SetVersion {
        /// Interface major, -1 for none.
        di_major: i32,
        /// Interface minor.
        di_minor: i32,
        /// Driver major, -1 for none.
        dd_major: i32,
        /// Driver minor.
        dd_minor: i32,
    }
}

uapi_struct! {
    /// `struct drm_gem_close`.
    pub struct GemClose {
        /// The object.
        handle: u32,
        /// Ignored, as on Linux.
        pad: u32,
    }
}

uapi_struct! {
    /// `struct drm_gem_flink`.
    pub struct GemFlink {
        /// The object.
        handle: u32,
        /// Its global name.
        name: u32,
    }
}

uapi_struct! {
    /// `struct drm_gem_open`.
    pub struct GemOpen {
        /// The global name.
        name: u32,
        /// The object.
        handle: u32,
        /// Its size in bytes.
        size: u64,
    }
}

uapi_struct! {
    /// `struct drm_get_cap`, and `struct drm_set_client_cap`.
    pub struct Cap {
        /// Which.
        capability: u64,
        /// Its value.
        value: u64,
    }
}

uapi_struct! {
    /// `struct drm_prime_handle`.
    pub struct PrimeHandle {
        /// The object.
        handle: u32,
        /// O_CLOEXEC and O_RDWR in Linux's numbers.
        flags: u32,
        /// The descriptor.
        fd: i32,
    }
}

uapi_struct! {
    /// `struct drm_syncobj_create`, and `struct drm_syncobj_destroy`, which has padding for the
    /// flags.
    pub struct SyncobjCreate {
        /// The sync object.
        handle: u32,
        /// SIGNALED 1.
        flags: u32,
    }
}

uapi_struct! {
    /// `struct drm_syncobj_handle`.
    pub struct SyncobjHandle {
        /// The sync object.
        handle: u32,
        /// SYNC_FILE 1, TIMELINE 2.
        flags: u32,
        /// The descriptor.
        fd: i32,
        /// Must be zero.
        pad: u32,
        /// The point, with TIMELINE. Not in older headers.
        point: u64,
    }
}

uapi_struct! {
    /// `struct drm_syncobj_wait`.
    pub struct SyncobjWait {
        /// User address of the handles.
        handles: u64,
        /// Absolute, ns.
        timeout_nsec: i64,
        /// How many handles.
        count_handles: u32,
        /// ALL 1, FOR_SUBMIT 2, DEADLINE 8.
        flags: u32,
        /// Which was the first.
        first_signaled: u32,
        /// Padding.
        pad: u32,
        /// When the client needs the result, with DEADLINE. Not in older headers.
        deadline_nsec: u64,
    }
}

uapi_struct! {
    /// `struct drm_syncobj_timeline_wait`.
    pub struct SyncobjTimelineWait {
        /// User address of the handles.
        handles: u64,
        /// User address of the points.
        points: u64,
        /// Absolute, ns.
        timeout_nsec: i64,
        /// How many handles.
        count_handles: u32,
        /// ALL 1, FOR_SUBMIT 2, AVAILABLE 4, DEADLINE 8.
        flags: u32,
        /// Which was the first.
        first_signaled: u32,
        /// Padding.
        pad: u32,
        /// When the client needs the result, with DEADLINE. Not in older headers.
        deadline_nsec: u64,
    }
}

uapi_struct! {
    /// `struct drm_syncobj_timeline_array`.
    pub struct SyncobjTimelineArray {
        /// User address of the handles.
        handles: u64,
        /// User address of the points.
        points: u64,
        /// How many.
        count_handles: u32,
        /// LAST_SUBMITTED 1, for QUERY.
        flags: u32,
    }
}

uapi_struct! {
    /// `struct drm_syncobj_transfer`.
    pub struct SyncobjTransfer {
        /// The syncobj to take fences from.
        src_handle: u32,
        /// The syncobj to add them to.
        dst_handle: u32,
        /// The point of the former, 0 for all of it.
        src_point: u64,
        /// The point of the latter, 0 to replace all of it.
        dst_point: u64,
        /// FOR_SUBMIT 2.
        flags: u32,
        /// Must be zero.
        pad: u32,
    }
}

uapi_struct! {
    /// `struct drm_syncobj_array`.
    pub struct SyncobjArray {
        /// User address of the handles.
        handles: u64,
        /// How many.
        count_handles: u32,
        /// Must be zero.
        pad: u32,
    }
}

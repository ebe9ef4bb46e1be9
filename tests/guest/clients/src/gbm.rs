// SPDX-License-Identifier: BSD-2-Clause
//! GBM: a device on a DRM node and linear 32-bit buffers on it.

use crate::drm::Node;
use crate::Outcome;
use std::ffi::c_void;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

#[repr(C)]
struct RawDevice(u8);
#[repr(C)]
struct RawBo(u8);
#[repr(C)]
struct RawSurface(u8);

/// `gbm_import_fd_data`.
#[repr(C)]
struct ImportFd {
    fd: i32,
    width: u32,
    height: u32,
    stride: u32,
    format: u32,
}

/// DRM_FORMAT_ARGB8888, "AR24".
pub(crate) const FORMAT_ARGB8888: u32 = u32::from_le_bytes(*b"AR24");
const USE_RENDERING: u32 = 1 << 2;
const USE_LINEAR: u32 = 1 << 4;
const IMPORT_FD: u32 = 0x5503;
const TRANSFER_READ: u32 = 1;
const TRANSFER_WRITE: u32 = 2;

#[link(name = "gbm")]
extern "C" {
    fn gbm_create_device(fd: i32) -> *mut RawDevice;
    fn gbm_device_destroy(device: *mut RawDevice);
    fn gbm_bo_create(
        device: *mut RawDevice,
        width: u32,
        height: u32,
        format: u32,
        flags: u32,
    ) -> *mut RawBo;
    fn gbm_surface_create(
        device: *mut RawDevice,
        width: u32,
        height: u32,
        format: u32,
        flags: u32,
    ) -> *mut RawSurface;
    fn gbm_surface_lock_front_buffer(surface: *mut RawSurface) -> *mut RawBo;
    fn gbm_bo_import(
        device: *mut RawDevice,
        kind: u32,
        buffer: *mut c_void,
        flags: u32,
    ) -> *mut RawBo;
    fn gbm_bo_destroy(bo: *mut RawBo);
    fn gbm_bo_get_fd(bo: *mut RawBo) -> i32;
    fn gbm_bo_get_stride(bo: *mut RawBo) -> u32;
    fn gbm_bo_map(
        bo: *mut RawBo,
        x: u32,
        y: u32,
        width: u32,
        height: u32,
        flags: u32,
        stride: *mut u32,
        data: *mut *mut c_void,
    ) -> *mut c_void;
    fn gbm_bo_unmap(bo: *mut RawBo, data: *mut c_void);
}

/// A GBM device; it keeps its node open.
pub struct Device {
    raw: *mut RawDevice,
    node: Node,
}

impl Device {
    /// Makes a device on an open node.
    ///
    /// # Errors
    /// When Mesa has no driver for it.
    pub fn new(node: Node) -> Outcome<Device> {
        // SAFETY: the descriptor is open, and stays so as long as the device lives.
        let raw = unsafe { gbm_create_device(node.as_raw_fd()) };
        match raw.is_null() {
            true => Err("gbm_create_device failed: no Mesa driver for this node".to_string()),
            false => Ok(Device { raw, node }),
        }
    }

    /// The node below.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// What eglGetPlatformDisplay takes for the GBM platform.
    pub(crate) fn native(&self) -> *mut c_void {
        self.raw.cast()
    }

    fn adopt(&self, raw: *mut RawBo, width: u32, height: u32, what: &str) -> Outcome<Buffer<'_>> {
        match raw.is_null() {
            true => Err(format!(
                "{what} of a {width}x{height} buffer failed: {}",
                std::io::Error::last_os_error()
            )),
            false => Ok(Buffer {
                raw,
                width,
                height,
                _device: self,
            }),
        }
    }

    /// Allocates a linear ARGB8888 buffer that the GPU can render to.
    ///
    /// # Errors
    /// When the driver does not give one.
    pub fn create(&self, width: u32, height: u32) -> Outcome<Buffer<'_>> {
        // SAFETY: the device lives.
        let raw = unsafe {
            gbm_bo_create(
                self.raw,
                width,
                height,
                FORMAT_ARGB8888,
                USE_RENDERING | USE_LINEAR,
            )
        };
        self.adopt(raw, width, height, "gbm_bo_create")
    }

    /// Imports the dma-buf of a buffer that another process made with [`create`](Device::create).
    ///
    /// # Errors
    /// When the driver does not take it.
    pub fn import(
        &self,
        fd: &OwnedFd,
        width: u32,
        height: u32,
        stride: u32,
    ) -> Outcome<Buffer<'_>> {
        let mut data = ImportFd {
            fd: fd.as_raw_fd(),
            width,
            height,
            stride,
            format: FORMAT_ARGB8888,
        };
        let data = std::ptr::from_mut(&mut data).cast();
        // SAFETY: the device lives, and data is what this kind of import reads; the call keeps
        // neither.
        let raw = unsafe { gbm_bo_import(self.raw, IMPORT_FD, data, USE_RENDERING | USE_LINEAR) };
        self.adopt(raw, width, height, "gbm_bo_import")
    }
}

/// Linear buffers that EGL renders to in turn; they live as long as the process.
pub struct Surface<'device> {
    raw: *mut RawSurface,
    width: u32,
    height: u32,
    device: &'device Device,
}

impl<'device> Surface<'device> {
    /// Makes one of ARGB8888 pixels.
    ///
    /// # Errors
    /// When the driver does not give one.
    pub fn new(device: &'device Device, width: u32, height: u32) -> Outcome<Surface<'device>> {
        // SAFETY: the device lives.
        let raw = unsafe {
            gbm_surface_create(
                device.raw,
                width,
                height,
                FORMAT_ARGB8888,
                USE_RENDERING | USE_LINEAR,
            )
        };
        match raw.is_null() {
            true => Err(format!(
                "gbm_surface_create failed: {}",
                std::io::Error::last_os_error()
            )),
            false => Ok(Surface {
                raw,
                width,
                height,
                device,
            }),
        }
    }

    /// What eglCreateWindowSurface takes for the GBM platform.
    pub(crate) fn native(&self) -> *mut c_void {
        self.raw.cast()
    }

    /// The buffer that was rendered to, after the swap. The surface owns it: the result is a
    /// reference that is never released.
    ///
    /// # Errors
    /// When nothing was rendered.
    pub fn front(&self) -> Outcome<std::mem::ManuallyDrop<Buffer<'device>>> {
        // SAFETY: the surface lives.
        let raw = unsafe { gbm_surface_lock_front_buffer(self.raw) };
        let buffer = self.device.adopt(
            raw,
            self.width,
            self.height,
            "gbm_surface_lock_front_buffer",
        )?;
        Ok(std::mem::ManuallyDrop::new(buffer))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: made by gbm_create_device; buffers borrow the device, so none is left.
        unsafe { gbm_device_destroy(self.raw) };
    }
}

/// A buffer of 32-bit pixels.
pub struct Buffer<'device> {
    raw: *mut RawBo,
    width: u32,
    height: u32,
    _device: &'device Device,
}

impl Buffer<'_> {
    /// Bytes from one row to the next.
    pub fn stride(&self) -> u32 {
        // SAFETY: the buffer lives.
        unsafe { gbm_bo_get_stride(self.raw) }
    }

    /// Exports it as a dma-buf.
    ///
    /// # Errors
    /// When the driver cannot.
    pub fn export(&self) -> Outcome<OwnedFd> {
        // SAFETY: the buffer lives.
        let fd = unsafe { gbm_bo_get_fd(self.raw) };
        if fd < 0 {
            return Err(format!(
                "gbm_bo_get_fd failed: {}",
                std::io::Error::last_os_error()
            ));
        }
        // SAFETY: the descriptor is new and has no other owner.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// Maps the whole buffer and calls `visit` with the address and column and row of each pixel.
    fn visit(&self, flags: u32, mut visit: impl FnMut(*mut u32, u32, u32)) -> Outcome<()> {
        let (mut stride, mut data) = (0, std::ptr::null_mut());
        // SAFETY: the buffer lives; both places are written to.
        let base = unsafe {
            gbm_bo_map(
                self.raw,
                0,
                0,
                self.width,
                self.height,
                flags,
                &mut stride,
                &mut data,
            )
        };
        if base.is_null() {
            return Err(format!(
                "gbm_bo_map failed: {}",
                std::io::Error::last_os_error()
            ));
        }
        for y in 0..self.height {
            for x in 0..self.width {
                let offset = y as usize * stride as usize + x as usize * 4;
                // SAFETY: the offset of a pixel of this buffer lies inside its mapping.
                visit(unsafe { base.cast::<u8>().add(offset).cast() }, x, y);
            }
        }
        // SAFETY: data is what gbm_bo_map gave for this buffer.
        unsafe { gbm_bo_unmap(self.raw, data) };
        Ok(())
    }

    /// Writes every pixel.
    ///
    /// # Errors
    /// When the buffer cannot be mapped.
    pub fn fill(&self, pixel: impl Fn(u32, u32) -> u32) -> Outcome<()> {
        // SAFETY: `visit` gives addresses of pixels inside the mapping.
        self.visit(TRANSFER_WRITE, |address, x, y| unsafe {
            address.write_volatile(pixel(x, y))
        })
    }

    /// Compares every pixel; `who` names the reader in the message.
    ///
    /// # Errors
    /// The first pixel that differs and how many do, or that the buffer cannot be mapped.
    pub fn compare(&self, who: &str, pixel: impl Fn(u32, u32) -> u32) -> Outcome<()> {
        let (mut wrong, mut first) = (0u32, None);
        self.visit(TRANSFER_READ, |address, x, y| {
            // SAFETY: `visit` gives addresses of pixels inside the mapping.
            let (found, expected) = (unsafe { address.read_volatile() }, pixel(x, y));
            if found != expected {
                wrong += 1;
                first.get_or_insert((x, y, found, expected));
            }
        })?;
        match first {
            None => Ok(()),
            Some((x, y, found, expected)) => Err(format!(
                "{who}: {wrong} pixels differ, first at {x},{y}: {found:#010x}, expected \
                    {expected:#010x}"
            )),
        }
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        // SAFETY: made by gbm_bo_create or gbm_bo_import on a device that still lives.
        unsafe { gbm_bo_destroy(self.raw) };
    }
}

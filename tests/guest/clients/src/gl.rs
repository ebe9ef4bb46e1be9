// SPDX-License-Identifier: BSD-2-Clause
//! OpenGL ES 2, as far as clearing a texture and reading it back goes.

use crate::egl::Context;
use crate::Outcome;
use std::ffi::{c_char, c_void, CStr};

const RENDERER: u32 = 0x1f01;
const TEXTURE_2D: u32 = 0x0de1;
const RGBA: u32 = 0x1908;
const BGRA: u32 = 0x80e1;
const UNSIGNED_BYTE: u32 = 0x1401;
const FRAMEBUFFER: u32 = 0x8d40;
const COLOR_ATTACHMENT0: u32 = 0x8ce0;
const FRAMEBUFFER_COMPLETE: u32 = 0x8cd5;
const COLOR_BUFFER_BIT: u32 = 0x4000;
const DITHER: u32 = 0x0bd0;

#[link(name = "GLESv2")]
extern "C" {
    fn glGetString(name: u32) -> *const c_char;
    fn glGetError() -> u32;
    fn glFinish();
    fn glDisable(capability: u32);
    fn glGenTextures(n: i32, names: *mut u32);
    fn glDeleteTextures(n: i32, names: *const u32);
    fn glBindTexture(target: u32, name: u32);
    fn glTexImage2D(
        target: u32,
        level: i32,
        internal: i32,
        width: i32,
        height: i32,
        border: i32,
        format: u32,
        kind: u32,
        pixels: *const c_void,
    );
    fn glGenFramebuffers(n: i32, names: *mut u32);
    fn glDeleteFramebuffers(n: i32, names: *const u32);
    fn glBindFramebuffer(target: u32, name: u32);
    fn glFramebufferTexture2D(
        target: u32,
        attachment: u32,
        textarget: u32,
        texture: u32,
        level: i32,
    );
    fn glCheckFramebufferStatus(target: u32) -> u32;
    fn glClearColor(red: f32, green: f32, blue: f32, alpha: f32);
    fn glClear(mask: u32);
    fn glReadPixels(
        x: i32,
        y: i32,
        width: i32,
        height: i32,
        format: u32,
        kind: u32,
        pixels: *mut c_void,
    );
}

/// The name of the current context's renderer.
pub fn renderer(_current: &Context) -> String {
    // SAFETY: a context is current; the text is static or null.
    let text = unsafe { glGetString(RENDERER) };
    if text.is_null() {
        return "none".to_string();
    }
    // SAFETY: GL gives a C string that lives as long as the context.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// Clears what is rendered to, to a colour of four bytes: red, green, blue, alpha.
pub fn clear(_current: &Context, colour: [u8; 4]) {
    let [r, g, b, a] = colour.map(|byte| f32::from(byte) / 255.0);
    // SAFETY: a context is current.
    unsafe {
        glDisable(DITHER);
        glClearColor(r, g, b, a);
        glClear(COLOR_BUFFER_BIT);
        glFinish();
    }
}

/// Order of the channels in memory, from the lowest address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// OpenGL ES's own.
    Rgba,
    /// That of windows and screens (GL_EXT_texture_format_BGRA8888), and the one that Vivante GPUs
    /// have.
    Bgra,
}

impl Order {
    fn format(self) -> u32 {
        match self {
            Order::Rgba => RGBA,
            Order::Bgra => BGRA,
        }
    }
}

/// A texture of four bytes a pixel as the colour attachment of a framebuffer object, bound until
/// dropped.
pub struct Target<'context> {
    order: Order,
    width: u32,
    height: u32,
    texture: u32,
    framebuffer: u32,
    _context: &'context Context,
}

impl<'context> Target<'context> {
    /// Makes one of `width` by `height` pixels.
    ///
    /// # Errors
    /// When it is not a complete framebuffer.
    pub fn new(
        context: &'context Context,
        order: Order,
        width: u32,
        height: u32,
    ) -> Outcome<Target<'context>> {
        let mut target = Target {
            order,
            width,
            height,
            texture: 0,
            framebuffer: 0,
            _context: context,
        };
        // SAFETY: a context is current; names are written to places of their own; null leaves the
        // texels undefined.
        let status = unsafe {
            glGenTextures(1, &mut target.texture);
            glBindTexture(TEXTURE_2D, target.texture);
            let (w, h) = (width as i32, height as i32);
            glTexImage2D(
                TEXTURE_2D,
                0,
                order.format() as i32,
                w,
                h,
                0,
                order.format(),
                UNSIGNED_BYTE,
                std::ptr::null(),
            );
            glGenFramebuffers(1, &mut target.framebuffer);
            glBindFramebuffer(FRAMEBUFFER, target.framebuffer);
            glFramebufferTexture2D(
                FRAMEBUFFER,
                COLOR_ATTACHMENT0,
                TEXTURE_2D,
                target.texture,
                0,
            );
            glDisable(DITHER);
            glCheckFramebufferStatus(FRAMEBUFFER)
        };
        match status {
            FRAMEBUFFER_COMPLETE => Ok(target),
            status => Err(format!(
                "a {width}x{height} framebuffer is not complete: status {status:#06x}"
            )),
        }
    }

    /// Clears it to a colour of four bytes: red, green, blue, alpha.
    pub fn clear(&self, colour: [u8; 4]) {
        let [r, g, b, a] = colour.map(|byte| f32::from(byte) / 255.0);
        // SAFETY: a context is current and this framebuffer bound.
        unsafe {
            glClearColor(r, g, b, a);
            glClear(COLOR_BUFFER_BIT);
        }
    }

    /// Every pixel, in rows from the bottom, four bytes each as for [`clear`](Target::clear).
    ///
    /// # Errors
    /// GL's error.
    pub fn read(&self) -> Outcome<Vec<u8>> {
        let mut pixels = vec![0xa5; self.width as usize * self.height as usize * 4];
        // SAFETY: rows of four-byte pixels need no padding, so pixels has room for all of them.
        let error = unsafe {
            let (w, h) = (self.width as i32, self.height as i32);
            // In the order that it has, for a conversion would be a draw.
            let format = self.order.format();
            glReadPixels(
                0,
                0,
                w,
                h,
                format,
                UNSIGNED_BYTE,
                pixels.as_mut_ptr().cast(),
            );
            glGetError()
        };
        if self.order == Order::Bgra {
            pixels
                .chunks_exact_mut(4)
                .for_each(|pixel| pixel.swap(0, 2));
        }
        match error {
            0 => Ok(pixels),
            error => Err(format!("OpenGL error {error:#06x}")),
        }
    }
}

impl Drop for Target<'_> {
    fn drop(&mut self) {
        // SAFETY: a context is current, and both names are its own.
        unsafe {
            glDeleteFramebuffers(1, &self.framebuffer);
            glDeleteTextures(1, &self.texture);
        }
    }
}

// SPDX-License-Identifier: BSD-2-Clause
//! EGL without a window: a current OpenGL ES 2 context that renders to framebuffer objects only.

use crate::drm::{Node, RENDER_NODE};
use crate::gbm::{Device, Surface, FORMAT_ARGB8888};
use crate::Outcome;
use std::ffi::c_void;
use std::path::Path;

type Handle = *mut c_void;

const PLATFORM_GBM: u32 = 0x31d7;
const PLATFORM_SURFACELESS: u32 = 0x31dd;
const OPENGL_ES_API: u32 = 0x30a0;
const NONE: i32 = 0x3038;
const SURFACE_TYPE: i32 = 0x3033;
const RENDERABLE_TYPE: i32 = 0x3040;
const OPENGL_ES2_BIT: i32 = 4;
const WINDOW_BIT: i32 = 4;
const NATIVE_VISUAL_ID: i32 = 0x302e;
const CONTEXT_CLIENT_VERSION: i32 = 0x3098;

#[link(name = "EGL")]
extern "C" {
    fn eglGetError() -> i32;
    fn eglGetPlatformDisplay(
        platform: u32,
        native: *mut c_void,
        attributes: *const isize,
    ) -> Handle;
    fn eglInitialize(display: Handle, major: *mut i32, minor: *mut i32) -> u32;
    fn eglBindAPI(api: u32) -> u32;
    fn eglChooseConfig(
        display: Handle,
        attributes: *const i32,
        configs: *mut Handle,
        room: i32,
        found: *mut i32,
    ) -> u32;
    fn eglCreateContext(
        display: Handle,
        config: Handle,
        share: Handle,
        attributes: *const i32,
    ) -> Handle;
    fn eglMakeCurrent(display: Handle, draw: Handle, read: Handle, context: Handle) -> u32;
    fn eglGetConfigAttrib(display: Handle, config: Handle, attribute: i32, value: *mut i32) -> u32;
    fn eglCreateWindowSurface(
        display: Handle,
        config: Handle,
        window: *mut c_void,
        attributes: *const i32,
    ) -> Handle;
    fn eglSwapBuffers(display: Handle, surface: Handle) -> u32;
    fn eglDestroyContext(display: Handle, context: Handle) -> u32;
    fn eglTerminate(display: Handle) -> u32;
}

/// Which EGL platform to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// GBM on the first render node: the device is the one named, or there is none.
    Gbm,
    /// Mesa's choice: a device that it finds by itself, or the software renderer.
    Surfaceless,
}

impl Platform {
    /// GBM where there is a render node.
    pub fn of_this_machine() -> Platform {
        match Path::new(RENDER_NODE).exists() {
            true => Platform::Gbm,
            false => Platform::Surfaceless,
        }
    }
}

/// A current context; made not current and destroyed when dropped.
pub struct Context {
    display: Handle,
    context: Handle,
    config: Handle,
    /// EGL's display uses it until it is terminated; fields drop after `drop` ran.
    device: Option<Device>,
}

fn failed<T>(call: &str) -> Outcome<T> {
    // SAFETY: the call has no preconditions.
    Err(format!("{call} failed with EGL error {:#06x}", unsafe {
        eglGetError()
    }))
}

impl Context {
    /// Makes a context of OpenGL ES 2 and makes it current, without any surface.
    ///
    /// # Errors
    /// Which call failed, and EGL's error.
    pub fn new(platform: Platform) -> Outcome<Context> {
        let (kind, device) = match platform {
            Platform::Surfaceless => (PLATFORM_SURFACELESS, None),
            Platform::Gbm => {
                let node = Node::render().map_err(|errno| format!("{RENDER_NODE}: {errno}"))?;
                (PLATFORM_GBM, Some(Device::new(node)?))
            }
        };
        let native = device.as_ref().map_or(std::ptr::null_mut(), Device::native);
        // SAFETY: native is what the platform takes, and lives as long as the context.
        let display = unsafe { eglGetPlatformDisplay(kind, native, std::ptr::null()) };
        if display.is_null() {
            return failed("eglGetPlatformDisplay");
        }
        let mut made = Context {
            display,
            context: std::ptr::null_mut(),
            config: std::ptr::null_mut(),
            device,
        };
        made.initialize()?;
        Ok(made)
    }

    /// The GBM device below.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// Renders into a surface of this context's device from now on: `draw`, and what it drew is
    /// finished.
    ///
    /// # Errors
    /// Which call failed, and EGL's error.
    pub fn draw_to(&self, surface: &Surface<'_>, draw: impl FnOnce()) -> Outcome<()> {
        let none = std::ptr::null();
        // SAFETY: display, configuration and surface belong together: the surface is one of the
        // display's device.
        let window =
            unsafe { eglCreateWindowSurface(self.display, self.config, surface.native(), none) };
        if window.is_null() {
            return failed("eglCreateWindowSurface");
        }
        // SAFETY: display, surface and context belong together.
        if unsafe { eglMakeCurrent(self.display, window, window, self.context) } == 0 {
            return failed("eglMakeCurrent");
        }
        draw();
        // SAFETY: the surface is current.
        if unsafe { eglSwapBuffers(self.display, window) } == 0 {
            return failed("eglSwapBuffers");
        }
        Ok(())
    }

    /// All configurations with this surface type that OpenGL ES 2 can render to.
    fn configs(&self, surface: i32) -> Outcome<Vec<Handle>> {
        let wanted = [SURFACE_TYPE, surface, RENDERABLE_TYPE, OPENGL_ES2_BIT, NONE];
        let choose = |configs: *mut Handle, room: i32| {
            let mut found = 0;
            // SAFETY: the list ends with NONE; there is room for as many configurations as it
            // says, and with null only their number is returned.
            let chosen = unsafe {
                eglChooseConfig(self.display, wanted.as_ptr(), configs, room, &mut found)
            };
            match chosen {
                0 => failed("eglChooseConfig"),
                _ => Ok(found),
            }
        };
        let room = choose(std::ptr::null_mut(), 0)?;
        let mut configs = vec![std::ptr::null_mut(); room as usize];
        let found = choose(configs.as_mut_ptr(), room)?;
        configs.truncate(found as usize);
        Ok(configs)
    }

    /// A configuration for windows of ARGB buffers if there is a device, any if there is none: a
    /// window must have the format of its configuration.
    fn choose(&self) -> Outcome<Handle> {
        let config = if self.device.is_some() {
            let is_argb = |config: &Handle| {
                let mut visual = 0;
                // SAFETY: the configuration is one of the display's.
                unsafe { eglGetConfigAttrib(self.display, *config, NATIVE_VISUAL_ID, &mut visual) };
                visual as u32 == FORMAT_ARGB8888
            };
            self.configs(WINDOW_BIT)?.into_iter().find(is_argb)
        } else {
            self.configs(0)?.into_iter().next()
        };
        config.ok_or_else(|| "EGL has no fitting configuration".to_string())
    }

    fn initialize(&mut self) -> Outcome<()> {
        let none = std::ptr::null_mut();
        // SAFETY: the display is valid, and null is allowed for both versions.
        if unsafe { eglInitialize(self.display, std::ptr::null_mut(), std::ptr::null_mut()) } == 0 {
            return failed("eglInitialize");
        }
        // SAFETY: the call has no preconditions.
        if unsafe { eglBindAPI(OPENGL_ES_API) } == 0 {
            return failed("eglBindAPI");
        }
        self.config = self.choose()?;
        let version = [CONTEXT_CLIENT_VERSION, 2, NONE];
        // SAFETY: display and configuration belong together; the list ends with NONE.
        self.context =
            unsafe { eglCreateContext(self.display, self.config, none, version.as_ptr()) };
        if self.context.is_null() {
            return failed("eglCreateContext");
        }
        // SAFETY: display and context belong together; no surface is needed.
        if unsafe { eglMakeCurrent(self.display, none, none, self.context) } == 0 {
            return failed("eglMakeCurrent");
        }
        Ok(())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let none = std::ptr::null_mut();
        // SAFETY: the display is valid, and the context is its or null, which is refused without
        // harm.
        unsafe {
            eglMakeCurrent(self.display, none, none, none);
            eglDestroyContext(self.display, self.context);
            eglTerminate(self.display);
        }
    }
}

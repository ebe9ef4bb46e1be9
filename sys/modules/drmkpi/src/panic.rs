// SPDX-License-Identifier: BSD-2-Clause
//! A panic of Rust code panics the kernel, with the location and message of the Rust panic.

use core::panic::PanicInfo;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // Formatted in one line; `PanicInfo` would use two.
    match info.location() {
        Some(place) => drmkpi::os::panicked(format_args!("{place}: {}", info.message())),
        None => drmkpi::os::panicked(format_args!("{}", info.message())),
    }
}

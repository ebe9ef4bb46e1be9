// SPDX-License-Identifier: BSD-2-Clause
//! A panic of Rust code is a panic of the kernel: it says where and why, in the words of `core`.

use core::panic::PanicInfo;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // On one line, unlike PanicInfo itself.
    match info.location() {
        Some(place) => drmkpi::os::panicked(format_args!("{place}: {}", info.message())),
        None => drmkpi::os::panicked(format_args!("{}", info.message())),
    }
}

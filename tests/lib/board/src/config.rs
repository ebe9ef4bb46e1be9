// SPDX-License-Identifier: BSD-2-Clause
//! Worlds that several tests want.

use drm_os_host::{ClockMode, Config};

/// The device sees its own copy of cached memory; runs are contiguous or not.
pub fn coherent(contiguous: bool) -> Config {
    Config {
        coherence: true,
        contiguous,
        ..Config::default()
    }
}

/// The same world, with devices that do not snoop, and no two neighbouring pages.
pub fn scattered(config: Config) -> Config {
    Config {
        coherence: true,
        contiguous: false,
        ..config
    }
}

/// A tunable set.
pub fn tunable(name: &str, value: u64) -> Config {
    Config {
        tunables: [(name.to_owned(), value)].into(),
        ..Config::default()
    }
}

/// The real clock, and tunables set.
pub fn real(tunables: &[(&str, u64)]) -> Config {
    let tunables = tunables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value));
    Config {
        clock: ClockMode::Real,
        tunables: tunables.collect(),
        ..Config::default()
    }
}

/// Files may have `bytes`, and users and devices whatever there is.
pub fn with_memory(bytes: u64) -> Config {
    limits(bytes, u64::MAX, u64::MAX)
}

/// What a file, a user and a device may have.
pub fn limits(file: u64, user: u64, device: u64) -> Config {
    let tunables = [
        ("file_mem_limit", file),
        ("user_mem_limit", user),
        ("device_mem_limit", device),
    ];
    Config {
        tunables: tunables
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        ..Config::default()
    }
}

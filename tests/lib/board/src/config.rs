// SPDX-License-Identifier: BSD-2-Clause
//! Configurations of worlds that several tests use.

use drm_os_host::{ClockMode, Config};

/// The device accesses its own copy of cached memory; runs are contiguous if `contiguous` is set.
pub fn coherent(contiguous: bool) -> Config {
    Config {
        coherence: true,
        contiguous,
        ..Config::default()
    }
}

/// The same configuration, with devices that do not snoop, and no two adjacent pages.
pub fn scattered(config: Config) -> Config {
    Config {
        coherence: true,
        contiguous: false,
        ..config
    }
}

/// One tunable set.
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

/// A memory limit of `bytes` for each file, and none for users and devices.
pub fn with_memory(bytes: u64) -> Config {
    limits(bytes, u64::MAX, u64::MAX)
}

/// Memory limits of each file, user and device.
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

// SPDX-License-Identifier: BSD-2-Clause
//! Environment variables by which the launcher configures the library that it preloads into QEMU,
//! and the addresses on the bus.

use models::power::Boot;
use std::env;
use std::path::PathBuf;

/// The address of the register window of core 0, in the platform bus of the `virt` machine, which
/// is otherwise empty.
pub const WINDOWS: u64 = 0x0c00_0000;
/// The distance between the windows of two cores.
pub const WINDOW_STEP: u64 = 0x10_0000;
/// The address of the windows of a power controller.
pub const CONTROLLERS: u64 = 0x0ce0_0000;
/// The address of the mailbox: [`MAILBOX_LEN`] bytes with the registers `MAIL_*`, each written as
/// 32 bits.
pub const MAILBOX: u64 = 0x0cf0_0000;
/// Length of the mailbox in bytes.
pub const MAILBOX_LEN: u64 = 0x1000;
/// A write adds a line `NS mark VALUE` to the trace.
pub const MAIL_MARK: u32 = 0;
/// A write sets the exit status with which the launcher ends after the guest has powered off.
pub const MAIL_EXIT: u32 = 4;
/// The low half of the virtual address of the module whose instructions `--count` distinguishes
/// from the kernel's.
pub const MAIL_MODULE_LOW: u32 = 8;
/// The high half of that address.
pub const MAIL_MODULE_HIGH: u32 = 12;
/// The length of that module in bytes. The write makes all three valid for code that QEMU
/// translates after it, so the guest must load the module again, to the same address. Without a
/// write, the addresses of Linux's modules apply.
pub const MAIL_MODULE_LENGTH: u32 = 16;
/// The shared peripheral interrupt of line 0 of core 0; the others follow in order.
pub const FIRST_SPI: u32 = 80;
/// The address of RAM on `virt`.
pub const RAM_BASE: u64 = 0x4000_0000;

const BOARD: &str = "DRMBOARD_VM_BOARD";
const RAM_MIB: &str = "DRMBOARD_VM_RAM_MIB";
const TRACE: &str = "DRMBOARD_VM_TRACE";
const PNG: &str = "DRMBOARD_VM_PNG";
const REPORT: &str = "DRMBOARD_VM_REPORT";
const POWER: &str = "DRMBOARD_VM_POWER";
const COUNT: &str = "DRMBOARD_VM_COUNT";
const WORK_SCALE: &str = "DRMBOARD_VM_WORK_SCALE";
const INJECT: &str = "DRMBOARD_VM_INJECT";

/// The configuration of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Name of the board.
    pub board: String,
    /// Size of the guest's memory.
    pub ram_mib: u64,
    /// `--power`.
    pub power: Boot,
    /// `--trace`.
    pub trace: Option<PathBuf>,
    /// `--png`.
    pub png: Option<PathBuf>,
    /// The file to which the library writes the report of [`crate::Machine::finish`].
    pub report: Option<PathBuf>,
    /// `--count`.
    pub count: Option<PathBuf>,
    /// `--inject`, each of them.
    pub inject: Vec<String>,
    /// `--work-scale`.
    pub work_scale: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            board: String::new(),
            ram_mib: 0,
            power: Boot::default(),
            trace: None,
            png: None,
            report: None,
            count: None,
            inject: Vec::new(),
            work_scale: 1,
        }
    }
}

/// The values of `--power`.
///
/// # Errors
///
/// A message: it is none of them.
pub fn power_of(name: &str) -> Result<Boot, String> {
    match name {
        "off" => Ok(Boot::Off),
        "on" => Ok(Boot::On),
        _ => Err(format!("power is on or off, not {name}")),
    }
}

fn power_name(power: Boot) -> &'static str {
    match power {
        Boot::Off => "off",
        Boot::On => "on",
    }
}

impl Config {
    /// The configuration as environment variables. Specifications of faults are separated by
    /// blanks, which none contains.
    #[must_use]
    pub fn to_env(&self) -> Vec<(&'static str, std::ffi::OsString)> {
        let mut all = vec![
            (BOARD, self.board.clone().into()),
            (RAM_MIB, self.ram_mib.to_string().into()),
            (INJECT, self.inject.join(" ").into()),
            (POWER, power_name(self.power).into()),
            (WORK_SCALE, self.work_scale.to_string().into()),
        ];
        let files = [
            (TRACE, &self.trace),
            (PNG, &self.png),
            (REPORT, &self.report),
            (COUNT, &self.count),
        ];
        all.extend(
            files
                .into_iter()
                .filter_map(|(name, path)| Some((name, path.clone()?.into_os_string()))),
        );
        all
    }

    /// The configuration in the environment of this process.
    ///
    /// # Errors
    ///
    /// A message: a variable is missing or invalid.
    pub fn from_env() -> Result<Config, String> {
        Config::from_variables(|name| env::var_os(name))
    }

    fn from_variables(
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Config, String> {
        let text = |name: &str| {
            let value = variable(name).ok_or(format!("{name} is not set"))?;
            value
                .into_string()
                .map_err(|_| format!("{name} is not UTF-8"))
        };
        let not_a_number = |name: &str, text: &str| format!("{name} is not a number: {text}");
        let (ram, scale) = (text(RAM_MIB)?, text(WORK_SCALE)?);
        Ok(Config {
            board: text(BOARD)?,
            ram_mib: ram.parse().map_err(|_| not_a_number(RAM_MIB, &ram))?,
            power: text(POWER).and_then(|name| power_of(&name))?,
            trace: variable(TRACE).map(PathBuf::from),
            png: variable(PNG).map(PathBuf::from),
            report: variable(REPORT).map(PathBuf::from),
            count: variable(COUNT).map(PathBuf::from),
            inject: text(INJECT)?.split_whitespace().map(String::from).collect(),
            work_scale: scale
                .parse()
                .map_err(|_| not_a_number(WORK_SCALE, &scale))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_carries_it_all() {
        let config = Config {
            board: "imx6q".into(),
            ram_mib: 512,
            power: Boot::On,
            trace: Some("a b".into()),
            png: None,
            report: Some("r".into()),
            count: Some("c".into()),
            inject: vec!["hang:slot=1,after=3".into(), "gpu-fault".into()],
            work_scale: 7,
        };
        let env = config.to_env();
        let get = |name: &str| {
            let found = env.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| value.clone())
        };
        assert_eq!(Config::from_variables(get), Ok(config));
        assert!(Config::from_variables(|_| None)
            .unwrap_err()
            .contains("not set"));
    }
}

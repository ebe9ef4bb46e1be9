// SPDX-License-Identifier: BSD-2-Clause
//! The command line of `drmboard vm`.

use super::process::Limits;
use crate::args::Args;
use guest_machine::config::power_of;
use guest_machine::{Config, Guest, Os};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const USAGE: &str =
    "usage: drmboard vm --board NAME --kernel IMAGE [--initrd F] [--root F] [--trace F] [--png F] \
     [--count F] [--stats] [--power on|off] [--inject SPEC]... [--work-scale TIMES] \
     [--os linux|freebsd] [--append ARGS] [--timeout SECONDS] [--silence SECONDS] \
     [--ram MIB] [--cpus N]";

/// The options.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) config: Config,
    pub(crate) guest: Guest,
    /// Print the report.
    pub(crate) stats: bool,
    pub(crate) limits: Limits,
}

impl Options {
    /// # Errors
    /// A message about the first mistake.
    pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Options, String> {
        let mut args = Args::new(args, USAGE);
        let mut options = Options {
            config: Config {
                ram_mib: 1024,
                ..Config::default()
            },
            guest: Guest {
                kernel: PathBuf::new(),
                initrd: None,
                root: None,
                os: Os::Linux,
                append: String::new(),
                cpus: 1,
            },
            stats: false,
            limits: Limits {
                total: Duration::from_secs(300),
                silence: Duration::MAX,
            },
        };
        let (config, guest) = (&mut options.config, &mut options.guest);
        while let Some(name) = args.next()? {
            match name.as_str() {
                "--board" => config.board = args.text()?,
                "--kernel" => guest.kernel = args.value()?.into(),
                "--initrd" => guest.initrd = Some(args.value()?.into()),
                "--root" => guest.root = Some(args.value()?.into()),
                "--trace" => config.trace = Some(args.value()?.into()),
                "--png" => config.png = Some(args.value()?.into()),
                "--count" => config.count = Some(args.value()?.into()),
                "--stats" => options.stats = true,
                "--power" => {
                    config.power =
                        power_of(&args.text()?).map_err(|why| format!("--power: {why}"))?;
                }
                "--inject" => config.inject.push(args.text()?),
                "--work-scale" => {
                    config.work_scale = u32::try_from(args.number()?)
                        .ok()
                        .filter(|times| (1..=100).contains(times))
                        .ok_or("--work-scale is from 1 to 100")?;
                }
                "--os" => {
                    guest.os = match args.text()?.as_str() {
                        "linux" => Os::Linux,
                        "freebsd" => Os::FreeBsd,
                        other => return Err(format!("--os is linux or freebsd, not {other}")),
                    }
                }
                "--append" => guest.append = args.text()?,
                "--timeout" => options.limits.total = Duration::from_secs(args.number()?),
                "--silence" => options.limits.silence = Duration::from_secs(args.number()?),
                "--ram" => config.ram_mib = args.number()?,
                "--cpus" => guest.cpus = args.number()?,
                _ => return Err(args.unknown()),
            }
        }
        if !board_gpus::known(&config.board) {
            let names = board_gpus::names().join(", ");
            return Err(format!(
                "no board {}; boards are {names}; {USAGE}",
                config.board
            ));
        }
        if guest.kernel.as_os_str().is_empty() {
            return Err(format!("no kernel given; {USAGE}"));
        }
        // Addresses of the Vivante front ends have 32 bits, and RAM begins at 1 GiB.
        if !(64..=3072).contains(&config.ram_mib) {
            return Err("--ram is from 64 to 3072".into());
        }
        if !(1..=8).contains(&guest.cpus) {
            return Err("--cpus is from 1 to 8".into());
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::power::Boot;

    fn parsed(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options() {
        let options = parsed(
            "--board imx8mq --stats --kernel k --inject a --inject b --timeout 7 --work-scale 9",
        )
        .unwrap();
        assert_eq!(options.config.power, Boot::Off);
        let on = parsed("--board imx8mq --kernel k --power on").unwrap();
        assert_eq!(on.config.power, Boot::On);
        assert_eq!(
            (
                options.config.inject.len(),
                options.stats,
                options.limits.total.as_secs(),
                options.config.work_scale
            ),
            (2, true, 7, 9)
        );
        assert_eq!(
            parsed("--board imx8mq --kernel k")
                .unwrap()
                .config
                .work_scale,
            1
        );
        for (line, word) in [
            ("--kernel k", "no board"),
            ("--board rk3399", "no kernel"),
            ("--board rk3399 --kernel", "needs a value"),
            ("--board rk3399 --kernel k --ram 4096", "--ram"),
            ("--board rk3399 --kernel k --timeout x", "number"),
            ("--board rk3399 --kernel k --power yes", "--power"),
            ("--board rk3399 --kernel k --cpus 0", "--cpus"),
            ("--board rk3399 --kernel k --work-scale 0", "--work-scale"),
            ("--board rk3399 --kernel k --work-scale 101", "--work-scale"),
            ("--board rk3399 --kernel k --os plan9", "--os"),
            ("--frob x", "unknown"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}

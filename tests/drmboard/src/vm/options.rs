// SPDX-License-Identifier: BSD-2-Clause
//! The command line of `drmboard vm`.

use super::config::power_of;
use crate::args::Args;
use board_gpus as board;
use models::power::Boot;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const USAGE: &str =
    "usage: drmboard vm --board NAME --kernel IMAGE [--initrd F] [--root F] [--trace F] [--png F] \
     [--count F] [--stats] [--power on|off] [--inject SPEC]... [--work-scale TIMES] \
     [--os linux|freebsd] [--append ARGS] [--timeout SECONDS] [--ram MIB] [--cpus N]";

/// The kind of kernel, which determines the form of its command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Os {
    Linux,
    FreeBsd,
}

/// The options.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) board: String,
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: Option<PathBuf>,
    /// The image of the disk /dev/vda (FreeBSD: /dev/vtbd0), which is read-only.
    pub(crate) root: Option<PathBuf>,
    pub(crate) trace: Option<PathBuf>,
    pub(crate) png: Option<PathBuf>,
    /// The file to which the counts of executed instructions are written. The guest's clock then
    /// counts instructions.
    pub(crate) count: Option<PathBuf>,
    pub(crate) stats: bool,
    /// Whether firmware left the GPU's power on.
    pub(crate) power: Boot,
    pub(crate) inject: Vec<String>,
    /// The factor by which draws, copies and jobs take longer.
    pub(crate) work_scale: u32,
    pub(crate) os: Os,
    /// More arguments of the kernel's command line; for FreeBSD, variables of its environment.
    pub(crate) append: String,
    pub(crate) timeout: Duration,
    pub(crate) ram_mib: u64,
    pub(crate) cpus: u64,
}

impl Options {
    /// # Errors
    /// A message about the first mistake.
    pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Options, String> {
        let mut args = Args::new(args, USAGE);
        let mut options = Options {
            board: String::new(),
            kernel: PathBuf::new(),
            initrd: None,
            root: None,
            trace: None,
            png: None,
            count: None,
            stats: false,
            power: Boot::Off,
            inject: Vec::new(),
            work_scale: 1,
            os: Os::Linux,
            append: String::new(),
            timeout: Duration::from_secs(300),
            ram_mib: 1024,
            cpus: 1,
        };
        while let Some(name) = args.next()? {
            match name.as_str() {
                "--board" => options.board = args.text()?,
                "--kernel" => options.kernel = args.value()?.into(),
                "--initrd" => options.initrd = Some(args.value()?.into()),
                "--root" => options.root = Some(args.value()?.into()),
                "--trace" => options.trace = Some(args.value()?.into()),
                "--png" => options.png = Some(args.value()?.into()),
                "--count" => options.count = Some(args.value()?.into()),
                "--stats" => options.stats = true,
                "--power" => {
                    options.power =
                        power_of(&args.text()?).map_err(|why| format!("--power: {why}"))?;
                }
                "--inject" => options.inject.push(args.text()?),
                "--work-scale" => {
                    options.work_scale = u32::try_from(args.number()?)
                        .ok()
                        .filter(|times| (1..=100).contains(times))
                        .ok_or("--work-scale is from 1 to 100")?;
                }
                "--os" => {
                    options.os = match args.text()?.as_str() {
                        "linux" => Os::Linux,
                        "freebsd" => Os::FreeBsd,
                        other => return Err(format!("--os is linux or freebsd, not {other}")),
                    }
                }
                "--append" => options.append = args.text()?,
                "--timeout" => options.timeout = Duration::from_secs(args.number()?),
                "--ram" => options.ram_mib = args.number()?,
                "--cpus" => options.cpus = args.number()?,
                _ => return Err(args.unknown()),
            }
        }
        if !board::known(&options.board) {
            let names = board::names().join(", ");
            return Err(format!(
                "no board {}; boards are {names}; {USAGE}",
                options.board
            ));
        }
        if options.kernel.as_os_str().is_empty() {
            return Err(format!("no kernel given; {USAGE}"));
        }
        // Addresses of the Vivante front ends have 32 bits, and RAM begins at 1 GiB.
        if !(64..=3072).contains(&options.ram_mib) {
            return Err("--ram is from 64 to 3072".into());
        }
        if !(1..=8).contains(&options.cpus) {
            return Err("--cpus is from 1 to 8".into());
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options() {
        let options = parsed(
            "--board imx8mq --stats --kernel k --inject a --inject b --timeout 7 --work-scale 9",
        )
        .unwrap();
        assert_eq!(options.power, Boot::Off);
        let on = parsed("--board imx8mq --kernel k --power on").unwrap();
        assert_eq!(on.power, Boot::On);
        assert_eq!(
            (
                options.inject.len(),
                options.stats,
                options.timeout.as_secs(),
                options.work_scale
            ),
            (2, true, 7, 9)
        );
        assert_eq!(parsed("--board imx8mq --kernel k").unwrap().work_scale, 1);
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

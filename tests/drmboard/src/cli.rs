// SPDX-License-Identifier: BSD-2-Clause
//! The command line.

use crate::args::Args;
use crate::board::{self, Board, Watch};
use crate::launch::Program;
use crate::server::Server;
use crate::signals::Signals;
use crate::{namespace, stats, vm};
use board_gpus::{inject, picture, TraceFile};
use drm_os_host::{ClockMode, Config, World};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How long descendants of the program may use the board after the program has ended.
const GRACE: Duration = Duration::from_secs(2);

/// Exit codes of `--strict` in place of a program's 0: submits were refused, or a model found
/// events that it does not know.
const REFUSED: u8 = 3;
const UNKNOWN: u8 = 4;

const USAGE: &str = "usage: drmboard run --board NAME [--trace F] [--stats] [--strict] [--png F] \
    [--dump F] [--inject SPEC]... [--set NAME=VALUE]... -- CMD [ARGS...]; \
    drmboard vm --board NAME --kernel IMAGE [--initrd F]... for QEMU; drmboard boards; \
    drmboard --help";

/// The text of `--help`; the list of boards follows it.
const HELP: &str = "\
drmboard run --board NAME [OPTION]... -- CMD [ARGS...]
    Runs a dynamically linked Linux program, x86_64 or arm64, with the GPU of the board as
    /dev/dri. Needs root: the program gets a private /dev and /sys.

    --stats             prints counts of each client and of the board at the end
    --trace FILE        every ioctl, register access and interrupt (docs/trace.md)
    --png FILE          the last image that was rendered
    --dump FILE         the driver's crash dump, if there was a crash
    --inject SPEC       injects a fault, such as hang:slot=0,after=10 (docs/trace.md)
    --set NAME=VALUE    a property of the board, such as ram_mib=512 (docs/trace.md)

    CMD is searched on PATH, among the arm64 clients and in the sysroot's /usr/bin. With
    DRMBOARD_ARCH=aarch64 in the environment, PATH is searched last. The program's PATH includes
    all these directories. The exit status is the program's, 128 plus the signal that ended it,
    or 2 if it was not started.

drmboard vm --board NAME --kernel IMAGE [OPTION]...
    A QEMU machine with the board's GPU on its bus, for a kernel with a driver of its own
    (docs/crosscheck.md).

drmboard colours FILE prints the colours of a picture, each with its number of pixels and their
                      rectangle
drmboard boards       prints the names of the boards
drmboard --version
";

/// Creates the board with a name; tests have their own function.
pub type MakeBoard = fn(&str, Config, Watch) -> Result<Board, String>;

#[derive(Debug, Default)]
struct Options {
    board: String,
    trace: Option<PathBuf>,
    stats: bool,
    strict: bool,
    png: Option<PathBuf>,
    dump: Option<PathBuf>,
    inject: Vec<String>,
    set: Vec<String>,
    command: Vec<OsString>,
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Options, String> {
    let mut args = Args::new(args, USAGE);
    let mut options = Options::default();
    loop {
        if let Some(command) = args.after_dashes() {
            options.command = command;
            break;
        }
        match args.next()?.as_deref() {
            Some("--board") => options.board = args.text()?,
            Some("--trace") => options.trace = Some(args.value()?.into()),
            Some("--png") => options.png = Some(args.value()?.into()),
            Some("--dump") => options.dump = Some(args.value()?.into()),
            Some("--inject") => options.inject.push(args.text()?),
            Some("--set") => options.set.push(args.text()?),
            Some("--stats") => options.stats = true,
            Some("--strict") => options.strict = true,
            Some(_) => return Err(args.unknown()),
            None => break,
        }
    }
    if options.command.is_empty() {
        return Err(format!("no program given; {USAGE}"));
    }
    if options.board.is_empty() {
        return Err(format!(
            "no board given; boards are {}",
            board::names().join(", ")
        ));
    }
    Ok(options)
}

/// Applies `--set`: properties of the board that are not in its device tree.
fn set(config: &mut Config, setting: &str) -> Result<(), String> {
    let bad = || {
        format!(
            "--set {setting}: known are coherence=0|1, contiguous=0|1, ram_mib=N and the driver's \
                tunables"
        )
    };
    let (name, value) = setting.split_once('=').ok_or_else(bad)?;
    let number: u64 = value.parse().map_err(|_| bad())?;
    match name {
        "coherence" if number < 2 => config.coherence = number == 1,
        "contiguous" if number < 2 => config.contiguous = number == 1,
        "ram_mib" if (16..=1 << 16).contains(&number) => config.pages = number << 8,
        "file_mem_limit" | "user_mem_limit" | "device_mem_limit" | "unstable_ioctls" => {
            config.tunables.insert(name.to_string(), number);
        }
        _ => return Err(bad()),
    }
    Ok(())
}

/// Runs the command line. Returns the exit code of the program, or 2 after a message on stderr.
#[must_use]
pub fn main(mut args: impl Iterator<Item = OsString>, make: MakeBoard) -> u8 {
    let verb = args.next();
    let done = match verb.as_ref().and_then(|verb| verb.to_str()) {
        Some("run") => parse(args).and_then(|options| run(&options, make)),
        Some("vm") => vm::main(args),
        Some("--help" | "-h" | "help") => {
            print!("{HELP}\nboards: {}\n", board::names().join(" "));
            Ok(0)
        }
        Some("--version" | "-V") => {
            println!("drmboard {}", env!("CARGO_PKG_VERSION"));
            Ok(0)
        }
        Some("colours") => args.next().ok_or(USAGE.into()).and_then(|file| {
            let all = picture::colours(file.as_ref())?;
            all.iter().for_each(|line| println!("{line}"));
            Ok(0)
        }),
        Some("boards") => {
            board::names().iter().for_each(|name| println!("{name}"));
            Ok(0)
        }
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(code) => code,
        Err(sentence) => {
            eprintln!("drmboard: {sentence}");
            2
        }
    }
}

fn run(options: &Options, make: MakeBoard) -> Result<u8, String> {
    let mut config = Config {
        clock: ClockMode::Real,
        // As on the boards: none of these GPUs snoops.
        coherence: true,
        ..Config::default()
    };
    for setting in &options.set {
        set(&mut config, setting)?;
    }
    let injections: Vec<_> = options
        .inject
        .iter()
        .map(|spec| inject::parse(spec))
        .collect::<Result<_, _>>()?;
    // Cheap checks first: nothing is set up for a program that cannot run.
    if !board_gpus::known(&options.board) {
        return Err(format!(
            "no board {}; boards are {}",
            options.board,
            board::names().join(", ")
        ));
    }
    let program = Program::find(&options.command[0])?;
    let trace = match &options.trace {
        Some(path) => {
            Some(TraceFile::create(path).map_err(|error| format!("{}: {error}", path.display()))?)
        }
        None => None,
    };
    let nodes = board::nodes(&options.board);
    let first = nodes.first().ok_or("no such board")?;
    // Before any thread is created: a mount namespace and a signal mask belong to a thread and to
    // the threads that it creates.
    namespace::enter(first)?;
    let signals = Signals::block();

    // A trace includes the attach of the driver.
    let watch = |world: &World| {
        if let Some(trace) = &trace {
            trace.follow(world, &nodes);
        }
    };
    let board = make(&options.board, config, &watch)?;
    if options.png.is_some() {
        board.set_capture(true);
    }
    for planted in injections {
        board.inject(planted)?;
    }
    let server = Server::start(
        board.world(),
        board.device(),
        board.driver_name(),
        trace.clone(),
    )
    .map_err(|error| format!("cannot serve the board: {error}"))?;
    let child = program.start(
        &options.command[1..],
        &options.board,
        server.name(),
        signals.before(),
    );
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let _ = server.finish(Duration::ZERO);
            return Err(format!("{}: {error}", options.command[0].display()));
        }
    };
    let code = signals
        .wait(&mut child)
        .map_err(|error| error.to_string())?;

    let (clients, left) = server.finish(GRACE);
    for process in left {
        let (pid, comm, files) = (process.pid, process.comm, process.files);
        eprintln!("drmboard: still using the board, cut off: pid={pid} comm={comm} files={files}");
    }
    let device = board.stats();
    let jobs = device
        .iter()
        .find(|(name, _)| name == "jobs")
        .map(|(_, n)| *n);
    if jobs == Some(0) && program.is_x86_64() && !clients.is_empty() {
        eprintln!(
            "drmboard: no job reached the GPU. {} is an x86_64 program, and Debian's x86_64 Mesa \
             has no driver for the GPUs of these boards: it silently draws with the CPU. With \
             DRMBOARD_ARCH=aarch64 arm64 programs are found before those on PATH.",
            options.command[0].display()
        );
    }
    if let Some(path) = &options.png {
        // The program has completed: an error of the picture is only reported.
        let written = match board.last_frame() {
            Some(frame) => picture::write(path, &frame).map_err(|error| error.to_string()),
            None => Err("nothing was rendered".into()),
        };
        if let Err(why) = written {
            eprintln!("drmboard: cannot write {}: {why}", path.display());
        }
    }
    if let Some(path) = &options.dump {
        let dump = board.dump();
        // As above. Without a crash there is no file.
        let written = match dump.as_slice() {
            [] => Ok(()),
            bytes => std::fs::write(path, bytes),
        };
        if let Err(why) = written {
            eprintln!("drmboard: cannot write {}: {why}", path.display());
        }
    }
    let mut unknown = 0;
    for (name, report) in board.reports() {
        unknown += report.times;
        for line in report.unknown {
            eprintln!("drmboard: the model of {name} does not know: {line}");
        }
    }
    let counters = board.close()?;
    if let Some(trace) = &trace {
        trace.flush().map_err(|error| format!("trace: {error}"))?;
    }
    let leaked = stats::live(&counters);
    if options.stats {
        print!("{}", stats::report(&clients, &device, unknown, leaked));
    }
    if leaked != 0 {
        eprintln!("drmboard: leaked after detach: {counters}");
    }
    let refused = stats::refused(&clients, &device);
    Ok(match code {
        0 if options.strict && refused != 0 => REFUSED,
        0 if options.strict && unknown != 0 => UNKNOWN,
        _ => code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_end_at_the_dashes() {
        let options =
            parsed("--board rk3399 --stats --inject hang:slot=0 --inject gpu-fault -- a --stats b")
                .unwrap();
        assert_eq!(
            (options.board.as_str(), options.stats, options.inject.len()),
            ("rk3399", true, 2)
        );
        assert_eq!(options.command, ["a", "--stats", "b"]);
    }

    #[test]
    fn mistakes_are_reported() {
        for (line, word) in [
            ("", "usage"),
            ("--board", "needs a value"),
            ("--board rk3399", "no program"),
            ("-- true", "no board"),
            ("--frob -- true", "unknown argument --frob"),
            ("--board rk3399 true", "unknown argument true"),
            ("-x -- true", "unknown argument -x"),
            ("--stats=3 -- true", "usage"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }

    #[test]
    fn settings() {
        let mut config = Config {
            coherence: true,
            ..Config::default()
        };
        set(&mut config, "ram_mib=64").unwrap();
        set(&mut config, "coherence=0").unwrap();
        assert_eq!((config.pages, config.coherence), (64 << 8, false));
        for bad in [
            "ram_mib",
            "ram_mib=x",
            "ram_mib=1",
            "coherence=2",
            "speed=1",
        ] {
            assert!(
                set(&mut config, bad).unwrap_err().contains("known are"),
                "{bad}"
            );
        }
    }
}

// SPDX-License-Identifier: BSD-2-Clause
//! Finds the program, and starts it under the shim.

use crate::elf::{self, Kind, Machine};
use crate::signals::Before;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// The paths of the files that a program on the board needs.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    sysroot: PathBuf,
    qemu: Option<PathBuf>,
    shims: PathBuf,
    clients: PathBuf,
}

fn on_path(name: &OsStr) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

impl Places {
    /// Defaults are next to this executable: TARGET/release/drmboard has TARGET/sysroot,
    /// TARGET/qemu, TARGET/shim.
    pub(crate) fn find() -> Places {
        let exe = env::current_exe().unwrap_or_default();
        let target = exe
            .parent()
            .and_then(Path::parent)
            .unwrap_or(Path::new("target"));
        let own_qemu = target.join("qemu/qemu-aarch64");
        Places {
            sysroot: variable("DRMBOARD_SYSROOT").unwrap_or_else(|| target.join("sysroot")),
            qemu: variable("DRMBOARD_QEMU")
                .or(Some(own_qemu).filter(|qemu| qemu.is_file()))
                .or_else(|| on_path("qemu-aarch64".as_ref())),
            shims: variable("DRMBOARD_SHIM_DIR").unwrap_or_else(|| target.join("shim")),
            clients: variable("DRMBOARD_CLIENTS")
                .unwrap_or_else(|| target.join("arm64/aarch64-unknown-linux-gnu/release")),
        }
    }

    fn shim(&self, machine: Machine) -> Result<PathBuf, String> {
        let name = if machine == Machine::Aarch64 {
            "aarch64"
        } else {
            "x86_64"
        };
        let path = self.shims.join(name).join("libdrmboard_shim.so");
        if path.is_file() {
            Ok(path)
        } else {
            Err(format!("no shim for {name} programs at {}", path.display()))
        }
    }

    /// The program file of CMD.
    fn program(&self, cmd: &OsStr) -> Result<PathBuf, String> {
        if cmd.as_encoded_bytes().contains(&b'/') {
            return Ok(PathBuf::from(cmd));
        }
        let below = || {
            let mut named = self.programs().into_iter().map(|dir| dir.join(cmd));
            named.find(|path| path.is_file())
        };
        let found = match self.prefer_arm64()? {
            true => below().or_else(|| on_path(cmd)),
            false => on_path(cmd).or_else(below),
        };
        found.ok_or_else(|| {
            format!(
                "{}: no such program on PATH, in {}/usr/bin or among the clients",
                cmd.display(),
                self.sysroot.display()
            )
        })
    }

    /// `DRMBOARD_ARCH`: whether arm64 programs come before those of the same name on PATH.
    fn prefer_arm64(&self) -> Result<bool, String> {
        let name = variable("DRMBOARD_ARCH");
        match name
            .as_ref()
            .map(|name| name.as_os_str().as_encoded_bytes())
        {
            None => Ok(HOST == Machine::Aarch64),
            Some(b"x86_64") => Ok(false),
            Some(b"aarch64") => Ok(true),
            Some(other) => Err(format!(
                "DRMBOARD_ARCH is aarch64 or x86_64, not {}",
                String::from_utf8_lossy(other)
            )),
        }
    }

    /// PATH of the program: that of drmboard, and the directories of arm64 programs.
    fn path(&self) -> OsString {
        let ours = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let arm64 = self.programs();
        let ours: Vec<_> = env::split_paths(&ours).collect();
        let all: Vec<_> = match self.prefer_arm64() {
            Ok(true) => arm64.iter().chain(&ours).collect(),
            _ => ours.iter().chain(&arm64).collect(),
        };
        // A directory with a colon in its name cannot be on a PATH.
        env::join_paths(&all).unwrap_or_else(|_| env::var_os("PATH").unwrap_or_default())
    }

    /// The directories of arm64 programs: this project's clients, then the sysroot's.
    fn programs(&self) -> [PathBuf; 2] {
        [self.clients.clone(), self.sysroot.join("usr/bin")]
    }
}

/// A program that can run on the board, and how.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    name: OsString,
    machine: Machine,
    shim: PathBuf,
    places: Places,
}

/// The machine that this program runs on.
const HOST: Machine = if cfg!(target_arch = "aarch64") {
    Machine::Aarch64
} else {
    Machine::X86_64
};

impl Program {
    /// # Errors
    ///
    /// A message that explains why `cmd` cannot run on the board.
    pub(crate) fn find(cmd: &OsStr) -> Result<Program, String> {
        let mut places = Places::find();
        places.prefer_arm64()?;
        let path = places.program(cmd)?;
        let shown = path.display();
        let machine = match elf::kind(&path).map_err(|error| format!("{shown}: {error}"))? {
            Kind::Dynamic(machine) => machine,
            Kind::Script => HOST,
            Kind::Static(_) => {
                return Err(format!(
                    "{shown} is a static program, which cannot be put on the board"
                ))
            }
            Kind::Foreign(machine) => {
                return Err(format!(
                "{shown} is for another machine (ELF e_machine {machine}), not x86_64 or aarch64"
            ))
            }
            Kind::NotAProgram => return Err(format!("{shown} is not a program")),
        };
        if machine != HOST {
            if machine == Machine::X86_64 {
                return Err(format!(
                    "{shown} is an x86_64 program and this machine is none"
                ));
            }
            if places.qemu.is_none() {
                return Err(format!(
                    "{shown} is an aarch64 program and there is no qemu-aarch64 to run it"
                ));
            }
            if !places.sysroot.is_dir() {
                let root = places.sysroot.display();
                return Err(format!(
                    "{shown} is an aarch64 program and its sysroot {root} is not there"
                ));
            }
        }
        // Paths are made absolute for children that change their directory. The library of the
        // other machine is searched for only when a program of that machine is started.
        places.sysroot = std::path::absolute(&places.sysroot).map_err(|e| e.to_string())?;
        places.shims = std::path::absolute(&places.shims).map_err(|e| e.to_string())?;
        places.clients = std::path::absolute(&places.clients).map_err(|e| e.to_string())?;
        places.qemu = places
            .qemu
            .map(|qemu| std::path::absolute(&qemu).unwrap_or(qemu));
        let shim = places.shim(machine)?;
        Ok(Program {
            path,
            name: cmd.to_owned(),
            machine,
            shim,
            places,
        })
    }

    /// Whether it is a program for the machine of drmboard, and not for that of the board.
    pub(crate) fn is_x86_64(&self) -> bool {
        self.machine == Machine::X86_64
    }

    /// Starts it in its own process group, with the signal mask and limits of `before`. It is
    /// killed when drmboard ends.
    pub(crate) fn start(
        &self,
        args: &[OsString],
        board: &str,
        socket: &str,
        before: Before,
    ) -> io::Result<Child> {
        let mut preload = self.shim.clone().into_os_string();
        if let Some(more) = env::var_os("LD_PRELOAD").filter(|more| !more.is_empty()) {
            preload.push(":");
            preload.push(more);
        }
        let mut command;
        if self.machine == HOST {
            command = Command::new(&self.path);
            command.arg0(&self.name).env("LD_PRELOAD", preload);
        } else {
            let mut setting = OsString::from("LD_PRELOAD=");
            setting.push(preload);
            command = Command::new(
                self.places
                    .qemu
                    .as_deref()
                    .unwrap_or(Path::new("qemu-aarch64")),
            );
            command
                .arg("-L")
                .arg(&self.places.sysroot)
                .arg("-0")
                .arg(&self.name)
                .arg("-E")
                .arg(setting);
            // QEMU is a program of this machine: the guest's library is not for it.
            command.arg(&self.path).env_remove("LD_PRELOAD");
        }
        command
            .args(args)
            .env("DRMBOARD_BOARD", board)
            .env("DRMBOARD_SOCKET", socket);
        command
            .env("PATH", self.places.path())
            .env("DRMBOARD_SHIM_DIR", &self.places.shims)
            .env("DRMBOARD_SYSROOT", &self.places.sysroot);
        if HOST != Machine::Aarch64 {
            if let Some(qemu) = &self.places.qemu {
                command.env("DRMBOARD_QEMU", qemu);
            }
        }
        command.process_group(0);
        // SAFETY: only system calls that are safe between fork and exec.
        unsafe { command.pre_exec(move || before.restore()) };
        command.spawn()
    }
}

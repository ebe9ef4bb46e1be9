// SPDX-License-Identifier: BSD-2-Clause
//! Dispatch of ioctls: in the process of the driver, and through drmboard.

use crate::meter::{row, Meter, Row};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use test_board::panfrost::Client;
use uapi::core::{Version, VERSION};
use uapi::panfrost::{GetParam, GET_PARAM};
use uapi::Request;

const CALLS: u32 = 1000;

/// One ioctl(2) of this machine's kernel that does nothing: it says that a null device has none.
fn null_ioctl(meter: &mut Meter) -> Option<f64> {
    if !meter.is_clock() {
        // Its instructions are the kernel's.
        return None;
    }
    let null = std::fs::File::open("/dev/null").ok()?;
    let mut arg = GetParam::default();
    Some(meter.work(CALLS, || {
        for _ in 0..CALLS {
            // SAFETY: the argument is as long as the code says.
            let result =
                unsafe { libc::ioctl(null.as_raw_fd(), GET_PARAM.code() as _, &raw mut arg) };
            assert_eq!(result, -1);
        }
    }))
}

/// Asks for the driver's name.
fn version_of(name: &mut [u8; 16]) -> Version {
    Version {
        name_len: name.len() as u64,
        name: name.as_mut_ptr() as u64,
        ..Version::default()
    }
}

/// Times an ioctl of a file.
fn measure<T>(file: &std::fs::File, request: Request<T>, mut arg: T) -> Result<f64, String> {
    let mut failed = false;
    let time = Meter::Clock.work(CALLS, || {
        for _ in 0..CALLS {
            // SAFETY: the argument is as long as the code says, and its pointers are this
            // process's.
            let result =
                unsafe { libc::ioctl(file.as_raw_fd(), request.code() as _, &raw mut arg) };
            failed |= result != 0;
        }
    });
    if failed {
        let error = std::io::Error::last_os_error();
        Err(format!("ioctl {:#x}: {error}", request.code()))
    } else {
        Ok(time)
    }
}

/// In one process: the driver's ioctls on the virtual clock, with the system below it.
///
/// # Panics
/// If an ioctl fails.
pub fn rows(meter: &mut Meter) -> Vec<Row> {
    let board = test_board::board("rk3399", drm_os_host::Config::default());
    let client = Client::open(&board).expect("the node opens");
    let param = meter.work(CALLS, || {
        (0..CALLS).for_each(|_| assert_eq!(client.param(0), Ok(0x860)))
    });
    let mut name = [0u8; 16];
    let version = meter.work(CALLS, || {
        for _ in 0..CALLS {
            client
                .ioctl(VERSION, version_of(&mut name))
                .expect("VERSION");
        }
    });
    assert_eq!(&name[..8], b"panfrost");
    let null = null_ioctl(meter);
    vec![
        row("GET_PARAM", param, null),
        row("VERSION with its name", version, null),
    ]
}

/// The part of a process on the board: its ioctls' times, printed.
///
/// # Errors
/// A sentence: what failed.
pub fn client() -> Result<(), String> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/dri/renderD128");
    let file = file.map_err(|error| format!("renderD128: {error}"))?;
    let param = measure(&file, GET_PARAM, GetParam::default())?;
    let mut name = [0u8; 16];
    let version = measure(&file, VERSION, version_of(&mut name))?;
    println!("ioctl {param} {version}");
    Ok(())
}

/// A byte there and back between two processes, which is the least that a served ioctl costs.
fn round_trip(meter: &mut Meter) -> std::io::Result<f64> {
    let (mut ours, mut theirs) = UnixStream::pair()?;
    // SAFETY: the child only reads and writes, and leaves without unwinding.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(ours);
        let mut byte = [0];
        while theirs
            .read_exact(&mut byte)
            .and_then(|()| theirs.write_all(&byte))
            .is_ok()
        {}
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    drop(theirs);
    let time = meter.work(CALLS, || {
        for _ in 0..CALLS {
            let mut byte = [1];
            ours.write_all(&byte)
                .and_then(|()| ours.read_exact(&mut byte))
                .expect("the other process answers");
        }
    });
    drop(ours);
    // SAFETY: the child is ours.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    Ok(time)
}

/// Through drmboard: the same ioctls of another process, which `client` runs. Times only.
///
/// # Errors
/// A sentence: drmboard does not run it.
pub fn served(meter: &mut Meter, drmboard: &Path) -> Result<Vec<Row>, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(drmboard)
        .args(["run", "--board", "rk3399", "--"])
        .arg(this)
        .arg("--client")
        .output();
    let output = output.map_err(|error| format!("{}: {error}", drmboard.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("ioctl "));
    let times: Vec<f64> = line
        .iter()
        .flat_map(|line| line.split(' '))
        .filter_map(|time| time.parse().ok())
        .collect();
    let [param, version] = times[..] else {
        return Err(format!(
            "drmboard: {}{text}",
            String::from_utf8_lossy(&output.stderr)
        ));
    };
    let trip = round_trip(meter).map_err(|error| error.to_string())?;
    Ok(vec![
        row("GET_PARAM, drmboard", param, trip),
        row("VERSION, drmboard", version, trip),
    ])
}

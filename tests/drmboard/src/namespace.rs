// SPDX-License-Identifier: BSD-2-Clause
//! A private view of /dev and /sys in which the board's nodes exist. It is not visible to other
//! processes.
//!
//! Directories that get new entries are covered by a tmpfs that has the previous entries, too:
//! links are copied, anything else is bind-mounted. The old directory stays reachable through a
//! descriptor opened before it was covered. libdrm 2.4.114 reads: /dev/dri, stat of the node,
//! /sys/dev/char/MAJ:MIN/device/{subsystem,uevent,drm/}.

use crate::proto::DRM_MAJOR;
use drm_os_host::Node;
use std::ffi::{CString, OsStr};
use std::fs::{self, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, OpenOptionsExt};
use std::path::Path;

/// The nodes of a render board: (name, minor number).
pub(crate) const NODES: [(&str, u32); 2] = [("card0", 0), ("renderD128", 128)];

fn c(path: &OsStr) -> CString {
    CString::new(path.as_bytes()).unwrap_or_default()
}

fn check(result: libc::c_int, what: &str) -> Result<()> {
    if result == 0 {
        return Ok(());
    }
    let error = Error::last_os_error();
    Err(Error::new(error.kind(), format!("{what}: {error}")))
}

fn mount(from: &Path, to: &Path, kind: &str, flags: libc::c_ulong, options: &str) -> Result<()> {
    let (from, target, kind, options) = (
        c(from.as_os_str()),
        c(to.as_os_str()),
        c(kind.as_ref()),
        c(options.as_ref()),
    );
    // SAFETY: NUL-ended strings that outlive the call.
    let result = unsafe {
        libc::mount(
            from.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            flags,
            options.as_ptr().cast(),
        )
    };
    check(result, &format!("mount {}", to.display()))
}

/// Covers `dir` with a tmpfs that has its entries, except those named `without`.
fn mirror(dir: &Path, without: &[&str]) -> Result<()> {
    let old = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open(dir)?;
    let hidden = Path::new("/proc/self/fd").join(old.as_raw_fd().to_string());
    let entries: Vec<_> = fs::read_dir(dir)?.collect::<Result<_>>()?;
    mount(
        Path::new("drmboard"),
        dir,
        "tmpfs",
        libc::MS_NOSUID,
        "mode=755",
    )?;
    for entry in entries {
        let name = entry.file_name();
        if without.iter().any(|w| name == **w) {
            continue;
        }
        let (from, to) = (hidden.join(&name), dir.join(&name));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
            continue;
        }
        // The kernel finds the terminals of this file by the directory `pts` beside it, which a
        // mounted file has not.
        if dir == Path::new("/dev") && name == "ptmx" {
            symlink("pts/ptmx", &to)?;
            continue;
        }
        if kind.is_dir() {
            fs::create_dir(&to)?;
        } else {
            fs::write(&to, "")?;
        }
        match mount(&from, &to, "", libc::MS_BIND | libc::MS_REC, "") {
            Ok(()) => {}
            // It was removed meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if kind.is_dir() {
                    fs::remove_dir(&to)?;
                } else {
                    fs::remove_file(&to)?;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// "ff9a0000.gpu" for "gpu@ff9a0000", as Linux names platform devices.
fn platform_name(node: &str) -> String {
    match node.split_once('@') {
        Some((name, address)) => format!("{address}.{name}"),
        None => node.to_owned(),
    }
}

/// The content of a platform device's uevent file.
fn uevent(node: &Node) -> String {
    let base = node.name.split('@').next().unwrap_or_default();
    let mut text = format!("OF_NAME={base}\nOF_FULLNAME=/{}\n", node.name);
    for (i, compatible) in node.compatible.iter().enumerate() {
        text += &format!("OF_COMPATIBLE_{i}={compatible}\n");
    }
    text += &format!("OF_COMPATIBLE_N={}\n", node.compatible.len());
    text
}

fn fill_sys(node: &Node) -> Result<()> {
    let name = platform_name(&node.name);
    let platform = Path::new("/sys/devices/platform");
    mirror(platform, &[])?;
    let device = platform.join(&name);
    fs::create_dir_all(device.join("drm"))?;
    fs::write(device.join("uevent"), uevent(node))?;
    symlink("../../../bus/platform", device.join("subsystem"))?;
    mirror(Path::new("/sys/dev/char"), &[])?;
    mirror(Path::new("/sys/class"), &["drm"])?;
    fs::create_dir("/sys/class/drm")?;
    for (node, minor) in NODES {
        let at = device.join("drm").join(node);
        fs::create_dir(&at)?;
        fs::write(at.join("dev"), format!("{DRM_MAJOR}:{minor}\n"))?;
        let text =
            format!("MAJOR={DRM_MAJOR}\nMINOR={minor}\nDEVNAME=dri/{node}\nDEVTYPE=drm_minor\n");
        fs::write(at.join("uevent"), text)?;
        symlink(format!("../../../{name}"), at.join("device"))?;
        symlink("../../../../../class/drm", at.join("subsystem"))?;
        let target = format!("../../devices/platform/{name}/drm/{node}");
        let char_link = Path::new("/sys/dev/char").join(format!("{DRM_MAJOR}:{minor}"));
        // The machine may have a GPU of its own with this number.
        if char_link.symlink_metadata().is_ok() {
            fs::remove_file(&char_link)?;
        }
        symlink(&target, char_link)?;
        symlink(&target, Path::new("/sys/class/drm").join(node))?;
    }
    Ok(())
}

fn fill_dev() -> Result<()> {
    let dev = Path::new("/dev");
    mirror(dev, &["dri"])?;
    let dri = dev.join("dri");
    fs::create_dir(&dri)?;
    for (node, minor) in NODES {
        let path = dri.join(node);
        let name = c(path.as_os_str());
        // SAFETY: a NUL-ended string. The umask does not apply to what chmod sets.
        let result = unsafe {
            match libc::mknod(
                name.as_ptr(),
                libc::S_IFCHR | 0o660,
                libc::makedev(DRM_MAJOR, minor),
            ) {
                0 => libc::chmod(name.as_ptr(), 0o660),
                error => error,
            }
        };
        check(result, &format!("mknod {}", path.display()))?;
    }
    Ok(())
}

/// Moves the calling thread, and the threads and processes that it creates later, into a mount
/// namespace with the board.
///
/// # Errors
///
/// A message: no permission to mount or to create nodes; the root is no mount point; /dev
/// or /sys is missing.
pub(crate) fn enter(node: &Node) -> std::result::Result<(), String> {
    let rights =
        |error| format!("cannot set up a private /dev, which takes root or CAP_SYS_ADMIN: {error}");
    // SAFETY: a plain system call.
    let result = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    check(result, "unshare").map_err(rights)?;
    let private = mount(
        Path::new("none"),
        Path::new("/"),
        "",
        libc::MS_REC | libc::MS_PRIVATE,
        "",
    );
    private.map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => {
            "cannot keep mounts private, for the root directory is no mount point: before chroot \
             DIR, \
                                    do mount --bind DIR DIR"
                .into()
        }
        _ => rights(error),
    })?;
    let rest = fill_dev().and_then(|()| fill_sys(node));
    rest.map_err(rights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_uevent_are_those_of_linux() {
        assert_eq!(platform_name("gpu@ff9a0000"), "ff9a0000.gpu");
        let node = Node {
            name: "gpu@ff9a0000".into(),
            compatible: vec!["rockchip,rk3399-mali".into(), "arm,mali-t860".into()],
            ..Node::default()
        };
        let text = uevent(&node);
        assert!(text.contains("OF_FULLNAME=/gpu@ff9a0000\n"));
        assert!(text.contains("OF_COMPATIBLE_1=arm,mali-t860\nOF_COMPATIBLE_N=2\n"));
    }
}

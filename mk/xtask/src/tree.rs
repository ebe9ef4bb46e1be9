// SPDX-License-Identifier: BSD-2-Clause
//! The files of the project.

use std::process::Command;

/// Files that are text and are, or would be, tracked, each with its text.
pub fn files() -> Result<Vec<(String, String)>, String> {
    let listed = Command::new("git")
        .args(["ls-files", "-coz", "--exclude-standard"])
        .output()
        .map_err(|e| format!("git: {e}"))?;
    if !listed.status.success() {
        return Err("git ls-files failed".to_owned());
    }
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    let is_file = |path: &&str| {
        std::fs::symlink_metadata(path).is_ok_and(|m| m.is_file()) && !path.is_empty()
    };
    let text = |path: &str| {
        let bytes = std::fs::read(path).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        (!text.contains('\0')).then(|| (path.to_owned(), text))
    };
    Ok(names.split('\0').filter(is_file).filter_map(text).collect())
}

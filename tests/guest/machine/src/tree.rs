// SPDX-License-Identifier: BSD-2-Clause
//! The machine's device tree: QEMU's own of the `virt` machine, with the nodes of a board's GPU
//! added as source text and compiled by dtc.

use crate::config::{FIRST_SPI, WINDOWS, WINDOW_STEP};
use crate::power;
use crate::qemu::Qemu;
use drm_os_host::Node;
use models::power::Boot;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The strings of a property.
fn strings<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.map(|text| format!("\"{text}\""))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The node of a core, with its address on this bus, and with fixed clocks and a fixed supply in
/// place of the board's controllers; `consumer` is the property that names its power domain, if it
/// has one.
///
/// HW: rk3399.dtsi gpu@ff9a0000 (its one clock has no name there), imx8mq.dtsi gpu@38000000 (its
/// one interrupt has none), imx6qdl.dtsi gpu@130000 and gpu@134000.
fn source(node: &Node, core: u64, first_line: u32, consumer: &str) -> String {
    let mut out = String::new();
    let mut put = |line: std::fmt::Arguments| {
        let _ = writeln!(out, "\t{line}");
    };
    let at = WINDOWS + core * WINDOW_STEP;
    let named = node.irqs.len() > 1;
    let mali = !node.regulators.is_empty();
    for (name, hz) in &node.clocks {
        let label = format!("gpu{core}_{name}");
        put(format_args!(
            "{label}: clock-{core}-{name} {{ compatible = \"fixed-clock\"; #clock-cells = <0>; \
                clock-frequency = <{hz}>; }};",
        ));
    }
    for name in &node.regulators {
        put(format_args!(
            "gpu{core}_{name}: regulator-{core}-{name} {{ compatible = \"regulator-fixed\"; \
             regulator-name = \"{name}\"; \
             regulator-min-microvolt = <900000>; regulator-max-microvolt = <900000>; \
             regulator-always-on; }};",
        ));
    }
    put(format_args!("gpu@{at:x} {{"));
    put(format_args!(
        "\tcompatible = {};",
        strings(node.compatible.iter().map(String::as_str))
    ));
    put(format_args!("\treg = <0 {at:#x} 0 {:#x}>;", node.mmio_len));
    // Type 0: shared; 4: active high, level.
    let spis = (0..)
        .zip(&node.irqs)
        .map(|(line, _): (u32, _)| format!("<0 {} 4>", FIRST_SPI + first_line + line));
    put(format_args!(
        "\tinterrupts = {};",
        spis.collect::<Vec<_>>().join(", ")
    ));
    if named {
        put(format_args!(
            "\tinterrupt-names = {};",
            strings(node.irqs.iter().map(String::as_str))
        ));
    }
    let clocks = node
        .clocks
        .iter()
        .map(|(name, _)| format!("<&gpu{core}_{name}>"));
    put(format_args!(
        "\tclocks = {};",
        clocks.collect::<Vec<_>>().join(", ")
    ));
    if !mali {
        put(format_args!(
            "\tclock-names = {};",
            strings(node.clocks.iter().map(|(name, _)| name.as_str()))
        ));
    }
    for name in &node.regulators {
        put(format_args!("\t{name}-supply = <&gpu{core}_{name}>;"));
    }
    if !consumer.is_empty() {
        put(format_args!("\t{consumer}"));
    }
    put(format_args!("}};"));
    out
}

/// The nodes that are added to the tree for a board.
fn additions(board: &str, boot: Boot) -> String {
    let mut out = String::from("/ {\n");
    let (controller, consumer) = power::nodes(board, boot).unwrap_or_default();
    let mut lines = 0;
    for (core, node) in (0..).zip(board_gpus::nodes(board)) {
        out.push_str(&source(&node, core, lines, consumer));
        lines += u32::try_from(node.irqs.len()).unwrap_or(0);
    }
    out.push_str(&controller);
    out.push_str("};\n");
    out
}

/// Runs dtc(1) to convert between formats, without warnings: QEMU's own tree causes many.
fn dtc(from: &str, input: &Path, to: &str, output: &Path) -> Result<(), String> {
    let mut command = Command::new("dtc");
    let command = command
        .args(["-q", "-I", from, "-O", to, "-o"])
        .arg(output)
        .arg(input);
    let done = command
        .output()
        .map_err(|error| format!("dtc (package device-tree-compiler): {error}"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!(
            "dtc: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        )),
    }
}

/// Creates the tree of a machine with a board's GPU. Returns its file, in `scratch`.
///
/// # Errors
///
/// A message: QEMU or dtc failed.
pub fn build(scratch: &Path, machine: &Qemu, board: &str, boot: Boot) -> Result<PathBuf, String> {
    let [blob, text, done] = ["virt.dtb", "virt.dts", "board.dtb"].map(|name| scratch.join(name));
    machine.dump_tree(&blob)?;
    dtc("dtb", &blob, "dts", &text)?;
    // dtc merges repeated root nodes.
    let all = fs::read_to_string(&text).map(|tree| tree + &additions(board, boot));
    all.and_then(|all| fs::write(&text, all))
        .map_err(|error| format!("{}: {error}", text.display()))?;
    dtc("dts", &text, "dtb", &done)?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_as_in_the_boards_trees() {
        let mali = additions("rk3399", Boot::Off);
        for part in [
            "gpu@c000000 {",
            "\"rockchip,rk3399-mali\", \"arm,mali-t860\"",
            "interrupts = <0 80 4>, <0 81 4>, <0 82 4>;",
            "\"job\", \"mmu\", \"gpu\"",
            "mali-supply",
            "power-domains = <&power 35>;",
            "power-management@ce00000 {",
            "reg = <0 0xce10000 0 0x20>;",
            "reg = <35>; clocks = <&gpu0_aclk_gpu>; pm_qos = <&qos_gpu>;",
        ] {
            assert!(mali.contains(part), "{part}: {mali}");
        }
        assert!(!mali.contains("clock-names"));
        let imx = additions("imx8mq", Boot::Off);
        assert!(
            imx.contains("clock-names = \"core\", \"shader\", \"bus\", \"reg\";"),
            "{imx}"
        );
        assert!(!imx.contains("interrupt-names"));
        for part in [
            "gpc@ce00000 {",
            "reg = <0 0xce00000 0 0x10000>;",
            "clocks = <&gpu0_core>, <&gpu0_shader>, <&gpu0_bus>, <&gpu0_reg>; power-supply = \
                <&gpu_supply>;",
            "power-domains = <&pgc_gpu>;",
        ] {
            assert!(imx.contains(part), "{part}: {imx}");
        }
        let two = additions("imx6q", Boot::Off);
        assert!(
            two.contains("gpu@c100000 {")
                && two.contains("<0 81 4>;")
                && !two.contains("power-domains"),
            "{two}"
        );
    }
}

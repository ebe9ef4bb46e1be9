// SPDX-License-Identifier: BSD-2-Clause
//! The trace file: one line per event, in the format of docs/trace.md.

use drm_os_host::{Node, Trace, World};
use std::fmt::Arguments;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A trace being written.
pub struct TraceFile(Mutex<BufWriter<File>>);

impl TraceFile {
    /// # Errors
    ///
    /// The file cannot be created.
    pub fn create(path: &Path) -> std::io::Result<Arc<TraceFile>> {
        Ok(Arc::new(TraceFile(Mutex::new(BufWriter::with_capacity(
            1 << 18,
            File::create(path)?,
        )))))
    }

    /// Writes a line, which begins with the time.
    pub fn line(&self, line: Arguments) {
        let mut out = self.0.lock().unwrap();
        // An error, such as a full disk, is reported when the file is flushed at the end.
        let _ = out.write_fmt(line);
        let _ = out.write_all(b"\n");
    }

    /// # Errors
    /// The file could not be written in full.
    pub fn flush(&self) -> std::io::Result<()> {
        self.0.lock().unwrap().flush()
    }

    /// A mark of a program.
    pub fn mark(&self, now: u64, number: u32) {
        self.line(format_args!("{now} mark {number}"));
    }

    /// Writes what `world` reports from now on. `nodes` name the interrupt lines.
    pub fn follow(self: &Arc<TraceFile>, world: &World, nodes: &[Node]) {
        let to = self.clone();
        let nodes = nodes.to_vec();
        world.set_trace(Some(Box::new(move |event| to.event(event, &nodes))));
    }

    /// Writes an event. `nodes` name the interrupt lines.
    pub fn event(&self, event: &Trace, nodes: &[Node]) {
        match event {
            Trace::MmioRead { t, dev, off, val } => {
                self.line(format_args!("{t} mmio {dev} r 0x{off:04x} 0x{val:08x}"))
            }
            Trace::MmioWrite { t, dev, off, val } => {
                self.line(format_args!("{t} mmio {dev} w 0x{off:04x} 0x{val:08x}"));
            }
            Trace::Irq {
                t,
                dev,
                line,
                level,
            } => {
                let node = nodes.iter().find(|node| *node.name == **dev);
                let name = node.and_then(|node| node.irqs.get(*line));
                let name = name.map_or("?", String::as_str);
                self.line(format_args!("{t} irq {dev} {name} {}", u8::from(*level)));
            }
            Trace::Power { t, dev, on } => {
                self.line(format_args!("{t} power {dev} {}", u8::from(*on)))
            }
            Trace::BadDma {
                t,
                dev,
                pa,
                len,
                write,
            } => {
                let way = if *write { 'w' } else { 'r' };
                self.line(format_args!("{t} baddma {dev} {way} 0x{pa:x} {len}"));
            }
            Trace::Log {
                t,
                dev,
                level,
                text,
            } => {
                let dev = dev.as_deref().unwrap_or("-");
                self.line(format_args!(
                    "{t} log {dev} {level} {}",
                    text.escape_default()
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_the_node_and_its_interrupt() {
        let path = std::env::temp_dir().join(format!("drmboard-trace-{}", std::process::id()));
        let trace = TraceFile::create(&path).unwrap();
        let nodes = [("gpu@130000", "three"), ("gpu@134000", "two")].map(|(name, irq)| Node {
            name: name.into(),
            irqs: vec![irq.into()],
            ..Node::default()
        });
        for (dev, line) in [("gpu@134000", 0), ("gpu@130000", 0), ("gpu@130000", 1)] {
            let event = Trace::Irq {
                t: 7,
                dev: dev.into(),
                line,
                level: true,
            };
            trace.event(&event, &nodes);
        }
        trace.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            text,
            "7 irq gpu@134000 two 1\n7 irq gpu@130000 three 1\n7 irq gpu@130000 ? 1\n"
        );
    }
}

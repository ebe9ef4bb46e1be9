// SPDX-License-Identifier: BSD-2-Clause
//! The layers of the kernel crates: who may name whom.

use crate::graph::circles;
use crate::source::{self, Names};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A crate, and its layers from the bottom up: prefixes of modules. The longest prefix counts.
struct Crate {
    name: &'static str,
    src: &'static str,
    layers: &'static [&'static [&'static str]],
    /// Directories that count as one module: other modules do not distinguish their files.
    whole: &'static [&'static str],
    /// The one circle that may be: below this directory.
    circle: Option<&'static str>,
}

const CRATES: [Crate; 5] = [
    Crate {
        name: "iommu_pmap",
        src: "sys/arm64/iommu/src",
        layers: &[],
        whole: &[],
        circle: None,
    },
    Crate {
        name: "drm_sched",
        src: "sys/dev/drm/kpi/sched/src",
        layers: &[],
        whole: &[],
        circle: None,
    },
    Crate {
        name: "drmkpi",
        src: "sys/dev/drm/kpi/src",
        layers: &[
            &["util::errno", "util::int_conv", "util::uapi"],
            &["os"],
            &["util"],
            &["sync"],
            &["mem"],
            &["drm"],
            &["ioctls", "resources", "runner"],
            &["entry"],
        ],
        // Unsafe code that calls C: memory of C's holds objects that C points to, and the reverse.
        whole: &["os", "alloc"],
        circle: Some("drm"),
    },
    Crate {
        name: "panfrost",
        src: "sys/dev/drm/panfrost/src",
        layers: &[],
        whole: &[],
        circle: None,
    },
    Crate {
        name: "etnaviv",
        src: "sys/dev/drm/etnaviv/src",
        layers: &[],
        whole: &[],
        circle: None,
    },
];

/// What is wrong with a crate.
struct Findings {
    up: Vec<(String, String)>,
    circles: Vec<BTreeSet<String>>,
    unknown: Vec<String>,
}

impl Crate {
    /// The module as the graph has it.
    fn merged<'a>(&self, module: &'a str) -> &'a str {
        let is_in = |dir: &&&str| {
            module == **dir
                || module
                    .strip_prefix(**dir)
                    .is_some_and(|r| r.starts_with("::"))
        };
        match self.whole.iter().find(is_in) {
            // `os` and `alloc` are one.
            Some(_) => "os",
            None => module,
        }
    }

    fn graph(&self, names: &Names) -> Names {
        let mut graph = Names::new();
        for (module, named) in names {
            let from = self.merged(module);
            let arrows = graph.entry(from.to_owned()).or_default();
            arrows.extend(
                named
                    .iter()
                    .map(|to| self.merged(to).to_owned())
                    .filter(|to| to != from),
            );
        }
        graph
    }

    /// The layer of a module, by the longest prefix.
    fn layer(&self, module: &str) -> Option<usize> {
        let fits = |prefix: &str| {
            module == prefix
                || module
                    .strip_prefix(prefix)
                    .is_some_and(|r| r.starts_with("::"))
        };
        let all = self.layers.iter().enumerate();
        let mut found: Vec<(usize, usize)> = all
            .flat_map(|(layer, prefixes)| prefixes.iter().map(move |p| (layer, *p)))
            .filter(|(_, prefix)| fits(prefix))
            .map(|(layer, prefix)| (prefix.len(), layer))
            .collect();
        found.sort_unstable();
        found.last().map(|(_, layer)| *layer)
    }

    fn check(&self, graph: &Names) -> Findings {
        let mut findings = Findings {
            up: Vec::new(),
            circles: circles(graph),
            unknown: Vec::new(),
        };
        let inside = |m: &String| {
            self.circle
                .is_some_and(|dir| m == dir || m.starts_with(&format!("{dir}::")))
        };
        findings.circles.retain(|circle| !circle.iter().all(inside));
        if self.layers.is_empty() {
            return findings;
        }
        for (from, named) in graph {
            let Some(layer) = self.layer(from) else {
                findings.unknown.push(from.clone());
                continue;
            };
            for to in named
                .iter()
                .filter(|to| self.layer(to).is_some_and(|l| l > layer))
            {
                findings.up.push((from.clone(), to.clone()));
            }
        }
        findings
    }
}

/// Arrows between the directories of the layered crate, as a table.
fn table(krate: &Crate, graph: &Names) -> BTreeMap<(String, String), usize> {
    let top = |module: &str| -> String {
        let all = krate.layers.iter().flat_map(|l| l.iter());
        let mut fits: Vec<&&str> = all
            .filter(|p| module == **p || module.starts_with(&format!("{p}::")))
            .collect();
        fits.sort_by_key(|p| p.len());
        fits.last().map_or(module, |p| p).to_owned()
    };
    let mut table = BTreeMap::new();
    for (from, named) in graph {
        for to in named {
            let key = (top(from), top(to));
            if key.0 != key.1 {
                *table.entry(key).or_insert(0) += 1;
            }
        }
    }
    table
}

/// Draws the graphs; an error when something runs up or round.
pub fn run(arrows: bool) -> Result<(), String> {
    let mut bad = 0;
    println!(
        "{:<12} {:>8} {:>8} {:>4} {:>8}",
        "crate", "modules", "arrows", "up", "circles"
    );
    for krate in &CRATES {
        let names = source::read(Path::new(krate.src))?;
        let graph = krate.graph(&names);
        let findings = krate.check(&graph);
        let count: usize = graph.values().map(BTreeSet::len).sum();
        println!(
            "{:<12} {:>8} {count:>8} {:>4} {:>8}",
            krate.name,
            names.len(),
            findings.up.len(),
            findings.circles.len()
        );
        for (from, to) in &findings.up {
            println!("  up: {from} names {to}");
        }
        for circle in &findings.circles {
            let names: Vec<&str> = circle.iter().map(String::as_str).collect();
            println!("  circle: {}", names.join(", "));
        }
        for module in &findings.unknown {
            println!("  {module} is in no layer");
        }
        bad += findings.up.len() + findings.circles.len() + findings.unknown.len();
        if arrows {
            for (from, named) in &graph {
                for to in named {
                    println!("  {from} -> {to}");
                }
            }
        } else if !krate.layers.is_empty() {
            for ((from, to), n) in table(krate, &graph) {
                println!("  {from} -> {to} ({n})");
            }
        }
    }
    match bad {
        0 => Ok(()),
        n => Err(format!(
            "{n} arrows up, circles and modules without a layer"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drmkpi() -> &'static Crate {
        CRATES.iter().find(|c| c.name == "drmkpi").unwrap()
    }

    fn graph(arrows: &[(&str, &str)]) -> Names {
        let mut graph = Names::new();
        for (from, to) in arrows {
            graph.entry((*to).to_owned()).or_default();
            graph
                .entry((*from).to_owned())
                .or_default()
                .insert((*to).to_owned());
        }
        graph
    }

    #[test]
    fn the_longest_prefix_is_the_layer() {
        let krate = drmkpi();
        assert!(krate.layer("util::errno") < krate.layer("os"));
        assert!(krate.layer("util::account") > krate.layer("os"));
        assert_eq!(krate.layer("elsewhere"), None);
    }

    #[test]
    fn an_arrow_up_is_found() {
        let findings = drmkpi().check(&graph(&[
            ("sync::resv", "mem::buffer"),
            ("mem::buffer", "os"),
        ]));
        assert_eq!(
            findings.up,
            [("sync::resv".to_owned(), "mem::buffer".to_owned())]
        );
    }

    #[test]
    fn only_one_circle_is_allowed() {
        let drm = graph(&[("drm::device", "drm::file"), ("drm::file", "drm::device")]);
        assert!(drmkpi().check(&drm).circles.is_empty());
        let mem = graph(&[("mem::buffer", "mem::pin"), ("mem::pin", "mem::buffer")]);
        assert_eq!(drmkpi().check(&mem).circles.len(), 1);
    }

    #[test]
    fn a_circle_in_a_driver_is_found() {
        let panfrost = CRATES.iter().find(|c| c.name == "panfrost").unwrap();
        let circle = graph(&[("jobs", "device"), ("device", "jobs")]);
        assert_eq!(panfrost.check(&circle).circles.len(), 1);
    }

    #[test]
    fn a_module_without_a_layer_is_found() {
        assert_eq!(
            drmkpi().check(&graph(&[("stray", "os")])).unknown,
            ["stray"]
        );
    }
}

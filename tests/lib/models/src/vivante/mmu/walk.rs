// SPDX-License-Identifier: BSD-2-Clause
//! Translation: windows, TLB and table walks.

use super::*;

impl Mmu {
    pub(crate) fn translate(
        &mut self,
        bus: &mut dyn Bus,
        client: Client,
        va: u32,
        write: bool,
        stats: &mut Stats,
    ) -> Result<Place, Stop> {
        let offset = u64::from(va & 0xfff);
        match self.kind {
            MmuKind::V1 if va < 0x8000_0000 => {
                // HW: etnaviv.md 2.14: linear window of 2 GiB at the base address of the client.
                let pa = u64::from(self.bases[index(client)]) + u64::from(va);
                return Ok(Place {
                    pa,
                    len: 0x8000_0000 - u64::from(va),
                });
            }
            MmuKind::V2 | MmuKind::V2Secure if !self.enabled => {
                return Ok(Place {
                    pa: u64::from(va),
                    len: 0x1_0000_0000 - u64::from(va),
                });
            }
            _ => (),
        }
        let tag = if self.kind == MmuKind::V1 {
            index(client)
        } else {
            0
        };
        let entry = match self.tlb.get(&(tag, va >> 12)) {
            Some(entry) => {
                stats.tlb_hits += 1;
                *entry
            }
            None => {
                stats.tlb_walks += 1;
                match self.kind {
                    MmuKind::V1 => self.walk_v1(bus, client, va)?,
                    _ => self.walk_v2(bus, va)?,
                }
            }
        };
        match entry {
            Entry::Page { write: false, .. } if write => Err(Stop::Exception {
                code: code::WRITE_VIOLATION,
                va,
            }),
            Entry::Page { pa, .. } => Ok(Place {
                pa: pa + offset,
                len: 4096 - offset,
            }),
            Entry::Absent { exception: true } => Err(Stop::Exception {
                code: code::PAGE_NOT_PRESENT,
                va,
            }),
            Entry::Absent { exception: false } => {
                stats.safe_accesses += 1;
                let inside = u64::from(va & 63);
                Ok(Place {
                    pa: self.safe.unwrap_or(0) + inside,
                    len: 64 - inside,
                })
            }
        }
    }

    /// Loads the line of entries from `at` on, for the pages around `va`; entries that are cached
    /// already keep their values. Returns the entry of `va`.
    fn fill(
        &mut self,
        bus: &mut dyn Bus,
        tag: usize,
        va: u32,
        at: u64,
        decode: fn(u32) -> Entry,
    ) -> Result<Entry, Stop> {
        let mut line = [0; LINE as usize * 4];
        bus.read(at, &mut line)
            .map_err(|_| Stop::Bus { write: false })?;
        let first = va >> 12 & !(LINE - 1);
        let wanted = va >> 12 & !(self.line - 1);
        let wanted = wanted..wanted + self.line;
        for (page, word) in (first..).zip(line.chunks_exact(4)) {
            if !wanted.contains(&page) {
                continue;
            }
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            self.tlb.entry((tag, page)).or_insert_with(|| decode(word));
        }
        Ok(self.tlb[&(tag, va >> 12)])
    }

    /// Walks a flat table of 512 Ki entries for 0x8000_0000 and up; an entry is a page address,
    /// without flags. HW: etnaviv.md 2.14, 4.
    fn walk_v1(&mut self, bus: &mut dyn Bus, client: Client, va: u32) -> Result<Entry, Stop> {
        let tag = index(client);
        let line = u64::from((va - 0x8000_0000) >> 12 & !(LINE - 1));
        let at = u64::from(self.tables[tag]) + line * 4;
        self.fill(bus, tag, va, at, |entry| Entry::Page {
            pa: u64::from(entry & !0xfff),
            write: true,
        })
    }

    /// Walks two levels of 1024 words. HW: etnaviv.md 4.
    fn walk_v2(&mut self, bus: &mut dyn Bus, va: u32) -> Result<Entry, Stop> {
        if self.mode1k {
            // MODE1_K tables cover less; no driver uses them, so they are not decoded.
            return Err(Stop::Exception {
                code: code::OUT_OF_BOUND,
                va,
            });
        }
        let slave = word(bus, self.mtlb + u64::from(va >> 22) * 4)?;
        match (slave & PRESENT != 0, slave & EXCEPTION != 0) {
            (true, _) => {}
            (false, false) => return Ok(Entry::Absent { exception: false }),
            (false, true) => {
                return Err(Stop::Exception {
                    code: code::SLAVE_NOT_PRESENT,
                    va,
                })
            }
        }
        let line = u64::from(va >> 12 & 0x3ff & !(LINE - 1));
        let at = u64::from(slave & !0xfff) + line * 4;
        self.fill(bus, 0, va, at, |page| match page & PRESENT != 0 {
            true => Entry::Page {
                pa: u64::from(page & !0xfff) | u64::from(page >> 4 & 0xff) << 32,
                write: page & WRITEABLE != 0,
            },
            false => Entry::Absent {
                exception: page & EXCEPTION != 0,
            },
        })
    }
}

fn word(bus: &mut dyn Bus, pa: u64) -> Result<u32, Stop> {
    let mut bytes = [0; 4];
    bus.read(pa, &mut bytes)
        .map_err(|_| Stop::Bus { write: false })?;
    Ok(u32::from_le_bytes(bytes))
}

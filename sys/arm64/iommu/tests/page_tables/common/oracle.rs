// SPDX-License-Identifier: BSD-2-Clause
//! The expected effect of an operation on the pages.

use super::harness::{list, Harness, Op};
use super::*;

const BLOCK: u64 = 0x20_0000;

impl<F: Format> Harness<F> {
    /// The expected effect of `op` on the oracle: the new pages and the operation's result.
    pub(super) fn expect(&self, op: Op) -> (Pages, Result<u64, MapError>) {
        let layout = self.layout();
        let mut pages = self.oracle.clone();
        let result = match op {
            Op::Map(iova, pa, len, prot, attr) => {
                if pages.range(iova..iova + len).next().is_some() {
                    Err(MapError::Overlap)
                } else {
                    let (prot, attr) = (layout.normal)(prot, attr);
                    for offset in (0..len).step_by(4096) {
                        let block = (iova + offset) / BLOCK * BLOCK;
                        let big = layout.blocks
                            && iova <= block
                            && block + BLOCK <= iova + len
                            && (pa.wrapping_sub(iova)) % BLOCK == 0;
                        let size = if big {
                            PageSize::Size2M
                        } else {
                            PageSize::Size4K
                        };
                        pages.insert(
                            iova + offset,
                            Tr {
                                pa: pa + offset,
                                prot,
                                attr,
                                size,
                            },
                        );
                    }
                    Ok(0)
                }
            }
            Op::List(iova, pa, len, run, prot, attr) => {
                if pages.range(iova..iova + len).next().is_some() {
                    Err(MapError::Overlap)
                } else {
                    let (prot, attr) = (layout.normal)(prot, attr);
                    let list = list(pa, len, run);
                    for (page, pa) in list.iter().enumerate() {
                        let at = iova + page as u64 * 4096;
                        // The pages of the block that it would be in.
                        let first = (page as u64).checked_sub(at % BLOCK / 4096);
                        let whole = first.and_then(|first| list.get(first as usize..)?.get(..512));
                        let big = layout.blocks
                            && whole.is_some_and(|whole| {
                                whole[0] % BLOCK == 0
                                    && (0..512).all(|n| whole[n] == whole[0] + n as u64 * 4096)
                            });
                        let size = if big {
                            PageSize::Size2M
                        } else {
                            PageSize::Size4K
                        };
                        let pa = *pa;
                        pages.insert(
                            at,
                            Tr {
                                pa,
                                prot,
                                attr,
                                size,
                            },
                        );
                    }
                    Ok(0)
                }
            }
            Op::Unmap(iova, len) => {
                split(&mut pages, iova, len);
                let before = pages.len();
                pages.retain(|page, _| *page < iova || *page >= iova + len);
                Ok((before - pages.len()) as u64 * 4096)
            }
            Op::Protect(iova, len, prot, attr) => {
                split(&mut pages, iova, len);
                let (prot, attr) = (layout.normal)(prot, attr);
                let mut bytes = 0;
                for (_, tr) in pages.range_mut(iova..iova + len) {
                    *tr = Tr { prot, attr, ..*tr };
                    bytes += 4096;
                }
                Ok(bytes)
            }
            Op::Merge(iova, len) => {
                let mut bytes = 0;
                let mut block = iova / BLOCK * BLOCK;
                while layout.blocks && block < iova + len {
                    if mergeable(&pages, block) {
                        for (_, tr) in pages.range_mut(block..block + BLOCK) {
                            tr.size = PageSize::Size2M;
                        }
                        bytes += BLOCK;
                    }
                    block += BLOCK;
                }
                Ok(bytes)
            }
        };
        (pages, result)
    }
}

/// Splits blocks that the range covers in part into pages.
fn split(pages: &mut Pages, iova: u64, len: u64) {
    for edge in [iova, iova + len - 4096] {
        let block = edge / BLOCK * BLOCK;
        let sticks_out = block < iova || block + BLOCK > iova + len;
        if sticks_out
            && pages
                .get(&edge)
                .is_some_and(|tr| tr.size == PageSize::Size2M)
        {
            for (_, tr) in pages.range_mut(block..block + BLOCK) {
                tr.size = PageSize::Size4K;
            }
        }
    }
}

fn mergeable(pages: &Pages, block: u64) -> bool {
    let Some(first) = pages.get(&block).filter(|tr| tr.pa % BLOCK == 0) else {
        return false;
    };
    let mut count = 0;
    pages.range(block..block + BLOCK).all(|(page, tr)| {
        count += 1;
        *tr == Tr {
            pa: first.pa + (page - block),
            size: PageSize::Size4K,
            ..*first
        }
    }) && count == 512
}

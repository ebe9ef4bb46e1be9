// SPDX-License-Identifier: BSD-2-Clause
//! A board for the Vivante model: flat memory, one interrupt line, and the steps of a driver,
//! register by register. Streams and page tables are built here from their published layouts,
//! without code of the model or the driver.

use models::vivante::Variant;
use models::{Bus, BusError, Vivante};

/// First byte of RAM.
pub const RAM: u64 = 0x1000_0000;
const RAM_SIZE: usize = 16 << 20;

/// Flat RAM with holes, and the line.
pub struct Board {
    pub ram: Vec<u8>,
    /// First byte of RAM.
    pub base: u64,
    /// Physical ranges for which the bus returns an error.
    pub holes: Vec<(u64, u64)>,
    pub line: bool,
    /// Times the line rose.
    pub rises: u64,
    /// Number of reads.
    pub reads: u64,
}

impl Board {
    fn index(&self, pa: u64, len: usize) -> Result<usize, BusError> {
        let end = pa.checked_add(len as u64).ok_or(BusError)?;
        if pa < self.base || end > self.base + RAM_SIZE as u64 {
            return Err(BusError);
        }
        if self.holes.iter().any(|(from, to)| pa < *to && end > *from) {
            return Err(BusError);
        }
        Ok((pa - self.base) as usize)
    }
}

impl Bus for Board {
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), BusError> {
        self.reads += 1;
        let at = self.index(pa, buf.len())?;
        buf.copy_from_slice(&self.ram[at..at + buf.len()]);
        Ok(())
    }

    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), BusError> {
        let at = self.index(pa, buf.len())?;
        self.ram[at..at + buf.len()].copy_from_slice(buf);
        Ok(())
    }

    fn irq(&mut self, line: usize, level: bool) {
        assert_eq!(line, 0);
        assert_ne!(self.line, level, "irq is called only on changes");
        self.line = level;
        self.rises += u64::from(level);
    }
}

// --- streams. HW: etnaviv.md 5 ---

pub const FE: u32 = 1;
pub const RA: u32 = 5;
pub const PE: u32 = 7;
pub const BLT: u32 = 16;
pub const FROM_FE: u32 = 0x20;
pub const FROM_PE: u32 = 0x40;
pub const FROM_BLT: u32 = 0x80;

/// A command stream under construction.
#[derive(Clone, Default)]
pub struct Stream(pub Vec<u32>);

impl Stream {
    pub fn new() -> Stream {
        Stream::default()
    }
    pub fn raw(mut self, words: &[u32]) -> Stream {
        self.0.extend_from_slice(words);
        if !self.0.len().is_multiple_of(2) {
            self.0.push(0);
        }
        self
    }
    pub fn state(self, address: u32, value: u32) -> Stream {
        self.raw(&[0x0801_0000 | (address / 4), value])
    }
    pub fn states(self, address: u32, values: &[u32]) -> Stream {
        let mut words = vec![0x0800_0000 | (values.len() as u32 & 0x3ff) << 16 | (address / 4)];
        words.extend_from_slice(values);
        self.raw(&words)
    }
    pub fn end(self) -> Stream {
        self.raw(&[0x1000_0000])
    }
    pub fn nop(self) -> Stream {
        self.raw(&[0x1800_0000])
    }
    pub fn wait(self, cycles: u32) -> Stream {
        self.raw(&[0x3800_0000 | cycles])
    }
    pub fn link(self, prefetch: u32, address: u64) -> Stream {
        self.raw(&[0x4000_0000 | prefetch, address as u32])
    }
    pub fn semaphore(self, from: u32, to: u32) -> Stream {
        self.state(0x3808, from | to << 8)
    }
    pub fn stall(self, from: u32, to: u32) -> Stream {
        if from == FE {
            self.raw(&[0x4800_0000, from | to << 8])
        } else {
            self.state(0x3c00, from | to << 8)
        }
    }
    /// Semaphore and stall.
    pub fn sync(self, from: u32, to: u32) -> Stream {
        self.semaphore(from, to).stall(from, to)
    }
    pub fn sync_blt(self) -> Stream {
        self.state(0x140b8, 1).sync(FE, BLT).state(0x140b8, 0)
    }
    pub fn event(self, id: u32, source: u32) -> Stream {
        self.state(0x3804, id | source)
    }
    /// Number of 64-bit words.
    pub fn len(&self) -> u32 {
        self.0.len() as u32 / 2
    }
}

// --- page tables. HW: etnaviv.md 4 ---

pub const PRESENT: u32 = 1;
pub const EXCEPTION: u32 = 2;
pub const WRITEABLE: u32 = 4;

/// A GPU on a board, and the current time.
pub struct Rig {
    pub gpu: Vivante,
    pub board: Board,
    pub now: u64,
    next: u64,
    pub secure: bool,
    /// Address of the safe page.
    pub safe: u64,
    pub pta: u64,
}

impl Rig {
    /// A GPU as at power on, without any register write.
    pub fn cold(variant: Variant) -> Rig {
        let mut rig = Rig {
            gpu: Vivante::new(variant),
            board: Board {
                ram: vec![0; RAM_SIZE],
                base: RAM,
                holes: Vec::new(),
                line: false,
                rises: 0,
                reads: 0,
            },
            now: 1_000_000,
            next: RAM,
            secure: variant == Variant::Gc7000L,
            safe: 0,
            pta: 0,
        };
        rig.safe = rig.alloc(1);
        rig.pta = rig.alloc(1);
        rig
    }

    /// A GPU that is reset and initialised as by a driver. HW: etnaviv.md 2.5, 2.6.
    pub fn ready(variant: Variant) -> Rig {
        let mut rig = Rig::cold(variant);
        rig.reset();
        rig.init();
        rig
    }

    pub fn rd(&mut self, offset: u32) -> u32 {
        self.now += 100;
        self.gpu.mmio_read(&mut self.board, self.now, offset)
    }

    pub fn wr(&mut self, offset: u32, value: u32) {
        self.now += 100;
        self.gpu
            .mmio_write(&mut self.board, self.now, offset, value);
    }

    /// Advances the time by `ns`.
    pub fn wait(&mut self, ns: u64) {
        self.now += ns;
        self.gpu.poll(&mut self.board, self.now);
    }

    /// Advances the time by `ns`, with a call at each event of the model.
    pub fn run(&mut self, ns: u64) {
        let end = self.now + ns;
        while let Some(at) = self.gpu.next_event().filter(|t| *t <= end) {
            self.now = self.now.max(at);
            self.gpu.poll(&mut self.board, self.now);
        }
        self.now = end;
        self.gpu.poll(&mut self.board, self.now);
    }

    pub fn reset(&mut self) {
        let control = 64 << 2;
        self.wr(0x0, control | 1 << 9);
        self.wr(0x0, control);
        self.wr(0x0, control | 1 << 19);
        if self.secure {
            self.wr(0x3a8, 1);
        } else {
            self.wr(0x0, control | 1 << 19 | 1 << 12);
        }
        self.wait(15_000);
        self.wr(0x0, control | 1 << 19);
        self.wr(0x0, control);
    }

    pub fn is_idle(&mut self) -> bool {
        self.rd(0x4) & 0x7fff_ffff == 0x7fff_ffff
    }

    pub fn init(&mut self) {
        assert!(self.is_idle());
        self.wr(0x8, 0x2200);
        if self.secure {
            let value = self.rd(0x3a8);
            self.wr(0x3a8, value | 2);
        }
        self.wr(0x14, !0);
    }

    // --- memory ---

    /// Allocates zeroed pages.
    pub fn alloc(&mut self, pages: u64) -> u64 {
        let pa = self.next;
        self.next += pages * 4096;
        assert!(self.next <= self.board.base + RAM_SIZE as u64);
        pa
    }

    pub fn w32(&mut self, pa: u64, value: u32) {
        self.board.write(pa, &value.to_le_bytes()).unwrap();
    }

    pub fn r32(&mut self, pa: u64) -> u32 {
        let mut bytes = [0; 4];
        self.board.read(pa, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    }

    pub fn put(&mut self, pa: u64, words: &[u32]) {
        for (n, word) in words.iter().enumerate() {
            self.w32(pa + n as u64 * 4, *word);
        }
    }

    pub fn fill(&mut self, pa: u64, len: u64, word: u32) {
        (0..len / 4).for_each(|n| self.w32(pa + n * 4, word));
    }

    /// Copies a stream to new pages; returns its address.
    pub fn place(&mut self, stream: &Stream) -> u64 {
        let pa = self.alloc((stream.0.len() as u64 * 4).div_ceil(4096));
        self.put(pa, &stream.0);
        pa
    }

    // --- front end ---

    pub fn start(&mut self, address: u64, prefetch: u32) {
        self.wr(0x654, address as u32);
        self.wr(0x658, 1 << 16 | prefetch);
        if self.secure {
            self.wr(0x3a4, 1 << 16 | prefetch);
        }
    }

    /// Runs a stream that ends with END from its own page, at its physical address, which the front
    /// end uses without MMUv2 (or with MMUv1's window at 0).
    pub fn exec(&mut self, stream: Stream) {
        let at = self.place(&stream);
        self.start(at, stream.len());
        self.run(2_000_000);
    }

    /// Writes `WAIT; LINK` to itself at `pa`, which the front end accesses at `va`.
    pub fn idle_loop(&mut self, pa: u64, va: u64) {
        self.put(pa, &Stream::new().wait(200).link(2, va).0);
    }

    /// Replaces the WAIT at `pa` by a LINK, second word first. HW: etnaviv.md 2.7.
    pub fn kick(&mut self, pa: u64, prefetch: u32, target: u64) {
        self.w32(pa + 4, target as u32);
        self.w32(pa, 0x4000_0000 | prefetch);
    }

    pub fn ack(&mut self) -> u32 {
        self.rd(0x10)
    }

    // --- MMUv2 ---

    /// An empty master table: every access raises an exception.
    pub fn tables(&mut self) -> u64 {
        let mtlb = self.alloc(1);
        self.fill(mtlb, 4096, EXCEPTION);
        mtlb
    }

    pub fn entry(&mut self, mtlb: u64, va: u32) -> u64 {
        let slot = mtlb + u64::from(va >> 22) * 4;
        let mut slave = self.r32(slot);
        if slave & PRESENT == 0 {
            slave = self.alloc(1) as u32;
            self.fill(u64::from(slave), 4096, EXCEPTION);
            self.w32(slot, slave | PRESENT);
        }
        u64::from(slave & !0xfff) + u64::from(va >> 12 & 0x3ff) * 4
    }

    pub fn map(&mut self, mtlb: u64, va: u32, pa: u64, pages: u64, flags: u32) {
        for n in 0..pages {
            let at = self.entry(mtlb, va + n as u32 * 4096);
            let page = pa + n * 4096;
            let high = (page >> 32) as u32 & 0xff;
            self.w32(at, page as u32 | high << 4 | flags);
        }
    }

    /// Allocates pages and maps them.
    pub fn map_new(&mut self, mtlb: u64, va: u32, pages: u64, flags: u32) -> u64 {
        let pa = self.alloc(pages);
        self.map(mtlb, va, pa, pages, flags);
        pa
    }

    /// Switches the MMU on. HW: etnaviv.md 4 "Enable".
    pub fn enable_mmu(&mut self, mtlb: u64) {
        if self.secure {
            self.set_pta(0, mtlb);
            let (pta, safe) = (self.pta, self.safe);
            self.wr(0x38c, pta as u32);
            self.wr(0x390, (pta >> 32) as u32);
            self.wr(0x394, 1);
            self.wr(0x398, safe as u32);
            self.wr(0x39c, safe as u32);
            self.wr(0x3a0, 0);
            self.exec(Stream::new().state(0x1ac, 0).end());
            assert!(self.is_idle());
            self.wr(0x388, 1);
        } else {
            let safe = self.safe as u32;
            let stream = Stream::new()
                .state(0x3800, 0)
                .state(0x184, mtlb as u32)
                .state(0x180, safe)
                .sync(FE, PE)
                .end();
            self.exec(stream);
            assert!(self.is_idle());
            self.wr(0x18c, 1);
        }
    }

    pub fn set_pta(&mut self, id: u64, mtlb: u64) {
        let at = self.pta + id * 8;
        self.w32(at, mtlb as u32);
        self.w32(at + 4, (mtlb >> 32) as u32);
    }

    /// Checks that no error of any kind was counted.
    pub fn assert_clean(&self) {
        let stats = self.gpu.stats();
        assert_eq!(stats.protocol_errors, Default::default());
        assert_eq!(stats.decode_errors, Default::default());
        assert_eq!(stats.unknown_registers, Default::default());
        assert_eq!(stats.readonly_writes, 0);
        assert_eq!(stats.illegal_commands, 0);
        assert_eq!(stats.starved, 0);
        assert_eq!(stats.bus_errors, 0);
        assert_eq!(stats.mmu_exception_count(), 0);
    }
}

//! Address translation: physical memory where it is, and the first GiB of RAM where the kernel is linked.

use core::arch::asm;
use core::ptr::addr_of;

use persona_loader::range::Range;

/// Size of a block, and number of entries of a table.
const GIB: u64 = 1 << 30;
const ENTRIES: usize = 512;

/// Physical start of RAM, and the index of its GiB.
const RAM_GIB: usize = 1;

/// The memory types, by index, as the kernel uses them: device memory (three kinds), uncached and cached normal memory.
const MAIR: u64 = 0xff << 32 | 0x44 << 24 | 0x0c << 16 | 0x04 << 8;
const DEVICE: u64 = 0;
const NORMAL: u64 = 4;

/// Descriptors: valid table; valid block, accessed; inner shareable; never executed.
const TABLE: u64 = 0b11;
const BLOCK: u64 = 1 << 10 | 0b01;
const SHAREABLE: u64 = 0b11 << 8;
const NO_EXEC: u64 = 0b11 << 53;

/// Translation control: 48-bit addresses in both halves, 4 KiB granules, cacheable table walks, 16-bit ASIDs. The size
/// of physical addresses is added.
const TCR: u64 = 1 << 36 | 0b10 << 30 | 0x35 << 24 | 16 << 16 | 0x35 << 8 | 16;

/// System control: the bits that must be one, MMU and caches on; for programs: cache maintenance by address, reading
/// CTR_EL0, `dc zva`, `wfi` and `wfe`.
const SCTLR: u64 =
    0x30d0_0800 | 1 << 26 | 1 << 18 | 1 << 16 | 1 << 15 | 1 << 14 | 1 << 12 | 1 << 2 | 1;

/// A translation table.
#[repr(C, align(4096))]
struct Table([u64; ENTRIES]);

extern "C" {
    /// Room for four tables, from the linker script.
    static __tables: Table;
}

/// The running translation.
pub struct Mmu {
    identity: &'static mut Table,
}

/// Turns translation on, with the devices and the first GiB of RAM mapped.
pub fn start() -> Mmu {
    let tables = addr_of!(__tables).cast_mut();
    // SAFETY: the linker script keeps four pages here for the tables alone; this function runs once.
    let (low, identity, high, kernel) = unsafe {
        (
            &mut *tables,
            &mut *tables.add(1),
            &mut *tables.add(2),
            &mut *tables.add(3),
        )
    };
    for table in [&mut *low, &mut *identity, &mut *high, &mut *kernel] {
        table.0.fill(0);
    }
    low.0[0] = addr_of!(*identity) as u64 | TABLE;
    identity.0[0] = BLOCK | DEVICE << 2 | NO_EXEC;
    identity.0[RAM_GIB] = normal(RAM_GIB);
    high.0[ENTRIES - 1] = addr_of!(*kernel) as u64 | TABLE;
    kernel.0[0] = normal(RAM_GIB);
    let (low, high) = (addr_of!(*low) as u64, addr_of!(*high) as u64);
    // SAFETY: the tables map the code, the stack and the UART where they are.
    unsafe {
        let features: u64;
        asm!("mrs {}, id_aa64mmfr0_el1", out(reg) features, options(nomem, nostack));
        let size = (features & 0xf).min(5);
        asm!(
            "dsb sy",
            "msr mair_el1, {mair}",
            "msr tcr_el1, {tcr}",
            "msr ttbr0_el1, {low}",
            "msr ttbr1_el1, {high}",
            "isb",
            "tlbi vmalle1",
            "ic iallu",
            "dsb sy",
            "isb",
            "msr sctlr_el1, {sctlr}",
            "isb",
            mair = in(reg) MAIR,
            tcr = in(reg) TCR | size << 32,
            low = in(reg) low,
            high = in(reg) high,
            sctlr = in(reg) SCTLR,
            options(nostack),
        );
    }
    Mmu { identity }
}

/// A GiB of normal memory.
fn normal(gib: usize) -> u64 {
    (gib as u64 * GIB) | BLOCK | SHAREABLE | (NORMAL << 2)
}

impl Mmu {
    /// Maps the memory around a range. False if it is not between the devices and the end of the table.
    pub fn map(&mut self, range: Range) -> bool {
        if range.start < GIB || range.end > ENTRIES as u64 * GIB || range.is_empty() {
            return false;
        }
        for gib in (range.start / GIB) as usize..=((range.end - 1) / GIB) as usize {
            self.identity.0[gib] = normal(gib);
        }
        // SAFETY: makes the new entries visible; none that was valid has changed.
        unsafe { asm!("dsb ishst", "isb", options(nostack, preserves_flags)) };
        true
    }
}

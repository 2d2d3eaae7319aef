//! Into the loader and out of it.

use core::arch::{asm, global_asm};

use persona_loader::range::Range;

// The first bytes of the image: the arm64 Image header, whose load offset and size the packer enters, then the
// payload's table, of which the packer keeps the loader's size.
global_asm!(
    r#"
    .section .head, "ax"
    .global image_head
image_head:
    b       entry
    nop
    .quad   0                       // load offset
    .quad   0                       // size in memory
    .quad   0xa                     // little endian, 4 KiB pages, anywhere
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

    .ascii  "PERSLOAD"
    .quad   1
    .quad   __loader_size
    .fill   13, 8, 0

    .text
entry:
    msr     daifset, #0xf
    mov     x19, x0                 // device tree
    adr     x20, image_head         // where the image is
    mrs     x21, cntpct_el0

    // Absolute addresses in the loader's data.
    adrp    x0, __rela_start
    add     x0, x0, :lo12:__rela_start
    adrp    x1, __rela_end
    add     x1, x1, :lo12:__rela_end
1:  cmp     x0, x1
    b.hs    2f
    ldp     x2, x3, [x0], #16
    ldr     x4, [x0], #8
    cmp     x3, #0x403              // R_AARCH64_RELATIVE
    b.ne    1b
    add     x4, x4, x20
    str     x4, [x20, x2]
    b       1b

2:  adrp    x0, __bss_start
    add     x0, x0, :lo12:__bss_start
    adrp    x1, __bss_end
    add     x1, x1, :lo12:__bss_end
3:  cmp     x0, x1
    b.hs    4f
    stp     xzr, xzr, [x0], #16
    b       3b

4:  adrp    x22, __stack_top
    add     x22, x22, :lo12:__stack_top
    adrp    x23, vectors
    add     x23, x23, :lo12:vectors
    mrs     x0, currentel
    lsr     x0, x0, #2
    cmp     x0, #1
    b.eq    at_el1
    cmp     x0, #2
    b.eq    at_el2
    mov     sp, x22
    bl      {wrong_level}

    // Level 1 becomes what it is on a machine without level 2: nothing traps, the counters agree.
at_el2:
    movz    x0, #0x8000, lsl #16    // level 1 is AArch64
    movk    x0, #0x0300, lsl #32    // and may use pointer authentication
    msr     hcr_el2, x0
    mov     x0, #0x3                // counter and timer
    msr     cnthctl_el2, x0
    msr     cntvoff_el2, xzr
    mov     x0, #0x33ff             // floating point
    msr     cptr_el2, x0
    msr     hstr_el2, xzr
    msr     vttbr_el2, xzr
    mrs     x0, midr_el1
    msr     vpidr_el2, x0
    mrs     x0, mpidr_el1
    msr     vmpidr_el2, x0
    mrs     x0, pmcr_el0            // all event counters are level 1's
    ubfx    x0, x0, #11, #5
    msr     mdcr_el2, x0
    movz    x0, #0x30d0, lsl #16
    movk    x0, #0x0800
    msr     sctlr_el1, x0
    mov     x0, #0x3c5              // level 1 with its own stack, all masked
    msr     spsr_el2, x0
    adr     x0, at_el1
    msr     elr_el2, x0
    isb
    eret

at_el1:
    movz    x0, #0x30d0, lsl #16    // MMU and caches off
    movk    x0, #0x0800
    msr     sctlr_el1, x0
    mov     x0, #(3 << 20)          // the compiler uses floating point registers
    msr     cpacr_el1, x0
    msr     vbar_el1, x23
    isb
    msr     mdscr_el1, xzr
    msr     contextidr_el1, xzr
    msr     tpidr_el0, xzr
    msr     tpidrro_el0, xzr
    msr     spsel, #1
    mov     sp, x22
    mov     x0, x19
    mov     x1, x20
    mov     x2, x21
    mov     x29, xzr
    mov     x30, xzr
    b       {run}

    // Any exception is a mistake of the loader's, or memory that is none.
    .balign 2048
vectors:
    .rept   16
    .balign 128
    b       trapped
    .endr
trapped:
    msr     spsel, #1
    adrp    x0, __stack_top
    add     sp, x0, :lo12:__stack_top
    mrs     x0, esr_el1
    mrs     x1, elr_el1
    mrs     x2, far_el1
    bl      {exception}
"#,
    wrong_level = sym super::wrong_level,
    run = sym super::run,
    exception = sym super::exception,
);

/// Enters the kernel: where the user image is, what its physical addresses are above its virtual ones, and where the
/// root task begins.
pub fn enter_kernel(image: Range, offset: u64, root_entry: u64, kernel_entry: u64) -> ! {
    // SAFETY: the kernel is mapped at its entry, with everything it expects: it does not come back.
    unsafe {
        asm!(
            "msr cntkctl_el1, {timers}",
            "dsb sy",
            "isb",
            "br {entry}",
            timers = in(reg) 0x203u64, // counters and physical timer; the kernel sets it per thread
            entry = in(reg) kernel_entry,
            in("x0") image.start,
            in("x1") image.end,
            in("x2") offset,
            in("x3") root_entry,
            options(noreturn, nostack),
        )
    }
}

/// The virtual counter.
pub fn ticks() -> u64 {
    let ticks;
    // SAFETY: reads the counter.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

/// The counter's frequency in Hz.
pub fn tick_hz() -> u64 {
    let hz;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, cntfrq_el0", out(reg) hz, options(nomem, nostack)) };
    hz
}

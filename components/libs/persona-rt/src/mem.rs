//! memcpy, memmove and memset, which the compiler calls for every larger move.
//!
//! They use general registers only, so that a domain never takes the floating-point unit away from the programs, and move 64
//! bytes a turn; `compiler_builtins`'s move 8. Unaligned accesses are allowed at EL0 on this kernel.

use core::arch::global_asm;

global_asm!(
    r#"
    .section .text.memcpy, "ax"
    .global memcpy
    .type memcpy, %function
    .balign 16
// x0 to, x1 from, x2 bytes. Copies upwards, so that it also serves memmove to a lower address.
memcpy:
    mov     x3, x0
    cmp     x2, #64
    b.lo    2f
1:  ldp     x4, x5, [x1]
    ldp     x6, x7, [x1, #16]
    ldp     x8, x9, [x1, #32]
    ldp     x10, x11, [x1, #48]
    add     x1, x1, #64
    stp     x4, x5, [x3]
    stp     x6, x7, [x3, #16]
    stp     x8, x9, [x3, #32]
    stp     x10, x11, [x3, #48]
    add     x3, x3, #64
    sub     x2, x2, #64
    cmp     x2, #64
    b.hs    1b
2:  tbz     x2, #5, 3f
    ldp     x4, x5, [x1]
    ldp     x6, x7, [x1, #16]
    add     x1, x1, #32
    stp     x4, x5, [x3]
    stp     x6, x7, [x3, #16]
    add     x3, x3, #32
3:  tbz     x2, #4, 4f
    ldp     x4, x5, [x1], #16
    stp     x4, x5, [x3], #16
4:  tbz     x2, #3, 5f
    ldr     x4, [x1], #8
    str     x4, [x3], #8
5:  tbz     x2, #2, 6f
    ldr     w4, [x1], #4
    str     w4, [x3], #4
6:  tbz     x2, #1, 7f
    ldrh    w4, [x1], #2
    strh    w4, [x3], #2
7:  tbz     x2, #0, 8f
    ldrb    w4, [x1]
    strb    w4, [x3]
8:  ret
    .size memcpy, . - memcpy

    .section .text.memmove, "ax"
    .global memmove
    .type memmove, %function
    .balign 16
memmove:
    sub     x3, x0, x1
    cmp     x3, x2
    b.hs    memcpy
    // The target begins within the source: downwards.
    add     x3, x0, x2
    add     x1, x1, x2
    cmp     x2, #32
    b.lo    2f
1:  ldp     x4, x5, [x1, #-16]
    ldp     x6, x7, [x1, #-32]!
    stp     x4, x5, [x3, #-16]
    stp     x6, x7, [x3, #-32]!
    sub     x2, x2, #32
    cmp     x2, #32
    b.hs    1b
2:  tbz     x2, #4, 3f
    ldp     x4, x5, [x1, #-16]!
    stp     x4, x5, [x3, #-16]!
3:  tbz     x2, #3, 4f
    ldr     x4, [x1, #-8]!
    str     x4, [x3, #-8]!
4:  tbz     x2, #2, 5f
    ldr     w4, [x1, #-4]!
    str     w4, [x3, #-4]!
5:  tbz     x2, #1, 6f
    ldrh    w4, [x1, #-2]!
    strh    w4, [x3, #-2]!
6:  tbz     x2, #0, 7f
    ldrb    w4, [x1, #-1]
    strb    w4, [x3, #-1]
7:  ret
    .size memmove, . - memmove

    .section .text.memset, "ax"
    .global memset
    .type memset, %function
    .balign 16
// x0 to, w1 byte, x2 bytes.
memset:
    mov     x3, x0
    and     x1, x1, #0xff
    orr     x1, x1, x1, lsl #8
    orr     x1, x1, x1, lsl #16
    orr     x1, x1, x1, lsl #32
    cmp     x2, #64
    b.lo    2f
1:  stp     x1, x1, [x3]
    stp     x1, x1, [x3, #16]
    stp     x1, x1, [x3, #32]
    stp     x1, x1, [x3, #48]
    add     x3, x3, #64
    sub     x2, x2, #64
    cmp     x2, #64
    b.hs    1b
2:  tbz     x2, #5, 3f
    stp     x1, x1, [x3]
    stp     x1, x1, [x3, #16]
    add     x3, x3, #32
3:  tbz     x2, #4, 4f
    stp     x1, x1, [x3], #16
4:  tbz     x2, #3, 5f
    str     x1, [x3], #8
5:  tbz     x2, #2, 6f
    str     w1, [x3], #4
6:  tbz     x2, #1, 7f
    strh    w1, [x3], #2
7:  tbz     x2, #0, 8f
    strb    w1, [x3]
8:  ret
    .size memset, . - memset
"#
);

/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Prints the instructions from power-on to its own first one, when run as the first process with --icount: one tick of the
 * counter is then 16 instructions.
 */
    .global _start
_start:
    mrs     x9, cntvct_el0
    lsl     x9, x9, #4
    sub     sp, sp, #32
    add     x1, sp, #32             // digits, from the last one down
    mov     w4, #'\n'
    strb    w4, [x1, #-1]!
    mov     x3, #10
1:  udiv    x5, x9, x3
    msub    x6, x5, x3, x9
    add     w6, w6, #'0'
    strb    w6, [x1, #-1]!
    mov     x9, x5
    cbnz    x9, 1b
    add     x2, sp, #32
    sub     x2, x2, x1
    mov     x0, #1
    mov     x8, #64                 // write
    svc     #0
    mov     x0, #0
    mov     x8, #93                 // exit
    svc     #0

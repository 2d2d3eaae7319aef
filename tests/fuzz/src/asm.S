/* SPDX-License-Identifier: MIT OR Apache-2.0 */
    .text
    .globl raw_call
    .type raw_call, %function
raw_call:
    stp x29, x30, [sp, #-112]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    str x0, [sp, #96]
    adr x9, table
    add x9, x9, w1, uxtw #3
    mov x10, x0
    ldp x0, x1, [x10]
    ldp x2, x3, [x10, #16]
    ldp x4, x5, [x10, #32]
    ldp x6, x7, [x10, #48]
    ldr x8, [x10, #64]
    br x9
    .balign 8
table:
    svc #0
    b after
    svc #2
    b after
    svc #0x7fff
    b after
    svc #0xffff
    b after
    svc #0x100
    b after
    svc #1
    b after
    svc #0xfff1
    b after
    hvc #0
    b after
    smc #0
    b after
    hlt #0
    b after
    brk #0
    b after
    udf #0
    b after
    mrs x0, currentel
    b after
    mrs x0, sctlr_el1
    b after
    msr daifset, #15
    b after
    eret
    b after
    dc civac, x1
    b after
    ic iallu
    b after
    tlbi vmalle1
    b after
    wfi
    b after
    wfe
    b after
    msr ttbr0_el1, x0
    b after
table_end:
after:
    ldr x1, [sp, #96]
    str x0, [x1]
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #112
    ret
    .size raw_call, .-raw_call

    .globl clone_call
    .type clone_call, %function
clone_call:
    mov x8, x0
    mov x0, x1
    mov x1, x2
    mov x2, x3
    mov x3, x4
    mov x4, x5
    svc #0
    cbz x0, 1f
    ret
1:  mov x8, #124 /* sched_yield */
    svc #0
    mov x0, #0
    mov x8, #93 /* exit */
    svc #0
    b 1b
    .size clone_call, .-clone_call

    .globl jump
    .type jump, %function
jump:
    mov x30, x1
    ldr x1, [x0, #248]
    mov sp, x1
    ldp x2, x3, [x0, #16]
    ldp x4, x5, [x0, #32]
    ldp x6, x7, [x0, #48]
    ldp x8, x9, [x0, #64]
    ldp x10, x11, [x0, #80]
    ldp x12, x13, [x0, #96]
    ldp x14, x15, [x0, #112]
    ldp x16, x17, [x0, #128]
    ldp x18, x19, [x0, #144]
    ldp x20, x21, [x0, #160]
    ldp x22, x23, [x0, #176]
    ldp x24, x25, [x0, #192]
    ldp x26, x27, [x0, #208]
    ldp x28, x29, [x0, #224]
    ldp x0, x1, [x0]
    br x30
    .size jump, .-jump

    .section .rodata
    .globl svc_count
    .balign 4
svc_count:
    .word (table_end - table) / 8
    .section .note.GNU-stack, "", %progbits

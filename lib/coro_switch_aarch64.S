/* coro_switch.h for AAPCS64, which has x19 to x28, the frame pointer x29, sp
 * and the low halves of v8 to v15 survive a call; x30 is the address to return
 * to.  FPCR is not among them: it is the whole thread's, so that who changes
 * the rounding must change it back before it waits.
 *
 * The side that waits has on its stack, from sp upwards: x19 to x30, d8 to
 * d15.  Both sides have the same layout, so that the unwinder's rules hold
 * through the exchange of sp.
 *
 * Marked for branch target identification. */

#define FRAME 160

    .text

    .globl  sks__context_swap
    .hidden sks__context_swap
    .type   sks__context_swap, %function
    .p2align 4
sks__context_swap:
    .cfi_startproc
    hint    #34 /* bti c */
    sub     sp, sp, #FRAME
    .cfi_def_cfa_offset FRAME
    stp     x19, x20, [sp, #0]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    .cfi_offset x19, 0 - FRAME
    .cfi_offset x20, 8 - FRAME
    .cfi_offset x21, 16 - FRAME
    .cfi_offset x22, 24 - FRAME
    .cfi_offset x23, 32 - FRAME
    .cfi_offset x24, 40 - FRAME
    .cfi_offset x25, 48 - FRAME
    .cfi_offset x26, 56 - FRAME
    .cfi_offset x27, 64 - FRAME
    .cfi_offset x28, 72 - FRAME
    .cfi_offset x29, 80 - FRAME
    .cfi_offset x30, 88 - FRAME
    .cfi_offset d8, 96 - FRAME
    .cfi_offset d9, 104 - FRAME
    .cfi_offset d10, 112 - FRAME
    .cfi_offset d11, 120 - FRAME
    .cfi_offset d12, 128 - FRAME
    .cfi_offset d13, 136 - FRAME
    .cfi_offset d14, 144 - FRAME
    .cfi_offset d15, 152 - FRAME

    ldr     x9, [x0]
    mov     x10, sp
    str     x10, [x0]
    mov     sp, x9

    ldp     x19, x20, [sp, #0]
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    add     sp, sp, #FRAME
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    .cfi_restore d8
    .cfi_restore d9
    .cfi_restore d10
    .cfi_restore d11
    .cfi_restore d12
    .cfi_restore d13
    .cfi_restore d14
    .cfi_restore d15
    .cfi_def_cfa_offset 0
    ret
    .cfi_endproc
    .size   sks__context_swap, . - sks__context_swap

/* x0 context, x1 low, x2 top, x3 entry, x4 arg.  The side begins with entry
 * and arg in x19 and x20. */
    .globl  sks__context_make
    .hidden sks__context_make
    .type   sks__context_make, %function
    .p2align 4
sks__context_make:
    .cfi_startproc
    hint    #34 /* bti c */
    sub     x2, x2, #FRAME
    adr     x9, .Lbegin
    stp     x3, x4, [x2, #0]
    stp     xzr, xzr, [x2, #16]
    stp     xzr, xzr, [x2, #32]
    stp     xzr, xzr, [x2, #48]
    stp     xzr, xzr, [x2, #64]
    stp     xzr, x9, [x2, #80]
    stp     xzr, xzr, [x2, #96]
    stp     xzr, xzr, [x2, #112]
    stp     xzr, xzr, [x2, #128]
    stp     xzr, xzr, [x2, #144]
    str     x2, [x0]
    ret
    .cfi_endproc
    .size   sks__context_make, . - sks__context_make

/* The outermost frame of a side: it has no return address, which ends a
 * backtrace.  Unwinders look up the byte before the address that a frame
 * returns to, hence the nop. */
    .type   sks__context_start, %function
    .p2align 4
sks__context_start:
    .cfi_startproc
    .cfi_undefined x30
    nop
.Lbegin:
    mov     x0, x20
    blr     x19
    brk     #1
    .cfi_endproc
    .size   sks__context_start, . - sks__context_start

    .section .note.gnu.property, "a"
    .p2align 3
    .long   4, 16, 5
    .asciz  "GNU"
    .long   0xc0000000, 4, 1, 0

    .section .note.GNU-stack, "", %progbits

/* coro_switch.h for the System V ABI of x86-64, which has rbx, rbp, r12 to r15
 * and rsp survive a call, and also the control bits of mxcsr and the x87
 * control word.  They are saved too: a handler that rounds upwards and waits
 * must find its rounding again, and must not lend it to another.  To load them
 * is slow, so that they are loaded only where the two sides differ.
 *
 * The side that waits has on its stack, from rsp upwards: mxcsr and control
 * word in 8 bytes, r15, r14, r13, r12, rbx, rbp, the address to return to.
 * Both sides have the same layout, so that the unwinder's rules hold through
 * the exchange of rsp.
 *
 * Marked for indirect branch tracking.  Not marked for shadow stacks, which
 * the swap does not exchange: the system turns them off for the program. */

    .text

    .globl  sks__context_swap
    .hidden sks__context_swap
    .type   sks__context_swap, @function
    .p2align 4
sks__context_swap:
    .cfi_startproc
    endbr64
    pushq   %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq   %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq   %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq   %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq   %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq   %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq    $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw  4(%rsp)

    movl    (%rsp), %ecx
    movzwl  4(%rsp), %edx

    movq    (%rdi), %rax
    movq    %rsp, (%rdi)
    movq    %rax, %rsp

    cmpl    (%rsp), %ecx
    jne     3f
1:  cmpw    4(%rsp), %dx
    jne     4f
2:  .cfi_remember_state
    addq    $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq    %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq    %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq    %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq    %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq    %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq    %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    ret
    .cfi_restore_state
3:  ldmxcsr (%rsp)
    jmp     1b
4:  fldcw   4(%rsp)
    jmp     2b
    .cfi_endproc
    .size   sks__context_swap, . - sks__context_swap

/* rdi context, rsi low, rdx top, rcx entry, r8 arg.  The side begins with
 * entry and arg in rbx and r12. */
    .globl  sks__context_make
    .hidden sks__context_make
    .type   sks__context_make, @function
    .p2align 4
sks__context_make:
    .cfi_startproc
    endbr64
    leaq    .Lbegin(%rip), %rax
    movq    %rax, -8(%rdx)
    movq    $0, -16(%rdx)
    movq    %rcx, -24(%rdx)
    movq    %r8, -32(%rdx)
    movq    $0, -40(%rdx)
    movq    $0, -48(%rdx)
    movq    $0, -56(%rdx)
    movq    $0, -64(%rdx)
    stmxcsr -64(%rdx)
    fnstcw  -60(%rdx)
    leaq    -64(%rdx), %rax
    movq    %rax, (%rdi)
    ret
    .cfi_endproc
    .size   sks__context_make, . - sks__context_make

/* The outermost frame of a side: it has no return address, which ends a
 * backtrace.  Unwinders look up the byte before the address that a frame
 * returns to, hence the nop. */
    .type   sks__context_start, @function
    .p2align 4
sks__context_start:
    .cfi_startproc
    .cfi_undefined %rip
    nop
.Lbegin:
    movq    %r12, %rdi
    callq   *%rbx
    ud2
    .cfi_endproc
    .size   sks__context_start, . - sks__context_start

    .section .note.gnu.property, "a"
    .p2align 3
    .long   4, 16, 5
    .asciz  "GNU"
    .long   0xc0000002, 4, 1, 0

    .section .note.GNU-stack, "", @progbits

# Enters a piece of code with every register as a CpuState says, and comes back
# through one of the exits with every register stored. See harness.h.
#
# Layout of CpuState: 16 general registers by number, flags at 128, exit at 136,
# mxcsr at 140, sixteen 32-byte vector registers from 192.

    .bss
    .balign 8
saved_stack:  .skip 8
saved_state:  .skip 8
saved_rdi:    .skip 8
saved_entry:  .skip 8
exit_code:    .skip 4
plain_mxcsr:  .skip 4

    .text
    .globl harness_enter
    .type harness_enter, @function
harness_enter:                    # (CpuState* rdi, void* entry rsi)
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, saved_stack(%rip)
    mov %rdi, saved_state(%rip)
    mov %rsi, saved_entry(%rip)
    stmxcsr plain_mxcsr(%rip)
    fninit
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups 192+32*\n(%rdi), %ymm\n
    .endr
    ldmxcsr 140(%rdi)
    push 128(%rdi)
    popfq
    mov 0(%rdi), %rax
    mov 8(%rdi), %rcx
    mov 16(%rdi), %rdx
    mov 24(%rdi), %rbx
    mov 32(%rdi), %rsp
    mov 40(%rdi), %rbp
    mov 48(%rdi), %rsi
    mov 64(%rdi), %r8
    mov 72(%rdi), %r9
    mov 80(%rdi), %r10
    mov 88(%rdi), %r11
    mov 96(%rdi), %r12
    mov 104(%rdi), %r13
    mov 112(%rdi), %r14
    mov 120(%rdi), %r15
    mov 56(%rdi), %rdi
    jmp *saved_entry(%rip)
    .size harness_enter, .-harness_enter

    .macro exit_point name, code
    .globl \name
\name:
    movl $\code, exit_code(%rip)
    jmp leave
    .endm
exit_point harness_exit_next, 1
exit_point harness_exit_branch, 2
exit_point harness_exit_return, 3

leave:
    mov %rdi, saved_rdi(%rip)
    mov saved_state(%rip), %rdi
    mov %rax, 0(%rdi)
    mov %rcx, 8(%rdi)
    mov %rdx, 16(%rdi)
    mov %rbx, 24(%rdi)
    mov %rsp, 32(%rdi)
    mov %rbp, 40(%rdi)
    mov %rsi, 48(%rdi)
    mov %r8, 64(%rdi)
    mov %r9, 72(%rdi)
    mov %r10, 80(%rdi)
    mov %r11, 88(%rdi)
    mov %r12, 96(%rdi)
    mov %r13, 104(%rdi)
    mov %r14, 112(%rdi)
    mov %r15, 120(%rdi)
    mov saved_rdi(%rip), %rax
    mov %rax, 56(%rdi)
    mov saved_stack(%rip), %rsp
    pushfq
    pop 128(%rdi)
    mov exit_code(%rip), %eax
    mov %eax, 136(%rdi)
    stmxcsr 140(%rdi)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups %ymm\n, 192+32*\n(%rdi)
    .endr
    cld
    fninit
    ldmxcsr plain_mxcsr(%rip)
    vzeroupper
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .note.GNU-stack,"",@progbits

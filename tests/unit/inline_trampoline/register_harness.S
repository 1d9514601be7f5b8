# nohalt_test_run_state: enters the code at nohalt_test_target with every register
# set from nohalt_test_in, and comes back at nohalt_test_back (the trampoline's
# `resume`) with every register stored in nohalt_test_out. Layout of both, see
# MachineState in exactness_test.cpp.
.intel_syntax noprefix
.text
.globl nohalt_test_run_state
.globl nohalt_test_back
nohalt_test_run_state:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    sub rsp, 8
    stmxcsr [rsp]
    mov [rip + nohalt_test_own_stack], rsp
    lea rax, [rip + nohalt_test_in]
.irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups ymm\i, [rax + 144 + 32*\i]
.endr
    ldmxcsr [rax + 136]
    push qword ptr [rax + 128]
    popfq
    mov rbx, [rax + 8]
    mov rcx, [rax + 16]
    mov rdx, [rax + 24]
    mov rsi, [rax + 32]
    mov rdi, [rax + 40]
    mov rbp, [rax + 48]
    mov rsp, [rax + 56]
    mov r8,  [rax + 64]
    mov r9,  [rax + 72]
    mov r10, [rax + 80]
    mov r11, [rax + 88]
    mov r12, [rax + 96]
    mov r13, [rax + 104]
    mov r14, [rax + 112]
    mov r15, [rax + 120]
    mov rax, [rax]
    jmp [rip + nohalt_test_target]

nohalt_test_back:
    mov [rip + nohalt_test_out], rax
    lea rax, [rip + nohalt_test_out]
    mov [rax + 8], rbx
    mov [rax + 16], rcx
    mov [rax + 24], rdx
    mov [rax + 32], rsi
    mov [rax + 40], rdi
    mov [rax + 48], rbp
    mov [rax + 56], rsp
    mov [rax + 64], r8
    mov [rax + 72], r9
    mov [rax + 80], r10
    mov [rax + 88], r11
    mov [rax + 96], r12
    mov [rax + 104], r13
    mov [rax + 112], r14
    mov [rax + 120], r15
    mov rsp, [rip + nohalt_test_own_stack]
    pushfq
    pop [rax + 128]
    cld
    stmxcsr [rax + 136]
.irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups [rax + 144 + 32*\i], ymm\i
.endr
    vzeroupper
    ldmxcsr [rsp]
    push 0x202
    popfq
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

.data
.balign 64
.globl nohalt_test_in
.globl nohalt_test_out
.globl nohalt_test_target
nohalt_test_in:  .skip 656
nohalt_test_out: .skip 656
nohalt_test_target: .quad 0
nohalt_test_own_stack: .quad 0
.section .note.GNU-stack,"",@progbits

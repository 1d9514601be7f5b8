# A process that only waits, by itself: one segment of code that also holds the
# file's header, no data, no C library. With SYSCALLS it holds instructions that
# can lead a thread through a system call; without, it does not.
  .globl _start
  .text
_start:
  movl $34, %eax           # pause()
  syscall
  jmp _start
.ifdef SYSCALLS
  syscall
  ret
  pop %rax
  ret
.endif
  .section .note.GNU-stack,"",@progbits

# A 32-bit process that only waits: no C library, so that nothing but binutils
# is needed to build it.
  .code32
  .globl _start
  .text
_start:
  movl $4, %eax            # write(1, "ready\n", 6)
  movl $1, %ebx
  movl $message, %ecx
  movl $6, %edx
  int $0x80
wait:
  movl $29, %eax           # pause()
  int $0x80
  jmp wait
  .section .rodata
message:
  .ascii "ready\n"
  .section .note.GNU-stack,"",@progbits

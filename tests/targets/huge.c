// Code that can be mapped by a huge page, where the file system has such: asks for
// it and says how that went.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // Linux 6.1
#endif

enum { kHugePage = 1 << 21 };

__asm__(
    ".pushsection .text.huge, \"ax\", @progbits\n"
    ".p2align 21\n"
    "huge_code: .fill 1 << 21, 1, 0x90\n"
    ".popsection\n");
extern char huge_code[];

int main(void) {
  const int collapsed = madvise(huge_code, kHugePage, MADV_COLLAPSE) == 0;
  printf("%s %p\n", collapsed ? "huge" : "small", (void*)huge_code);
  fflush(stdout);
  for (;;) pause();
}

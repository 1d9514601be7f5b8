// A library by the name of the one for system call filters, for a debuggee to link.
int seccomp_reset(void);
int seccomp_reset(void) { return 0; }

#ifndef TP_UAPI_LINUX_PTRACE_H
#define TP_UAPI_LINUX_PTRACE_H

#if defined(__x86_64__)
/* As the kernel lays it out for a program at a uprobe. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__aarch64__)
/* The part that a program at a uprobe may read. */
struct pt_regs {
	unsigned long regs[31], sp, pc, pstate;
};
#else
#error "tpcheck does not read arguments on this machine"
#endif

#endif

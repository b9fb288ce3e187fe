/* refuse NUMBER ERRNO PROGRAM [ARGUMENT...]: runs a program for which the kernel refuses a system call with that error,
 * as the seccomp profile of a container does. With "kill" in place of ERRNO, the call kills the process. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	unsigned action = strcmp(argv[2], "kill") ? SECCOMP_RET_ERRNO | (unsigned)strtoul(argv[2], NULL, 10)
						  : SECCOMP_RET_KILL_PROCESS;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)strtoul(argv[1], NULL, 10), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

	/* Without the second, only root may do the first; with it, programs gain no capabilities. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	     prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))) {
		perror("refuse: seccomp");
		return 126;
	}
	execv(argv[3], argv + 3);
	perror("refuse: execv");
	return 127;
}

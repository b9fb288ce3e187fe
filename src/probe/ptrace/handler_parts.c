#include "probe/ptrace/handler_machine.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 16 };

bool
handler_find_bytes(int mem_fd, uint64_t start, uint64_t end, const char *bytes, size_t cnt,
		   unsigned alignment, uint64_t *found)
{
	static char buffer[READ_BYTES];

	*found = 0;
	while (start + cnt <= end) {
		size_t wanted = end - start < sizeof(buffer) ? (size_t)(end - start) : sizeof(buffer);
		ssize_t n = pread(mem_fd, buffer, wanted, (off_t)start);

		if (n < (ssize_t)cnt)
			return false;
		const char *at = buffer;
		while ((at = memmem(at, (size_t)(buffer + n - at), bytes, cnt))) {
			uint64_t address = start + (uint64_t)(at - buffer);

			if (address % alignment == 0) {
				*found = address;
				return true;
			}
			at++;
		}
		start += (uint64_t)n - (cnt - 1);
	}
	return false;
}

int
handler_write(pid_t tid, uint64_t address, const void *from, size_t bytes)
{
	struct iovec local = {.iov_base = (void *)(uintptr_t)from, .iov_len = bytes};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = bytes};

	return process_vm_writev(tid, &local, 1, &remote, 1, 0) == (ssize_t)bytes ? 0 : -EAGAIN;
}

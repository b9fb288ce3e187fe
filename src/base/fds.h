/* File descriptors that go with a message through a Unix socket. Async-signal-safe. */
#ifndef TPCHECK_BASE_FDS_H
#define TPCHECK_BASE_FDS_H

#include <stddef.h>
#include <sys/socket.h>

enum { FDS_MAX = 4 };

union fds_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

/* Adds descriptors, cnt <= FDS_MAX, to a message that is to be sent; control has to last until then. */
void fds_add(struct msghdr *msg, union fds_control *control, const int *fds, size_t cnt);
/* Lets a message that is to be received bring that many at most, max <= FDS_MAX. */
void fds_allow(struct msghdr *msg, union fds_control *control, size_t max);
/* Those that came; returns their number. */
size_t fds_take(struct msghdr *msg, int *fds);

#endif

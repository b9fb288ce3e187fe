#include "base/fds.h"

#include <string.h>

void
fds_add(struct msghdr *msg, union fds_control *control, const int *fds, size_t cnt)
{
	if (!cnt)
		return;
	*control = (union fds_control){.bytes = {0}};
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(cnt * sizeof(*fds));
	struct cmsghdr *head = CMSG_FIRSTHDR(msg);
	*head = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(cnt * sizeof(*fds))};
	memcpy(CMSG_DATA(head), fds, cnt * sizeof(*fds));
}

void
fds_allow(struct msghdr *msg, union fds_control *control, size_t max)
{
	*control = (union fds_control){.bytes = {0}};
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_LEN(max * sizeof(int));
}

size_t
fds_take(struct msghdr *msg, int *fds)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(msg);

	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
		return 0;
	size_t cnt = (head->cmsg_len - CMSG_LEN(0)) / sizeof(*fds);
	if (cnt)
		memcpy(fds, CMSG_DATA(head), cnt * sizeof(*fds));
	return cnt;
}

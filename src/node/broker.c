#include "node/broker.h"

#include "base/fds.h"
#include "base/privileges.h"
#include "base/signals.h"
#include "base/xmem.h"
#include "node/loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BROKER_NAME "usdt-network"

struct broker {
	pid_t pid;
	int fd;
	pthread_mutex_t lock; /* one request at a time */
};

struct request {
	int domain, type;
};

enum {
	NAMESPACES_CNT = 2,
	OWN_FD = 3, /* the broker's end of the socket pair */
};

static bool
send_with(int socket_fd, const void *bytes, size_t bytes_sz, const int *fds, size_t fds_cnt)
{
	union fds_control control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = bytes_sz};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	fds_add(&msg, &control, fds, fds_cnt);
	return sendmsg(socket_fd, &msg, MSG_NOSIGNAL) >= 0;
}

/* Returns the number of descriptors received, at most fds_max; -1 if the other end is gone. */
static int
receive_with(int socket_fd, void *bytes, size_t bytes_sz, int *fds, size_t fds_max)
{
	union fds_control control;
	struct iovec iov = {.iov_base = bytes, .iov_len = bytes_sz};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	fds_allow(&msg, &control, fds_max);
	do
		n = recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)bytes_sz ? (int)fds_take(&msg, fds) : -1;
}

/* In the broker: only async-signal-safe calls, as another thread may have held any lock at the fork. */

/* Nothing of ours stays open there: other programs of the same user could take it, and it would outlive us. */
static bool
keep_only(int fd)
{
	struct rlimit limit;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int low = 0; low < OWN_FD; low++)
		if (null_fd < 0 || (null_fd != low && fd != low && dup2(null_fd, low) < 0))
			return false;
	if (fd != OWN_FD && dup2(fd, OWN_FD) < 0)
		return false;
#ifdef SYS_close_range
	if (!syscall(SYS_close_range, OWN_FD + 1u, ~0u, 0u))
		return true;
#endif
	/* Before Linux 5.9. */
	int end = !getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
	for (int other = OWN_FD + 1; other < end; other++)
		close(other);
	return true;
}

static bool
write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, len) == (ssize_t)len;

	if (fd >= 0)
		close(fd);
	return written;
}

/* Writes "1000 1000 1": that one ID, the same inside as outside. */
static void
map_id(const char *path, unsigned id)
{
	char digits[10], map[32], *to = map;
	size_t cnt = 0;

	do
		digits[cnt++] = (char)('0' + id % 10);
	while (id /= 10);
	for (int i = 0; i < 2; i++) {
		for (size_t left = cnt; left--;)
			*to++ = digits[left];
		*to++ = ' ';
	}
	*to++ = '1';
	write_file(path, map, (size_t)(to - map));
}

/* Where this is refused, as it is to root without CAP_SETFCAP, whoever is inside sees itself as nobody; nothing else
 * changes. */
static void
map_ids(uid_t uid, gid_t gid)
{
	map_id("/proc/self/uid_map", uid);
	/* Otherwise only the privileged may map a group. */
	write_file("/proc/self/setgroups", "deny", 4);
	map_id("/proc/self/gid_map", gid);
}

/* 0 or a negative errno value; fds are those of the namespaces. */
static int
make_namespaces(const struct process_user *user, struct broker_result *result, int *fds)
{
	result->step = BROKER_PREPARE;
	/* Else its files in /proc belong to root. It has no privilege and nothing of ours any more. */
	if (process_become(user) || privileges_drop() || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
		return -errno;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	result->step = BROKER_USER_NAMESPACE;
	if (unshare(CLONE_NEWUSER))
		return -errno;
	map_ids(uid, gid);
	result->step = BROKER_NETWORK_NAMESPACE;
	if (unshare(CLONE_NEWNET))
		return -errno;
	result->step = BROKER_LOOPBACK;
	int err = loopback_configure(&result->err_ip6);
	if (err)
		return err;
	result->step = BROKER_OPEN;
	fds[0] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	fds[1] = fds[0] < 0 ? -1 : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	/* The node runs as the same user, and is not to be trusted. */
	return fds[1] < 0 || privileges_drop() || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0;
}

/* Obeys until the other end is closed. */
static void
serve(void)
{
	struct request request;

	while (receive_with(OWN_FD, &request, sizeof(request), NULL, 0) == 0) {
		int fd = socket(request.domain, request.type | SOCK_CLOEXEC, 0);
		int err = fd < 0 ? -errno : 0;

		send_with(OWN_FD, &err, sizeof(err), &fd, fd >= 0);
		if (fd >= 0)
			close(fd);
	}
}

struct start {
	int err;
	struct broker_result result;
};

static _Noreturn void
become_broker(int fd, const struct process_user *user, pid_t parent)
{
	struct start start = {.result = {.step = BROKER_PREPARE, .user_fd = -1, .network_fd = -1}};
	int fds[NAMESPACES_CNT] = {-1, -1};

	setsid(); /* a terminal's signals are not for it */
	prctl(PR_SET_NAME, BROKER_NAME);
	if (!keep_only(fd))
		_exit(1);
	start.err = make_namespaces(user, &start.result, fds);
	/* Should another child of the same parent hold our socket: after the user, as changing it clears this. */
	signals_end_with(parent);
	if (!send_with(OWN_FD, &start, sizeof(start), fds, start.err ? 0 : NAMESPACES_CNT) || start.err)
		_exit(1);
	for (size_t i = 0; i < NAMESPACES_CNT; i++)
		close(fds[i]);
	serve();
	_exit(0);
}

/* In the process that it serves. */

/* With all signals blocked, in the broker for good. */
static pid_t
fork_broker(int fd, const struct process_user *user)
{
	sigset_t before;

	signals_block(&before);
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		become_broker(fd, user, parent);
	signals_restore(&before);
	return pid;
}

int
broker_start(struct broker **out, const struct process_user *user, struct broker_result *result)
{
	struct start start = {.err = -EPIPE, .result = {.step = BROKER_PREPARE}};
	int sockets[2], fds[NAMESPACES_CNT];

	*out = NULL;
	*result = (struct broker_result){.step = BROKER_FORK, .user_fd = -1, .network_fd = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	pid_t pid = fork_broker(sockets[1], user);
	int err = pid < 0 ? -errno : 0;
	close(sockets[1]);
	if (err) {
		close(sockets[0]);
		return err;
	}
	struct broker *broker = xcalloc(1, sizeof(*broker));
	broker->pid = pid;
	broker->fd = sockets[0];
	pthread_mutex_init(&broker->lock, NULL);
	int cnt = receive_with(broker->fd, &start, sizeof(start), fds, NAMESPACES_CNT);
	err = start.err;
	*result = start.result;
	if (!err && cnt == NAMESPACES_CNT) {
		result->user_fd = fds[0];
		result->network_fd = fds[1];
		*out = broker;
		return 0;
	}
	/* Out of descriptors, fewer arrive. */
	for (int i = 0; i < cnt; i++)
		close(fds[i]);
	broker_stop(broker);
	return err < 0 ? err : -EMFILE;
}

void
broker_stop(struct broker *broker)
{
	if (!broker)
		return;
	shutdown(broker->fd, SHUT_RDWR); /* also for another child of ours that holds it */
	close(broker->fd);
	while (waitpid(broker->pid, NULL, 0) < 0 && errno == EINTR)
		;
	pthread_mutex_destroy(&broker->lock);
	free(broker);
}

pid_t
broker_pid(const struct broker *broker)
{
	return broker->pid;
}

int
broker_socket(struct broker *broker, int domain, int type)
{
	const struct request request = {.domain = domain, .type = type};
	int err, fd = -1;

	pthread_mutex_lock(&broker->lock);
	int cnt = send_with(broker->fd, &request, sizeof(request), NULL, 0)
			  ? receive_with(broker->fd, &err, sizeof(err), &fd, 1)
			  : -1;
	pthread_mutex_unlock(&broker->lock);
	if (cnt < 0)
		return -EPIPE;
	if (cnt == 1)
		return fd;
	return err < 0 ? err : -EMFILE;
}

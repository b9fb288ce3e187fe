#include "node/network.h"

#include "base/xmem.h"
#include "node/broker.h"
#include "node/loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int
open_own_namespace(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* With our own privileges. */

struct attempt {
	int home_fd, fd;
	int err, err_ip6;
};

/* Runs in a thread of its own: unshare moves only the thread that calls it. */
static void *
make_namespace(void *arg)
{
	struct attempt *attempt = arg;

	attempt->home_fd = open_own_namespace();
	attempt->err = attempt->home_fd < 0 ? attempt->home_fd : 0;
	if (!attempt->err)
		attempt->err = unshare(CLONE_NEWNET) ? -errno : 0;
	if (!attempt->err)
		attempt->err = loopback_configure(&attempt->err_ip6);
	if (!attempt->err) {
		attempt->fd = open_own_namespace();
		attempt->err = attempt->fd < 0 ? attempt->fd : 0;
	}
	return NULL;
}

/* 0 or a negative errno value; *err_ip6 as in loopback_configure. */
static int
make_directly(struct network *network, int *err_ip6)
{
	struct attempt attempt = {.home_fd = -1, .fd = -1};
	pthread_t thread;
	int err = -pthread_create(&thread, NULL, make_namespace, &attempt);

	if (err)
		return err;
	pthread_join(thread, NULL);
	if (attempt.err) {
		close_fd(attempt.home_fd);
		return attempt.err;
	}
	network->fd = attempt.fd;
	network->home_fd = attempt.home_fd;
	*err_ip6 = attempt.err_ip6;
	return 0;
}

/* Inside a user namespace. */

static const char *
name_step(enum broker_step step)
{
	switch (step) {
	case BROKER_FORK:
		return "start a process";
	case BROKER_PREPARE:
		return "give up privileges";
	case BROKER_USER_NAMESPACE:
		return "make a user namespace for it";
	case BROKER_NETWORK_NAMESPACE:
		return "make one inside a user namespace";
	case BROKER_LOOPBACK:
		return "set its loopback device up inside a user namespace";
	case BROKER_OPEN:
		return "open the namespaces in /proc";
	}
	return "make one";
}

/* The number in a file of /proc/sys; false if there is none. */
static bool
read_setting(const char *path, unsigned long *value)
{
	FILE *file = fopen(path, "re");
	bool ok = file && fscanf(file, "%lu", value) == 1;

	if (file)
		fclose(file);
	return ok;
}

/* Whether system calls of this process are filtered. */
static bool
is_filtered(void)
{
	FILE *file = fopen("/proc/thread-self/status", "re");
	unsigned mode = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file) && sscanf(line, "Seccomp: %u", &mode) != 1)
		;
	if (file)
		fclose(file);
	return mode == 2;
}

/* Why the kernel refuses it, as far as can be seen, and what helps; the caller frees it. */
static char *
explain_refusal(enum broker_step step, int err)
{
	bool is_limit = err == -ENOSPC || err == -EUSERS, is_refused = err == -EPERM || err == -EACCES;
	const char *kind = step == BROKER_USER_NAMESPACE ? "user" : "net";
	char path[64];
	unsigned long value;

	snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", kind);
	if (is_limit && read_setting(path, &value))
		return xasprintf("user.max_%s_namespaces is %lu; raise it (sysctl)", kind, value);
	if (is_refused && read_setting("/proc/sys/kernel/unprivileged_userns_clone", &value) && !value)
		return xstrdup("kernel.unprivileged_userns_clone is 0; set it to 1 (sysctl)");
	if (is_refused && read_setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", &value) &&
	    value)
		return xasprintf(
			"kernel.apparmor_restrict_unprivileged_userns is %lu; give tpcheck-full an AppArmor profile with 'userns,', or set it to 0 (sysctl)",
			value);
	if ((is_refused || err == -ENOSYS) && is_filtered())
		return xstrdup(
			"a seccomp filter refuses it, as the profiles of containers do; choose one that allows unshare and setns");
	if (is_refused)
		return xstrdup("a security module or a chroot forbids it");
	if (err == -EINVAL || err == -ENOSYS)
		return xasprintf("the kernel needs %s",
				 step == BROKER_USER_NAMESPACE ? "CONFIG_USER_NS" : "CONFIG_NET_NS");
	return NULL;
}

/* The same, after it failed directly with direct_err. */
static void
make_inside_user_namespace(struct network *network, const struct process_user *user, int direct_err,
			   int *err_ip6)
{
	struct broker_result result;
	int err = broker_start(&network->broker, user, &result);

	if (!err) {
		network->fd = result.network_fd;
		network->user_fd = result.user_fd;
		*err_ip6 = result.err_ip6;
		return;
	}
	char *why = explain_refusal(result.step, err);
	network->obstacle = xasprintf(
		"the machine allows no network namespace: failed to %s: %s%s%s%s", name_step(result.step),
		strerror(-err), why ? ": " : "", why ? why : "",
		direct_err == -EPERM
			? "; or run as root, in a container with CAP_SYS_ADMIN and CAP_NET_ADMIN (docker: --privileged)"
			: "");
	free(why);
}

void
network_init(struct network *network)
{
	*network = (struct network){.fd = -1, .home_fd = -1, .user_fd = -1};
	network->obstacle = xstrdup("the node shares the machine's network");
}

void
network_make(struct network *network, const struct process_user *user)
{
	int err_ip6 = 0;

	*network = (struct network){.fd = -1, .home_fd = -1, .user_fd = -1};
	int err = make_directly(network, &err_ip6);
	if (err)
		make_inside_user_namespace(network, user, err, &err_ip6);
	if (err_ip6)
		network->obstacle_ip6 = xasprintf(
			"the machine has no IPv6: failed to add an address to a loopback device: %s; the kernel needs it (no ipv6.disable=1 on its command line)",
			strerror(-err_ip6));
}

int
network_check_loopback(struct diag *diag)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Whoever connects reports anything else. */
	bool is_down = fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &request) && !(request.ifr_flags & IFF_UP);

	close_fd(fd);
	return is_down ? diag_fail(
				 diag, -ENETDOWN,
				 "node: failed to reach 127.0.0.1: the loopback device is down; bring it up: ip link set lo up")
		       : 0;
}

void
network_fini(struct network *network)
{
	broker_stop(network->broker);
	close_fd(network->fd);
	close_fd(network->user_fd);
	close_fd(network->home_fd);
	free(network->obstacle);
	free(network->obstacle_ip6);
	*network = (struct network){.fd = -1, .home_fd = -1, .user_fd = -1};
}

int
network_socket(const struct network *network, int domain, int type)
{
	if (network->broker)
		return broker_socket(network->broker, domain, type);
	if (network->fd >= 0 && setns(network->fd, CLONE_NEWNET))
		return -errno;
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : 0;
	if (network->fd >= 0 && setns(network->home_fd, CLONE_NEWNET)) {
		/* Somebody took our privileges meanwhile; nothing that follows could work either. */
		err = err ? err : -errno;
		close_fd(fd);
	}
	return err ? err : fd;
}

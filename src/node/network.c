#include "node/network.h"

#include "base/clock.h"
#include "base/xmem.h"
#include "node/node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LOOPBACK_INDEX = 1, /* of the first device of every namespace */
	ADDRESS_MS = 2000,  /* until an address can be used, at most */
};

static int
open_own_namespace(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int
bring_up(int fd)
{
	struct ifreq request = {.ifr_name = "lo"};

	if (ioctl(fd, SIOCGIFFLAGS, &request))
		return -errno;
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) ? -errno : 0;
}

/* The label keeps 127.0.0.1 beside it. The kernel treats its whole network, /8, as local. */
static int
add_ip4(int fd)
{
	struct ifreq request = {.ifr_name = "lo:1"};
	struct sockaddr_in addr = {.sin_family = AF_INET};

	inet_pton(AF_INET, NODE_IPV4, &addr.sin_addr);
	memcpy(&request.ifr_addr, &addr, sizeof(addr));
	return ioctl(fd, SIOCSIFADDR, &request) ? -errno : 0;
}

/* Waits until a new address can be used: the kernel checks asynchronously whether another machine has it. */
static int
wait_ip6(const struct in6_addr *ip6)
{
	const struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = *ip6};
	struct deadline deadline = deadline_in_ms(ADDRESS_MS);
	int err;

	do {
		int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		err = fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
		if (fd >= 0)
			close(fd);
		if (err)
			clock_pause_ms(1, deadline);
	} while (err == -EADDRNOTAVAIL && !deadline_has_passed(deadline));
	return err;
}

static int
add_ip6(const char *address)
{
	struct in6_ifreq request = {.ifr6_prefixlen = 128, .ifr6_ifindex = LOOPBACK_INDEX};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	inet_pton(AF_INET6, address, &request.ifr6_addr);
	int err = ioctl(fd, SIOCSIFADDR, &request) ? -errno : 0;
	close(fd);
	return err ? err : wait_ip6(&request.ifr6_addr);
}

static int
configure(struct network *network)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : bring_up(fd);

	if (!err)
		err = add_ip4(fd);
	if (fd >= 0)
		close(fd);
	if (err)
		return err;
	int err_ip6 = add_ip6(NODE_IPV6);
	if (!err_ip6)
		err_ip6 = add_ip6(NODE_CJDNS);
	if (err_ip6)
		network->obstacle_ip6 = xasprintf(
			"the machine has no IPv6: failed to add an address to a loopback device: %s; the kernel needs it (no ipv6.disable=1 on its command line)",
			strerror(-err_ip6));
	return 0;
}

/* Runs in a thread of its own: unshare moves only the thread that calls it. */
static void *
make_namespace(void *arg)
{
	struct network *network = arg;
	const char *step = "open /proc/thread-self/ns/net", *help = "";
	int fd = open_own_namespace(), err = fd < 0 ? fd : 0;

	if (!err) {
		network->home_fd = fd;
		step = "make one (unshare)";
		err = unshare(CLONE_NEWNET) ? -errno : 0;
	}
	if (!err) {
		step = "set its loopback device up";
		err = configure(network);
	}
	if (!err) {
		step = "open it";
		fd = open_own_namespace();
		err = fd < 0 ? fd : 0;
	}
	if (!err) {
		network->fd = fd;
		return NULL;
	}
	if (err == -EPERM)
		help = "; run as root, in a container with CAP_SYS_ADMIN and CAP_NET_ADMIN (docker: --privileged)";
	else if (err == -ENOSPC)
		help = "; raise user.max_net_namespaces (sysctl)";
	else if (err == -EINVAL || err == -ENOSYS)
		help = "; the kernel needs CONFIG_NET_NS";
	network->obstacle = xasprintf("the machine allows no network namespace: failed to %s: %s%s", step,
				      strerror(-err), help);
	return NULL;
}

void
network_init(struct network *network)
{
	*network = (struct network){.fd = -1, .home_fd = -1};
	network->obstacle = xstrdup("the node shares the machine's network");
}

void
network_make(struct network *network)
{
	pthread_t thread;

	*network = (struct network){.fd = -1, .home_fd = -1};
	int err = -pthread_create(&thread, NULL, make_namespace, network);
	if (!err)
		pthread_join(thread, NULL);
	else
		network->obstacle = xasprintf("failed to start a thread that makes a network namespace: %s",
					      strerror(-err));
}

int
network_check_loopback(struct diag *diag)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Whoever connects reports anything else. */
	bool is_down = fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &request) && !(request.ifr_flags & IFF_UP);

	if (fd >= 0)
		close(fd);
	return is_down ? diag_fail(
				 diag, -ENETDOWN,
				 "node: failed to reach 127.0.0.1: the loopback device is down; bring it up: ip link set lo up")
		       : 0;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
network_fini(struct network *network)
{
	close_fd(network->fd);
	close_fd(network->home_fd);
	free(network->obstacle);
	free(network->obstacle_ip6);
	*network = (struct network){.fd = -1, .home_fd = -1};
}

int
network_socket(const struct network *network, int domain, int type)
{
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

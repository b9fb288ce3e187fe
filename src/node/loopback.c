#include "node/loopback.h"

#include "base/clock.h"
#include "node/node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LOOPBACK_INDEX = 1, /* of the first device of every namespace */
	ADDRESS_MS = 2000,  /* until an address can be used, at most */
};

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

int
loopback_configure(int *err_ip6)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : bring_up(fd);

	*err_ip6 = 0;
	if (!err)
		err = add_ip4(fd);
	if (fd >= 0)
		close(fd);
	if (err)
		return err;
	*err_ip6 = add_ip6(NODE_IPV6);
	if (!*err_ip6)
		*err_ip6 = add_ip6(NODE_CJDNS);
	return 0;
}

/* Networks of their own, without a node. */
#include "node/network.h"
#include "node/node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Binds a socket of that network to the address: 0 or a negative errno value. */
static int
bind_to(const struct network *network, int domain, const char *address)
{
	struct sockaddr_in ip4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ip6 = {.sin6_family = AF_INET6};
	bool is_ip4 = domain == AF_INET;
	int fd = network_socket(network, domain, SOCK_STREAM);

	if (fd < 0)
		return fd;
	assert_int_equal(inet_pton(domain, address, is_ip4 ? (void *)&ip4.sin_addr : &ip6.sin6_addr), 1);
	int err = bind(fd, is_ip4 ? (struct sockaddr *)&ip4 : (struct sockaddr *)&ip6,
		       is_ip4 ? sizeof(ip4) : sizeof(ip6));
	err = err ? -errno : 0;
	close(fd);
	return err;
}

static ino_t
own_namespace(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
	return st.st_ino;
}

static void
test_machine(void **state)
{
	struct network network;

	(void)state;
	network_init(&network);
	assert_non_null(network.obstacle);
	assert_int_equal(bind_to(&network, AF_INET, "127.0.0.1"), 0);
	network_fini(&network);
	network_fini(&network);
}

static void
test_own(void **state)
{
	ino_t before = own_namespace();
	struct network network, other, machine;

	(void)state;
	network_make(&network);
	if (network.obstacle) {
		print_message("%s\n", network.obstacle);
		network_fini(&network);
		skip();
	}
	network_make(&other);
	network_init(&machine);
	assert_int_equal(own_namespace(), before);
	for (int i = 0; i < 2; i++) {
		const struct network *own = i ? &other : &network;

		assert_int_equal(bind_to(own, AF_INET, "127.0.0.1"), 0);
		assert_int_equal(bind_to(own, AF_INET, "127.200.3.4"), 0);
		assert_int_equal(bind_to(own, AF_INET, NODE_IPV4), 0);
		assert_int_equal(bind_to(own, AF_INET, "1.250.251.252"), 0);
		assert_int_equal(bind_to(own, AF_INET, "2.3.4.5"), -EADDRNOTAVAIL);
		if (!own->obstacle_ip6) {
			assert_int_equal(bind_to(own, AF_INET6, "::1"), 0);
			assert_int_equal(bind_to(own, AF_INET6, NODE_IPV6), 0);
			assert_int_equal(bind_to(own, AF_INET6, NODE_CJDNS), 0);
		}
	}
	assert_int_equal(bind_to(&machine, AF_INET, NODE_IPV4), -EADDRNOTAVAIL);
	assert_int_equal(own_namespace(), before);
	network_fini(&network);
	network_fini(&other);
	network_fini(&machine);
}

/* Without the privilege it is the machine's network, and the text says what helps. */
static void
test_unprivileged(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct network network;

		if (geteuid() == 0 && setuid(65534))
			_exit(1);
		network_make(&network);
		if (!network.obstacle || !strstr(network.obstacle, "run as root"))
			_exit(2);
		int err = bind_to(&network, AF_INET, "127.0.0.1");
		network_fini(&network);
		_exit(err ? 3 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_unprivileged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Networks of their own, without a node. */
#include "node/network.h"

#include "base/clock.h"
#include "base/privileges.h"
#include "node/broker.h"
#include "node/node.h"
#include "node/process.h"
#include "refuse.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ORDINARY = 4711 }; /* not nobody, as whom others appear in a user namespace */

static const struct process_user self; /* none that changes */

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
check_addresses(const struct network *own)
{
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

static void
test_own(void **state)
{
	ino_t before = own_namespace();
	struct network network, other, machine;

	(void)state;
	network_make(&network, &self);
	if (network.obstacle) {
		print_message("%s\n", network.obstacle);
		network_fini(&network);
		skip();
	}
	network_make(&other, &self);
	network_init(&machine);
	assert_int_equal(own_namespace(), before);
	check_addresses(&network);
	check_addresses(&other);
	assert_int_equal(bind_to(&machine, AF_INET, NODE_IPV4), -EADDRNOTAVAIL);
	assert_int_equal(own_namespace(), before);
	network_fini(&network);
	network_fini(&other);
	network_fini(&machine);
}

/* In a child process of its own, without any privilege; it has to end by itself. */
static void
in_child(void (*work)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		if (geteuid() == 0 && (setgid(ORDINARY) || setuid(ORDINARY)))
			_exit(1);
		work();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* For the child, where an assertion would go on with the parent's tests. */
#define REQUIRE(condition)                                                                                   \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                      \
			_exit(2);                                                                            \
		}                                                                                            \
	} while (0)

static bool
allows_user_namespaces(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit((geteuid() == 0 && setuid(ORDINARY)) || unshare(CLONE_NEWUSER) ||
		      unshare(CLONE_NEWNET));
	return waitpid(pid, &status, 0) == pid && !status;
}

static void
require_user_namespaces(void)
{
	if (allows_user_namespaces())
		return;
	print_message("no user namespaces for ordinary users here\n");
	skip();
}

static bool
is_alive(int pidfd)
{
	struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};

	return poll(&pollfd, 1, 0) == 0;
}

static void
be_unprivileged(void)
{
	const ino_t before = own_namespace();
	struct network first, second;
	char path[64];

	network_make(&first, &self);
	network_make(&second, &self);
	REQUIRE(!first.obstacle && !second.obstacle);
	REQUIRE(first.user_fd >= 0 && first.fd >= 0 && first.broker);
	REQUIRE(own_namespace() == before);
	for (int i = 0; i < 2; i++) {
		const struct network *own = i ? &second : &first;

		REQUIRE(bind_to(own, AF_INET, NODE_IPV4) == 0);
		REQUIRE(bind_to(own, AF_INET, "2.3.4.5") == -EADDRNOTAVAIL);
		REQUIRE(own->obstacle_ip6 || bind_to(own, AF_INET6, NODE_CJDNS) == 0);
		REQUIRE(network_socket(own, AF_INET, 12345) == -EINVAL);
		int fd = network_socket(own, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK);
		REQUIRE(fcntl(fd, F_GETFL) & O_NONBLOCK);
		REQUIRE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
	}
	/* The node, which is the same user, cannot change what it does. */
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)broker_pid(first.broker));
	REQUIRE(open(path, O_RDWR | O_CLOEXEC) < 0 && errno == EACCES);
	/* The second broker must not hold what belongs to the first. */
	int pidfd = (int)syscall(SYS_pidfd_open, broker_pid(first.broker), 0);
	network_fini(&first);
	REQUIRE(pidfd >= 0 && !is_alive(pidfd));
	REQUIRE(bind_to(&second, AF_INET, NODE_IPV4) == 0);
	network_fini(&second);
	network_fini(&second);
}

/* Without any privilege it is inside a user namespace. */
static void
test_unprivileged(void **state)
{
	(void)state;
	require_user_namespaces();
	in_child(be_unprivileged);
}

static void
lose_broker(void)
{
	struct network network;
	struct rlimit files = {.rlim_cur = 0, .rlim_max = 0}, before;

	network_make(&network, &self);
	REQUIRE(network.broker);
	/* Nothing is received when there is no room for it, and nothing of it stays for the next call. */
	REQUIRE(!getrlimit(RLIMIT_NOFILE, &before));
	files.rlim_max = before.rlim_max;
	REQUIRE(!setrlimit(RLIMIT_NOFILE, &files));
	REQUIRE(network_socket(&network, AF_INET, SOCK_STREAM) == -EMFILE);
	REQUIRE(!setrlimit(RLIMIT_NOFILE, &before));
	REQUIRE(bind_to(&network, AF_INET, NODE_IPV4) == 0);
	REQUIRE(!kill(broker_pid(network.broker), SIGKILL));
	while (bind_to(&network, AF_INET, NODE_IPV4) == 0)
		;
	REQUIRE(network_socket(&network, AF_INET, SOCK_STREAM) == -EPIPE);
	network_fini(&network);
}

static void
test_broker_killed(void **state)
{
	(void)state;
	require_user_namespaces();
	in_child(lose_broker);
}

/* A child that has all that is open, and ends only when it is killed. */
static pid_t
hold_all(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		for (;;)
			pause();
	}
	REQUIRE(pid > 0);
	return pid;
}

static void
fini_while_held(void)
{
	struct network network;

	network_make(&network, &self);
	REQUIRE(network.broker);
	pid_t holder = hold_all();
	network_fini(&network);
	REQUIRE(!kill(holder, SIGKILL) && waitpid(holder, NULL, 0) == holder);
}

static void
test_fini_while_held(void **state)
{
	(void)state;
	require_user_namespaces();
	in_child(fini_while_held);
}

static _Noreturn void
make_and_wait(int report_fd, bool is_held)
{
	struct network networks[2];
	pid_t pids[3];

	alarm(60);
	REQUIRE(geteuid() != 0 || !setuid(ORDINARY));
	for (int i = 0; i < 2; i++) {
		network_make(&networks[i], &self);
		REQUIRE(networks[i].broker);
		pids[i] = broker_pid(networks[i].broker);
	}
	pids[2] = is_held ? hold_all() : 0;
	REQUIRE(write(report_fd, pids, sizeof(pids)) == sizeof(pids));
	for (;;)
		pause();
}

/* Its socket, and the null device three times. Only root can look. */
static void
check_files(pid_t broker)
{
	struct deadline deadline = deadline_in_ms(20000);
	size_t cnt;

	/* It may still be closing those of the namespaces. */
	do {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/fd", (int)broker);
		DIR *dir = opendir(path);
		assert_non_null(dir);
		cnt = 0;
		for (struct dirent *entry; (entry = readdir(dir));)
			cnt += entry->d_name[0] != '.';
		closedir(dir);
	} while (cnt != 4 && !deadline_has_passed(deadline));
	assert_int_equal(cnt, 4);
}

/* Nothing outlives us, whatever kills us; not even if something else holds our sockets. */
static void
check_killed(bool is_held)
{
	int report[2], pidfds[2];
	pid_t pids[3];

	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		make_and_wait(report[1], is_held);
	close(report[1]);
	assert_int_equal(read(report[0], pids, sizeof(pids)), sizeof(pids));
	for (int i = 0; i < 2; i++) {
		pidfds[i] = (int)syscall(SYS_pidfd_open, pids[i], 0);
		assert_true(pidfds[i] >= 0);
		if (geteuid() == 0)
			check_files(pids[i]);
		/* A terminal's signals are not for them. */
		assert_int_equal(getpgid(pids[i]), pids[i]);
		assert_int_equal(kill(pids[i], SIGINT), 0);
	}
	assert_true(is_alive(pidfds[0]));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 2; i++) {
		struct pollfd pollfd = {.fd = pidfds[i], .events = POLLIN};

		assert_int_equal(poll(&pollfd, 1, 20000), 1);
		close(pidfds[i]);
	}
	if (is_held)
		assert_int_equal(kill(pids[2], SIGKILL), 0);
	close(report[0]);
}

static void
test_killed(void **state)
{
	(void)state;
	require_user_namespaces();
	check_killed(false);
	check_killed(true);
}

/* As root, but with no capability, or with those that become another user. */
static void
be_root_without(const struct process_user *user, const unsigned *kept, size_t kept_cnt)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct network network;
		struct diag diag;

		alarm(60);
		REQUIRE(!privileges_keep(kept, kept_cnt, &diag));
		network_make(&network, user);
		if (network.obstacle)
			fprintf(stderr, "%s\n", network.obstacle);
		REQUIRE(network.broker && bind_to(&network, AF_INET, NODE_IPV4) == 0);
		network_fini(&network);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_root_of_container(void **state)
{
	const unsigned kept[] = {CAP_SETUID, CAP_SETGID, CAP_SYS_ADMIN};

	(void)state;
	if (geteuid() != 0)
		skip();
	require_user_namespaces();
	be_root_without(&self, NULL, 0);
	be_root_without(&(struct process_user){.change = true, .uid = ORDINARY, .gid = ORDINARY}, kept, 2);
	/* A namespace could be made, but not set up. */
	be_root_without(&self, kept, 3);
}

/* Where user namespaces are forbidden: it is the machine's network, and the text names what forbids them. */

static void
require_obstacle(const char *text)
{
	struct network network;

	network_make(&network, &self);
	REQUIRE(network.obstacle && !network.broker && network.fd < 0 && network.user_fd < 0);
	if (!strstr(network.obstacle, text))
		fprintf(stderr, "'%s' is not in: %s\n", text, network.obstacle);
	REQUIRE(strstr(network.obstacle, text));
	/* Which helps if privileges are what is missing. */
	bool is_refused = strstr(text, "Operation not permitted") || strstr(text, "No space left");
	REQUIRE(!is_refused == !strstr(network.obstacle, "; or run as root"));
	REQUIRE(bind_to(&network, AF_INET, "127.0.0.1") == 0);
	network_fini(&network);
}

static void
meet_seccomp(void)
{
	REQUIRE(test_refuse_call(SYS_unshare, EPERM));
	require_obstacle(
		"failed to make a user namespace for it: Operation not permitted: a seccomp filter refuses it");
}

static void
meet_seccomp_enosys(void)
{
	REQUIRE(test_refuse_call(SYS_unshare, ENOSYS));
	require_obstacle(
		"failed to make a user namespace for it: Function not implemented: a seccomp filter refuses it");
}

/* Without a filter the same error means something else. */
static void
meet_old_kernel(void)
{
	REQUIRE(test_refuse_call(SYS_unshare, EINVAL));
	require_obstacle(
		"failed to make a user namespace for it: Invalid argument: the kernel needs CONFIG_USER_NS");
}

static void
put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void
enter_user_namespace(int more)
{
	char uid_map[32], gid_map[32];

	snprintf(uid_map, sizeof(uid_map), "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
	snprintf(gid_map, sizeof(gid_map), "%u %u 1", (unsigned)getegid(), (unsigned)getegid());
	REQUIRE(!prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	REQUIRE(!unshare(CLONE_NEWUSER | more));
	put_file("/proc/self/uid_map", uid_map);
	put_file("/proc/self/setgroups", "deny");
	put_file("/proc/self/gid_map", gid_map);
}

static void
meet_limit(const char *kind)
{
	char path[64], text[100];

	/* Each has its own limits for those inside it. */
	enter_user_namespace(0);
	snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", kind);
	put_file(path, "0");
	REQUIRE(!privileges_drop());
	snprintf(text, sizeof(text), ": No space left on device: user.max_%s_namespaces is 0; raise it",
		 kind);
	require_obstacle(text);
}

static void
meet_user_limit(void)
{
	meet_limit("user");
}

static void
meet_network_limit(void)
{
	meet_limit("net");
}

/* Settings that only the kernels of some distributions have. */
static void
meet_setting(const char *name, const char *value, const char *text)
{
	char path[100];

	enter_user_namespace(CLONE_NEWNS);
	REQUIRE(!mount("none", "/proc/sys/kernel", "tmpfs", 0, NULL));
	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	put_file(path, value);
	REQUIRE(test_refuse_call(SYS_unshare, EPERM));
	require_obstacle(text);
}

static void
meet_debian(void)
{
	meet_setting("unprivileged_userns_clone", "0",
		     ": Operation not permitted: kernel.unprivileged_userns_clone is 0; set it to 1");
}

static void
meet_debian_unset(void)
{
	meet_setting("unprivileged_userns_clone", "1", "Operation not permitted: a seccomp filter");
}

static void
meet_apparmor(void)
{
	meet_setting("apparmor_restrict_unprivileged_userns", "1",
		     ": Operation not permitted: kernel.apparmor_restrict_unprivileged_userns is 1; give");
}

static void
meet_apparmor_unset(void)
{
	meet_setting("apparmor_restrict_unprivileged_userns", "0",
		     "Operation not permitted: a seccomp filter");
}

static void
test_forbidden(void **state)
{
	(void)state;
	in_child(meet_seccomp);
	in_child(meet_seccomp_enosys);
	in_child(meet_old_kernel);
	require_user_namespaces();
	in_child(meet_user_limit);
	in_child(meet_network_limit);
	in_child(meet_debian);
	in_child(meet_debian_unset);
	in_child(meet_apparmor);
	in_child(meet_apparmor_unset);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_broker_killed),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_fini_while_held),
		cmocka_unit_test(test_root_of_container),
		cmocka_unit_test(test_forbidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

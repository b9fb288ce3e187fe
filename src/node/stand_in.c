/* Each server has a thread, which waits for the listening socket, the clients and stop_fd. A client that is handed over
 * leaves the array and goes to one of two lists, from which the caller's thread takes it; the lock guards these. A
 * client's last answer is sent under the same lock as the client is listed, so whoever has seen the answer finds the
 * client in the list. */
#include "node/stand_in_protocol.h"

#include "base/signals.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 16, /* at the same time; any further one is closed at once */
	READY_MAX = 64,
	IN_MAX = 8192,
	SLICE_MS = 50, /* how late an interrupt may be noticed */
};

struct client {
	int fd;
	struct stand_in_client state;
};

struct ready {
	int fd;
	char host[STAND_IN_HOST_SZ];
	uint16_t port;
};

struct ready_list {
	struct ready items[READY_MAX];
	size_t cnt;
};

struct stand_in {
	enum stand_in_kind kind;
	const atomic_int *interrupted;
	bool (*has_gone)(void *cookie);
	void *cookie;
	int listen_fd, stop_fd;
	pthread_t thread;
	struct client clients[CLIENTS_MAX]; /* the thread's */
	size_t clients_cnt;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct ready_list connected, accepting;
};

/* The thread. */

static bool
send_all(int fd, const struct buf *out)
{
	/* A few bytes: they fit into the socket's buffer, unless the client reads nothing. */
	return !out->len || send(fd, out->data, out->len, MSG_NOSIGNAL) == (ssize_t)out->len;
}

static void
free_client(struct client *client, bool close_fd)
{
	if (close_fd)
		close(client->fd);
	buf_fini(&client->state.in);
	buf_fini(&client->state.out);
}

/* False once the client is handed over or closed. */
static bool
serve(struct stand_in *server, struct client *client)
{
	char chunk[1024];
	ssize_t n = recv(client->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0 || !buf_add(&client->state.in, chunk, (size_t)n)) {
		free_client(client, true);
		return false;
	}
	buf_reset(&client->state.out);
	enum stand_in_outcome outcome =
		server->kind == STAND_IN_SOCKS5 ? socks5_feed(&client->state) : sam_feed(&client->state);
	struct ready_list *list = outcome == STAND_IN_ACCEPTING ? &server->accepting : &server->connected;
	pthread_mutex_lock(&server->lock);
	bool sent = send_all(client->fd, &client->state.out);
	if (outcome == STAND_IN_MORE && sent) {
		pthread_mutex_unlock(&server->lock);
		return true;
	}
	bool hand_over = sent && (outcome == STAND_IN_CONNECTED || outcome == STAND_IN_ACCEPTING) &&
			 !client->state.in.len && list->cnt < READY_MAX;
	if (hand_over) {
		struct ready *ready = &list->items[list->cnt++];

		ready->fd = client->fd;
		ready->port = client->state.port;
		memcpy(ready->host, client->state.host, sizeof(ready->host));
		pthread_cond_broadcast(&server->changed);
	}
	pthread_mutex_unlock(&server->lock);
	free_client(client, !hand_over);
	return false;
}

static void
accept_client(struct stand_in *server)
{
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		/* Out of descriptors: poll would return at once, as the client still waits. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
			clock_pause_ms(SLICE_MS, deadline_in_ms(SLICE_MS));
		return;
	}
	if (server->clients_cnt == CLIENTS_MAX) {
		close(fd);
		return;
	}
	struct client *client = &server->clients[server->clients_cnt++];
	*client = (struct client){.fd = fd};
	buf_init(&client->state.in, IN_MAX);
	buf_init(&client->state.out, IN_MAX);
}

static void *
run(void *arg)
{
	struct stand_in *server = arg;

	for (;;) {
		struct pollfd fds[CLIENTS_MAX + 2] = {
			{.fd = server->stop_fd, .events = POLLIN},
			{.fd = server->listen_fd, .events = POLLIN},
		};
		size_t clients_cnt = server->clients_cnt;

		for (size_t i = 0; i < clients_cnt; i++)
			fds[i + 2] = (struct pollfd){.fd = server->clients[i].fd, .events = POLLIN};
		if (poll(fds, clients_cnt + 2, -1) < 0)
			continue;
		if (fds[0].revents)
			break;
		for (size_t i = clients_cnt; i-- > 0;)
			if (fds[i + 2].revents && !serve(server, &server->clients[i]))
				server->clients[i] = server->clients[--server->clients_cnt];
		if (fds[1].revents)
			accept_client(server);
	}
	return NULL;
}

/* The caller's side. */

int
stand_in_start(struct stand_in **out, enum stand_in_kind kind, int listen_fd, const atomic_int *interrupted,
	       struct diag *diag)
{
	struct stand_in *server = xcalloc(1, sizeof(*server));
	pthread_condattr_t attr;

	*out = NULL;
	server->kind = kind;
	server->interrupted = interrupted;
	server->listen_fd = listen_fd;
	fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);
	server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&server->changed, &attr);
	pthread_condattr_destroy(&attr);
	int err = server->stop_fd < 0 ? -errno : signals_start_thread(&server->thread, run, server);
	if (err) {
		close(listen_fd);
		if (server->stop_fd >= 0)
			close(server->stop_fd);
		free(server);
		return diag_fail(diag, err, "node: failed to start a %s server: %s",
				 kind == STAND_IN_SOCKS5 ? "SOCKS5" : "SAM", strerror(-err));
	}
	*out = server;
	return 0;
}

static void
close_list(struct ready_list *list)
{
	for (size_t i = 0; i < list->cnt; i++)
		close(list->items[i].fd);
	list->cnt = 0;
}

void
stand_in_free(struct stand_in *server)
{
	if (!server)
		return;
	eventfd_write(server->stop_fd, 1);
	pthread_join(server->thread, NULL);
	for (size_t i = 0; i < server->clients_cnt; i++)
		free_client(&server->clients[i], true);
	close_list(&server->connected);
	close_list(&server->accepting);
	close(server->listen_fd);
	close(server->stop_fd);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

void
stand_in_watch(struct stand_in *server, bool (*has_gone)(void *cookie), void *cookie)
{
	server->has_gone = has_gone;
	server->cookie = cookie;
}

static struct ready
pop(struct ready_list *list)
{
	struct ready first = list->items[0];

	memmove(list->items, list->items + 1, --list->cnt * sizeof(list->items[0]));
	return first;
}

/* Drops those at the front whose node has hung up: it asked before it was restarted. */
static void
drop_gone(struct ready_list *list)
{
	char byte;

	while (list->cnt) {
		ssize_t n = recv(list->items[0].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

		if (n > 0 || (n < 0 && errno != ECONNRESET))
			return;
		close(pop(list).fd);
	}
}

/* Waits until the list is not empty; the lock is held if 0 is returned. */
static int
lock_when_ready(struct stand_in *server, struct ready_list *list, const char *doing, struct deadline deadline,
		struct diag *diag)
{
	pthread_mutex_lock(&server->lock);
	while (drop_gone(list), !list->cnt) {
		struct deadline slice = deadline_earlier(deadline, deadline_in_ms(SLICE_MS));
		struct timespec until = {.tv_sec = (time_t)(slice.at_ns / 1000000000),
					 .tv_nsec = (long)(slice.at_ns % 1000000000)};
		int err = server->interrupted && *server->interrupted            ? -EINTR
			  : server->has_gone && server->has_gone(server->cookie) ? -ECHILD
			  : deadline_has_passed(deadline)                        ? -ETIMEDOUT
										 : 0;

		if (err) {
			pthread_mutex_unlock(&server->lock);
			return diag_fail(diag, err, "node: failed to wait for the node to %s: %s", doing,
					 err == -ECHILD ? "bitcoind has ended" : strerror(-err));
		}
		pthread_cond_timedwait(&server->changed, &server->lock, &until);
	}
	return 0;
}

int
stand_in_take(struct stand_in *server, char host[STAND_IN_HOST_SZ], uint16_t *port, struct deadline deadline,
	      struct diag *diag)
{
	const char *doing =
		server->kind == STAND_IN_SOCKS5 ? "connect through the proxy" : "connect over I2P";
	int err = lock_when_ready(server, &server->connected, doing, deadline, diag);

	if (err)
		return err;
	struct ready ready = pop(&server->connected);
	pthread_mutex_unlock(&server->lock);
	if (host)
		memcpy(host, ready.host, sizeof(ready.host));
	if (port)
		*port = ready.port;
	return ready.fd;
}

int
stand_in_wait_accepting(struct stand_in *server, struct deadline deadline, struct diag *diag)
{
	int err = lock_when_ready(server, &server->accepting, "accept over I2P", deadline, diag);

	if (!err)
		pthread_mutex_unlock(&server->lock);
	return err;
}

void
stand_in_hang_up(struct stand_in *server)
{
	pthread_mutex_lock(&server->lock);
	close_list(&server->accepting);
	pthread_mutex_unlock(&server->lock);
}

int
stand_in_connect(struct stand_in *server, unsigned nth, char address[STAND_IN_ADDRESS_SZ],
		 struct deadline deadline, struct diag *diag)
{
	struct buf line;

	int err = lock_when_ready(server, &server->accepting, "accept over I2P", deadline, diag);
	if (err)
		return err;
	struct ready ready = pop(&server->accepting);
	pthread_mutex_unlock(&server->lock);
	buf_init(&line, IN_MAX);
	sam_destination(nth, &line, address);
	buf_putc(&line, '\n');
	if (!send_all(ready.fd, &line)) {
		err = diag_fail(diag, -ECONNRESET, "node: failed to connect over I2P: the node hung up");
		close(ready.fd);
	}
	buf_fini(&line);
	return err ? err : ready.fd;
}

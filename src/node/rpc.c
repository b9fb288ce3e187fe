/* libcurl's multi interface with one transfer: unlike curl_easy_perform it can wait for the end of the process as well,
 * and lets us check the interrupt flag between two waits.
 *
 * The HTTP server of Bitcoin Core v32 sends an answer before it marks the connection as free (HTTPRequest::WriteReply,
 * m_req_busy). A call that arrives in between waits until the I/O loop wakes up again, for 50 ms. Therefore calls take
 * turns on several connections. The thread that has to mark one may wait for a CPU during several calls, though,
 * because of what its answer woke up. When an answer takes longer than usual, we knock, which wakes the loop. */
#include "node/rpc.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "base/xmem.h"

#include <curl/curl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ANSWER_MAX = 256 << 20,
	LAST_WORDS_MS = 1000, /* to read what the process sent before it ended */
	CONNECTIONS_CNT = 4,
	KNOCK_MS = 2,      /* after so long first, then after twice as long each time */
	KNOCK_MAX_MS = 32, /* less than the loop sleeps */
};

struct connection {
	CURLM *multi;
	CURL *easy;
};

struct rpc {
	struct connection connections[CONNECTIONS_CNT];
	struct curl_slist *headers;
	char *url;
	uint16_t port;
	struct buf answer;
	char *message; /* see rpc_message */
	unsigned last_id;
	const struct network *network;
	int ended_fd;
	const atomic_int *interrupted;
};

static void
init_curl(void)
{
	curl_global_init(CURL_GLOBAL_NOTHING);
}

static size_t
on_body(char *data, size_t size, size_t cnt, void *ctx)
{
	struct buf *answer = ctx;

	return buf_add(answer, data, size * cnt) ? size * cnt : 0;
}

static curl_socket_t
on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	const struct rpc *rpc = ctx;
	int fd = network_socket(rpc->network, address->family, address->socktype);

	(void)purpose;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static void
open_connection(struct connection *connection, struct rpc *rpc, const char *cookie)
{
	CURL *easy = curl_easy_init();

	connection->multi = curl_multi_init();
	connection->easy = easy;
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP);
#endif
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	curl_easy_setopt(easy, CURLOPT_USERPWD, cookie);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, rpc->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &rpc->answer);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, rpc);
}

struct rpc *
rpc_new(const struct rpc_opts *opts)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init_curl);
	struct rpc *rpc = xcalloc(1, sizeof(*rpc));

	rpc->url = xasprintf("http://127.0.0.1:%u/", opts->port);
	rpc->port = opts->port;
	rpc->network = opts->network;
	rpc->ended_fd = opts->ended_fd;
	rpc->interrupted = opts->interrupted;
	buf_init(&rpc->answer, ANSWER_MAX);
	rpc->headers = curl_slist_append(NULL, "Content-Type: application/json");
	curl_slist_append(rpc->headers, "Expect:"); /* no pause before large bodies */
	for (unsigned i = 0; i < CONNECTIONS_CNT; i++)
		open_connection(&rpc->connections[i], rpc, opts->cookie);
	return rpc;
}

void
rpc_free(struct rpc *rpc)
{
	if (!rpc)
		return;
	for (unsigned i = 0; i < CONNECTIONS_CNT; i++) {
		curl_easy_cleanup(rpc->connections[i].easy);
		curl_multi_cleanup(rpc->connections[i].multi);
	}
	curl_slist_free_all(rpc->headers);
	buf_fini(&rpc->answer);
	free(rpc->url);
	free(rpc->message);
	free(rpc);
}

static int
err_of_curl(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
		return -ECONNRESET;
	default:
		return -EIO;
	}
}

void
rpc_knock(const struct network *network, uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = network_socket(network, AF_INET, SOCK_STREAM | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	connect(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
}

/* Knocks if it is time to; returns how long to wait until then. */
static unsigned
wait_or_knock(const struct rpc *rpc, unsigned *knock_ms, struct deadline *knock_at)
{
	if (deadline_has_passed(*knock_at)) {
		rpc_knock(rpc->network, rpc->port);
		*knock_ms = *knock_ms < KNOCK_MAX_MS ? *knock_ms * 2 : KNOCK_MAX_MS;
		*knock_at = deadline_in_ms(*knock_ms);
	}
	return (unsigned)deadline_left_ms(*knock_at);
}

/* Runs the prepared transfer to its end. */
static int
perform(struct rpc *rpc, const struct connection *connection, struct deadline deadline, const char *method,
	struct diag *diag)
{
	struct curl_waitfd ended = {.fd = rpc->ended_fd, .events = CURL_WAIT_POLLIN};
	unsigned ended_cnt = rpc->ended_fd >= 0, knock_ms = KNOCK_MS;
	struct deadline knock_at = deadline_in_ms(KNOCK_MS);
	int running = 1, err = 0;

	curl_multi_add_handle(connection->multi, connection->easy);
	while (running) {
		uint64_t left = deadline_left_ms(deadline);

		if (rpc->interrupted && *rpc->interrupted) {
			err = diag_fail(diag, -EINTR, "node: rpc '%s' was interrupted", method);
			break;
		}
		if (!left) {
			err = diag_fail(diag, -ETIMEDOUT, "node: rpc '%s' failed: no answer in time", method);
			break;
		}
		if (curl_multi_perform(connection->multi, &running) != CURLM_OK || !running)
			break;
		ended.revents = 0;
		const unsigned wait_ms = wait_or_knock(rpc, &knock_ms, &knock_at);
		curl_multi_poll(connection->multi, &ended, ended_cnt, (int)(left < wait_ms ? left : wait_ms),
				NULL);
		if (ended.revents) {
			deadline = deadline_earlier(deadline, deadline_in_ms(LAST_WORDS_MS));
			ended_cnt = 0;
		}
	}
	int left_cnt;
	CURLMsg *msg = curl_multi_info_read(connection->multi, &left_cnt);
	CURLcode code = msg ? msg->data.result : CURLE_FAILED_INIT;
	curl_multi_remove_handle(connection->multi, connection->easy);
	if (err)
		return err;
	if (rpc->answer.overflow)
		return diag_fail(diag, -EMSGSIZE, "node: rpc '%s' failed: the answer is longer than %d MiB",
				 method, ANSWER_MAX >> 20);
	if (code != CURLE_OK)
		return diag_fail(diag, err_of_curl(code), "node: rpc '%s' failed: %s", method,
				 curl_easy_strerror(code));
	return 0;
}

/* The first line is shown. */
static int
fail_without_json(const struct rpc *rpc, long status, const char *method, struct diag *diag)
{
	char *text = utf8_show_nul(rpc->answer.data, rpc->answer.len);
	int err = diag_fail(diag, -EBADMSG, "node: rpc '%s' failed: HTTP status %ld and no JSON: '%.*s'",
			    method, status, (int)strcspn(text, "\r\n"), text);

	free(text);
	return err;
}

/* Reads the answer to the call with that id; *doc is its member "result". */
static int
read_answer(struct rpc *rpc, CURL *easy, unsigned id, const char *method, struct json **doc, int *rpc_code,
	    struct diag *diag)
{
	long status = 0;
	int64_t got_id, got_code;

	*doc = NULL;
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == 401 || status == 403)
		return diag_fail(diag, -EACCES,
				 "node: rpc '%s' failed: HTTP status %ld, the cookie was rejected", method,
				 status);
	const char *text = rpc->answer.data ? rpc->answer.data : "";
	if (json_parse(doc, text, rpc->answer.len, diag))
		return fail_without_json(rpc, status, method, diag);

	const struct json *error = json_get(*doc, "error"), *result = json_get(*doc, "result");
	int err = 0;
	if (error && !json_is_null(error)) {
		size_t len;
		const char *message = json_string_len(json_get(error, "message"), &len);

		free(rpc->message);
		rpc->message = message ? utf8_show_nul(message, len) : xstrdup("");
		*rpc_code = json_i64(json_get(error, "code"), &got_code) ? (int)got_code : 0;
		err = diag_fail(diag, -EREMOTEIO, "node: rpc '%s' failed: %s (code %d)", method,
				message ? rpc->message : "no message", *rpc_code);
	} else if (!result || !json_i64(json_get(*doc, "id"), &got_id) || got_id != id) {
		err = diag_fail(diag, -EBADMSG,
				"node: rpc '%s' failed: HTTP status %ld and no answer to this call: '%.200s'",
				method, status, text);
	}
	if (err) {
		json_free(*doc);
		*doc = NULL;
		return err;
	}
	json_narrow(*doc, result);
	return 0;
}

const char *
rpc_message(const struct rpc *rpc)
{
	return rpc->message ? rpc->message : "";
}

static void
set_url(const struct rpc *rpc, CURL *easy, const char *wallet)
{
	char *escaped = wallet ? curl_easy_escape(easy, wallet, (int)strlen(wallet)) : NULL;
	char *url = escaped ? xasprintf("%swallet/%s", rpc->url, escaped) : NULL;

	curl_easy_setopt(easy, CURLOPT_URL, url ? url : rpc->url);
	free(url);
	curl_free(escaped);
}

int
rpc_call(struct rpc *rpc, struct deadline deadline, const char *wallet, const char *method,
	 const char *params, struct json **result, int *rpc_code, struct diag *diag)
{
	unsigned id = ++rpc->last_id;
	const struct connection *connection = &rpc->connections[id % CONNECTIONS_CNT];
	struct json *doc = NULL;

	if (result)
		*result = NULL;
	*rpc_code = 0;
	char *body = xasprintf("{\"jsonrpc\":\"1.0\",\"id\":%u,\"method\":\"%s\",\"params\":%s}", id, method,
			       params);
	set_url(rpc, connection->easy, wallet);
	curl_easy_setopt(connection->easy, CURLOPT_POSTFIELDS, body);
	buf_reset(&rpc->answer);
	int err = perform(rpc, connection, deadline, method, diag);
	if (!err)
		err = read_answer(rpc, connection->easy, id, method, &doc, rpc_code, diag);
	curl_easy_setopt(connection->easy, CURLOPT_POSTFIELDS, "");
	free(body);
	if (rpc->answer.cap > 1 << 20)
		buf_fini(&rpc->answer); /* don't hold the memory of one large answer */
	if (result)
		*result = doc;
	else
		json_free(doc);
	return err;
}

/* tpcheck trace on a real bitcoind, compared with RPC and with a peer's transcript. Needs a bitcoind ($BITCOIND or in
 * PATH) and the privileges to trace; skipped without them. */
#include "base/json.h"
#include "base/signals.h"
#include "base/text.h"
#include "base/xmem.h"
#include "node/chain.h"
#include "node/p2p.h"
#include "node/script.h"
#include "probe/probe.h"
#include "surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 30000, ARGS_MAX = 16 };

static char *bitcoind, *dir;

static struct deadline
soon(void)
{
	return deadline_in_ms(PATIENCE_MS);
}

static void
must(int err, const struct diag *diag)
{
	if (err)
		fail_msg("%s", diag->text);
}

/* A running trace, whose output goes to files. */
struct trace {
	pid_t pid;
	char out[PATH_MAX], err[PATH_MAX];
};

static char *
read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	struct buf text;
	char chunk[4096];
	size_t n;

	assert_non_null(file);
	buf_init(&text, 64 << 20);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&text, chunk, n);
	fclose(file);
	return buf_take(&text);
}

static void
wait_for_text(const struct trace *trace, const char *want)
{
	struct deadline deadline = soon();

	for (;;) {
		char *text = read_file(trace->err);
		bool found = strstr(text, want) != NULL, ended = waitpid(trace->pid, NULL, WNOHANG) != 0;

		if (!found && (ended || deadline_has_passed(deadline)))
			fail_msg("'%s' did not appear: %s", want, text);
		free(text);
		if (found)
			return;
		clock_pause_ms(10, deadline);
	}
}

static void
start_trace(struct trace *trace, const char *name, const char *const *more)
{
	const char *args[ARGS_MAX] = {"tpcheck", "trace", "--format=json"};
	size_t cnt = 3;

	snprintf(trace->out, sizeof(trace->out), "%s/%s.out", dir, name);
	snprintf(trace->err, sizeof(trace->err), "%s/%s.err", dir, name);
	while (*more)
		args[cnt++] = *more++;
	int out = open(trace->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = open(trace->err, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(out >= 0 && err >= 0);
	pid_t parent = getpid();
	trace->pid = fork();
	assert_true(trace->pid >= 0);
	if (!trace->pid) {
		signals_end_with(parent);
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		execv(TPCHECK, (char *const *)(uintptr_t)args);
		_exit(99);
	}
	close(out);
	close(err);
}

/* Ends the trace, and parses its lines; the caller frees them with free_lines. */
static struct json **
end_trace(struct trace *trace, size_t *cnt)
{
	struct json **lines = NULL;
	int status;
	struct diag diag;

	*cnt = 0;
	kill(trace->pid, SIGINT);
	assert_int_equal(waitpid(trace->pid, &status, 0), trace->pid);
	char *text = read_file(trace->out), *errors = read_file(trace->err);
	if (!WIFEXITED(status) || WEXITSTATUS(status) || !strstr(errors, "none lost"))
		fail_msg("the trace ended with status 0x%x: %s", (unsigned)status, errors);
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		lines = xreallocarray(lines, *cnt + 1, sizeof(*lines));
		must(json_parse(&lines[(*cnt)++], line, (size_t)(end - line), &diag), &diag);
	}
	free(text);
	free(errors);
	unlink(trace->out);
	unlink(trace->err);
	return lines;
}

static void
free_lines(struct json **lines, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		json_free(lines[i]);
	free(lines);
}

static bool
is_event_of(const struct json *line, const char *tracepoint)
{
	return !strcmp(json_string(json_get(line, "tracepoint")), tracepoint);
}

static uint64_t
number(const struct json *line, const char *arg)
{
	uint64_t n = 0;

	if (!json_u64(json_get(json_get(line, "args"), arg), &n))
		fail_msg("%s is not a number", arg);
	return n;
}

static const char *
text(const struct json *line, const char *arg)
{
	const char *s = json_string(json_get(json_get(line, "args"), arg));

	if (!s)
		fail_msg("%s is not a string", arg);
	return s;
}

static struct node *
start_node(bool listen, const char *const *args)
{
	struct node_opts opts = {
		.bitcoind = bitcoind, .listen = listen, .args = args, .parent_dir = test_tmp()};
	struct node *node;
	struct diag diag;

	must(node_start(&node, &opts, &diag), &diag);
	must(node_wait_ready(node, soon(), &diag), &diag);
	return node;
}

static void
generate(struct node *node, unsigned cnt)
{
	struct diag diag;

	must(chain_generate(node, soon(), cnt, script_p2wsh_op_true, sizeof(script_p2wsh_op_true), &diag),
	     &diag);
}

static uint64_t
wall_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Compares every block's hash, height and coinbase with RPC. */
static void
assert_blocks(struct node *node, struct json **lines, size_t cnt, uint64_t from_height, uint64_t to_height)
{
	uint64_t height = from_height;
	struct json *answer;
	struct diag diag;
	const char *coinbase = NULL;

	for (size_t i = 0; i < cnt; i++) {
		if (is_event_of(lines[i], "utxocache:add"))
			coinbase = text(lines[i], "txid");
		if (!is_event_of(lines[i], "validation:block_connected"))
			continue;
		must(node_call(node, soon(), &answer, &diag, "getblock", "[\"%s\"]", text(lines[i], "hash")),
		     &diag);
		uint64_t want = 0;
		assert_true(json_u64(json_get(answer, "height"), &want));
		assert_int_equal(want, height);
		assert_int_equal(number(lines[i], "height"), height);
		assert_int_equal(number(lines[i], "transactions"), 1);
		assert_non_null(coinbase);
		assert_string_equal(json_string(json_at(json_get(answer, "tx"), 0)), coinbase);
		json_free(answer);
		height++;
	}
	assert_int_equal(height, to_height + 1);
}

static void
test_blocks_match_rpc(void **state)
{
	struct node *node = start_node(false, NULL);
	uint64_t before = wall_clock_ns(), last = 0;
	struct trace trace;
	char pid[32];
	size_t cnt;

	(void)state;
	snprintf(pid, sizeof(pid), "--pid=%d", (int)node_pid(node));
	start_trace(&trace, "blocks", (const char *const[]){pid, "utxocache:add", "validation:*", NULL});
	wait_for_text(&trace, "attached to 2 tracepoints");
	generate(node, 25);
	struct json **lines = end_trace(&trace, &cnt);
	uint64_t after = wall_clock_ns();
	assert_blocks(node, lines, cnt, 1, 25);
	for (size_t i = 0; i < cnt; i++) {
		uint64_t time_ns = 0, process = 0;

		assert_true(json_u64(json_get(lines[i], "time_ns"), &time_ns));
		assert_true(time_ns > before && time_ns < after && time_ns >= last);
		last = time_ns;
		assert_true(json_u64(json_get(lines[i], "pid"), &process));
		assert_int_equal(process, node_pid(node));
		if (is_event_of(lines[i], "utxocache:add"))
			assert_int_equal(number(lines[i], "value"), 5000000000);
		else
			assert_true(number(lines[i], "duration") > 1000);
	}
	free_lines(lines, cnt);
	node_free(node);
}

/* Every message that the peer sent and received, byte by byte. */
static void
test_messages_match_the_peer(void **state)
{
	struct node *node = start_node(true, NULL);
	struct p2p_peer *peer;
	struct trace trace;
	struct diag diag;
	char pid[32];
	size_t cnt, next = 0, seen[2] = {0};

	(void)state;
	snprintf(pid, sizeof(pid), "--pid=%d", (int)node_pid(node));
	start_trace(&trace, "messages", (const char *const[]){pid, "--payload=32768", "net:*", NULL});
	wait_for_text(&trace, "attached to");
	must(p2p_connect(&peer, node, NULL, NULL, soon(), &diag), &diag);
	must(p2p_handshake(peer, NULL, soon(), &diag), &diag);
	must(p2p_settle(peer, soon(), &diag), &diag);
	must(p2p_sync(peer, soon(), &diag), &diag);
	p2p_close(peer);
	must(p2p_wait_closed(peer, soon(), &diag), &diag);
	struct json **lines = end_trace(&trace, &cnt);
	/* Each direction is in order; the tracepoint shows the direction. */
	for (int d = 0; d < 2; d++) {
		enum p2p_direction direction = d ? P2P_RECEIVED : P2P_SENT;

		next = 0;
		for (size_t i = 0; i < cnt; i++) {
			if (!is_event_of(lines[i], d ? "net:outbound_message" : "net:inbound_message"))
				continue;
			while (next < p2p_cnt(peer) && p2p_at(peer, next).direction != direction)
				next++;
			if (next == p2p_cnt(peer))
				fail_msg("message %zu was not in the transcript", i);
			struct p2p_message message = p2p_at(peer, next++);
			char *hex = xmalloc(2 * message.size + 1);

			format_hex(message.payload, message.size, hex);
			assert_string_equal(text(lines[i], "message_type"), message.type);
			assert_int_equal(number(lines[i], "size"), message.size);
			assert_string_equal(text(lines[i], "payload"), hex);
			assert_string_equal(text(lines[i], "address"), p2p_address(peer));
			assert_string_equal(text(lines[i], "connection_type"), "inbound");
			free(hex);
			seen[d]++;
		}
		for (; next < p2p_cnt(peer); next++)
			assert_int_not_equal(p2p_at(peer, next).direction, direction);
	}
	assert_true(seen[0] >= 3 && seen[1] >= 3);
	assert_true(is_event_of(lines[0], "net:inbound_connection"));
	assert_string_equal(text(lines[0], "address"), p2p_address(peer));
	free_lines(lines, cnt);
	p2p_free(peer);
	node_free(node);
}

/* Restarts, followed through the PID file that bitcoind itself writes. */
static void
test_restarts_are_followed(void **state)
{
	struct node *node = start_node(false, NULL);
	struct trace trace;
	struct diag diag;
	char *file = xasprintf("--pid-file=%s/regtest/bitcoind.pid", node_datadir(node)), pid[64];
	size_t cnt;

	(void)state;
	start_trace(&trace, "restart", (const char *const[]){file, "utxocache:add", "validation:*", NULL});
	wait_for_text(&trace, "attached to 2 tracepoints");
	generate(node, 3);
	for (unsigned i = 0; i < 2; i++) {
		must(node_stop(node, soon(), &diag), &diag);
		wait_for_text(&trace, "ended; waiting for a new PID");
		must(node_restart(node, NULL, &diag), &diag);
		must(node_wait_ready(node, soon(), &diag), &diag);
		snprintf(pid, sizeof(pid), "of process %d\n", (int)node_pid(node));
		wait_for_text(&trace, pid);
		generate(node, 3);
	}
	struct json **lines = end_trace(&trace, &cnt);
	assert_blocks(node, lines, cnt, 1, 9);
	free_lines(lines, cnt);
	free(file);
	node_free(node);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_match_rpc),
		cmocka_unit_test(test_messages_match_the_peer),
		cmocka_unit_test(test_restarts_are_followed),
	};
	const struct node_search search = {.bitcoind_env = getenv("BITCOIND"), .path_env = getenv("PATH")};
	struct diag diag;
	char reason[600];

	if (node_find_bitcoind(&search, &bitcoind, &diag)) {
		printf("SKIP: %s\n", diag.text);
		return 77;
	}
	if (probe_find_early_obstacle(PROBE_METHOD_AUTO, reason, sizeof(reason)) ||
	    probe_find_obstacle(PROBE_METHOD_AUTO, reason, sizeof(reason))) {
		printf("SKIP: %s\n", reason);
		return 77;
	}
	dir = test_make_dir();
	char *copy = dir ? test_copy_program(bitcoind, dir) : NULL;
	if (!copy)
		return 99;
	free(bitcoind);
	bitcoind = copy;
	int code = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(bitcoind);
	rmdir(dir);
	free(dir);
	free(bitcoind);
	return code;
}

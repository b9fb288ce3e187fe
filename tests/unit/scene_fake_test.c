/* What scenes wait for and ask, from a node that answers strangely. */
#include "fake_node.h"
#include "scene/clean.h"
#include "scene/coins.h"
#include "scene/connections.h"
#include "scene/log.h"
#include "scene/pair.h"
#include "scene/peers.h"
#include "scene/pool.h"
#include "slowness.h"
#include "surroundings.h"

#include "base/buf.h"
#include "base/xmem.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *work;
static struct node *node;

static struct scene
start(const char *answers, unsigned timeout_ms)
{
	struct diag diag = {0};
	char *script = xasprintf("%s/fake", work);

	assert_true(fake_node_make(script, answers));
	int err = node_start(&node, &(struct node_opts){.bitcoind = script, .parent_dir = work}, &diag);
	if (!err)
		err = node_wait_ready(node, deadline_in_ms(UINT64_C(60000) * test_slowness()), &diag);
	if (err)
		fail_msg("%s", diag.text);
	free(script);
	return (struct scene){.node = node,
			      .deadline = deadline_in_ms((uint64_t)timeout_ms * test_slowness())};
}

static void
end(struct scene *scene)
{
	scene_release(scene);
	node_free(node);
	node = NULL;
}

static void
assert_fails(const struct scene *scene, int err, const char *text)
{
	if (scene->err != err || (err && !strstr(scene->diag.text, text)))
		fail_msg("%d: %s", scene->err, scene->err ? scene->diag.text : "");
}

static void
test_words_in_the_log(void **state)
{
	(void)state;
	struct scene scene = start("log these are the words\n", 60000);
	log_wait(&scene, "the words", 60000);
	assert_fails(&scene, 0, NULL);
	/* That it did not come soon is no failure. */
	log_wait(&scene, "other words", 50);
	assert_fails(&scene, 0, NULL);
	scene.deadline = deadline_in_ms(50);
	log_wait(&scene, "other words", 60000);
	assert_fails(&scene, -ETIMEDOUT, "log: 'other words' was not logged in time");
	end(&scene);

	scene = start("log these are the words\n", 60000);
	struct diag diag;
	assert_int_equal(node_signal(node, SIGKILL, &diag), 0);
	struct deadline deadline = deadline_in_ms(UINT64_C(10000) * test_slowness());
	while (node_is_alive(node) && !deadline_has_passed(deadline))
		clock_pause_ms(1, deadline);
	log_wait(&scene, "the words", 60000);
	assert_fails(&scene, 0, NULL);
	log_wait(&scene, "other words", 60000);
	assert_fails(&scene, -ECHILD, "log: 'other words' was not logged");
	end(&scene);
}

static void
test_number_of_connections(void **state)
{
	(void)state;
	struct scene scene =
		start("getconnectioncount 2\ngetconnectioncount 1\ngetconnectioncount 0\n", 60000);
	connections_wait_none(&scene);
	assert_fails(&scene, 0, NULL);
	end(&scene);

	scene = start("getconnectioncount 2\ngetconnectioncount 1\n", 300);
	connections_wait_none(&scene);
	assert_fails(&scene, -ETIMEDOUT, "waiting for 0 connections, there were 1 last: ");
	end(&scene);

	scene = start("getconnectioncount \"none\"\n", 60000);
	connections_wait_none(&scene);
	assert_fails(&scene, -EBADMSG, "getconnectioncount did not return a number");
	assert_null(strstr(scene.diag.text, "waiting"));
	end(&scene);

	/* No peer of a scenario is left for the next one. */
	scene = start("getconnectioncount 1\nsetmocktime null\n", 300);
	connections_end(&scene, NULL, 0);
	assert_fails(&scene, -ETIMEDOUT, "waiting for 0 connections, there were 1 last: ");
	end(&scene);

	int64_t inbound, outbound;
	scene = start("getnetworkinfo {\"version\": 310000, \"subversion\": \"\"}\n"
		      "getnetworkinfo {\"connections_in\": 3, \"connections_out\": 5}\n"
		      "getnetworkinfo {\"connections_in\": 3}\n",
		      60000);
	connections_cnt(&scene, &inbound, &outbound);
	assert_fails(&scene, 0, NULL);
	assert_true(inbound == 3 && outbound == 5);
	connections_cnt(&scene, &inbound, &outbound);
	assert_fails(&scene, -EBADMSG, "getnetworkinfo lacks the number of connections");
	end(&scene);
}

static void
test_limit_of_connections(void **state)
{
	(void)state;
	struct scene scene =
		start("log Using at most 269 automatic connections (1024 file descriptors)\n", 60000);
	connections_check_limit(&scene);
	assert_true(scene_is_skipped(&scene));
	end(&scene);

	scene = start("log Using at most 270 automatic connections (1024 file descriptors)\n", 60000);
	connections_check_limit(&scene);
	assert_fails(&scene, 0, NULL);
	end(&scene);

	scene = start("log Using at most\n", 60000);
	connections_check_limit(&scene);
	assert_fails(&scene, 0, NULL);
	end(&scene);
}

/* A node that computes is stopped for a moment (node/idle.h): nothing may be asked meanwhile. */
static void
test_start_that_takes_a_while(void **state)
{
	(void)state;
	struct buf answers;

	buf_init(&answers, 1 << 16);
	for (int i = 0; i < 60; i++)
		assert_true(buf_puts(&answers, "getmempoolinfo {\"loaded\": false}\n"));
	assert_true(buf_puts(&answers, "getmempoolinfo {\"loaded\": true}\n"));
	char *text = buf_take(&answers);
	struct scene scene = start(text, 60000);
	end(&scene);
	free(text);
}

/* The size of the next block of a file, and its number of coinbase outputs; *at moves on. */
static size_t
next_block(const struct buf *file, size_t *at, unsigned *outputs)
{
	/* The header, one transaction with its version and one input: 80 + 1 + 4 + 1 + 36 bytes. */
	static const uint8_t magic[] = {0xfa, 0xbf, 0xb5, 0xda};
	const uint8_t *bytes = (const uint8_t *)file->data + *at;
	size_t sz;

	assert_true(*at + 8 + 122 < file->len);
	assert_memory_equal(bytes, magic, sizeof(magic));
	sz = bytes[4] | (size_t)bytes[5] << 8 | (size_t)bytes[6] << 16 | (size_t)bytes[7] << 24;
	const uint8_t *script_sz = bytes + 8 + 122;
	*outputs = script_sz[1 + *script_sz + 4];
	*at += 8 + sz;
	return sz;
}

/* Odd coins in the first blocks, then perhaps one large block; as many blocks as the profile says. */
static void
test_first_blocks(void **state)
{
	static const struct profile profiles[] = {
		{.name = "short"}, {.name = "long", .tip = ODD_BLOCKS + 5, .filler_bytes = 40000}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const size_t want = i ? ODD_BLOCKS + 5 : ODD_BLOCKS;
		unsigned outputs;
		struct diag diag;
		struct buf file;
		size_t at = 0;

		buf_init(&file, 1 << 20);
		assert_int_equal(coins_start_chain(&profiles[i], &file, &diag), 0);
		for (size_t height = 1; height <= want; height++) {
			const bool is_large = height == ODD_BLOCKS + 1;

			const size_t sz = next_block(&file, &at, &outputs);

			assert_true((sz > 40000) == is_large);
			assert_int_equal(outputs, height <= ODD_BLOCKS ? 1 + ODD_COINS : is_large ? 2 : 1);
		}
		assert_int_equal(at, file.len);
		buf_fini(&file);
		buf_init(&file, 1000);
		assert_int_equal(coins_start_chain(&profiles[i], &file, &diag), -EMSGSIZE);
		buf_fini(&file);
	}
}

static void
test_blocks_that_were_not_imported(void **state)
{
	static const struct profile profile = {.name = "long", .tip = 200};
	static const char answers[] =
		"getbestblockhash \"000000000000000000000000000000000000000000000000000000000000002a\"\n"
		"getblockheader {\"hash\": \"000000000000000000000000000000000000000000000000000000000000002a\", "
		"\"height\": 199, \"time\": 1, \"mediantime\": 1, \"bits\": \"207fffff\"}\n";

	(void)state;
	struct scene scene = start(answers, 60000);
	coins_require_chain(&scene, &profile);
	assert_fails(&scene, -EBADMSG, "coins: bitcoind has imported 199 of its first 200 blocks");
	end(&scene);
}

/* Bitcoin Core's HTTP server ends when it wakes up next. */
static void
test_stop_of_a_sleepy_node(void **state)
{
	struct diag diag = {0};

	(void)state;
	struct scene scene = start("stop \"stopping\"\n", 60000);
	int err = node_stop(node, deadline_in_ms(20000), &diag);
	if (err)
		fail_msg("%s", diag.text);
	end(&scene);
}

/* Up to v25 a rejection is an error, and success has no message. */
static void
test_submitted_packages(void **state)
{
	static const struct {
		const char *answer;
		bool accepted;
		const char *complaint; /* NULL: none */
	} cases[] = {
		{"{\"package_msg\": \"success\"}", true, NULL},
		{"{\"package_msg\": \"success\"}", false, "want a rejection, got 'success'"},
		{"{\"package_msg\": \"transaction failed\"}", false, NULL},
		{"{\"package_msg\": \"transaction failed\"}", true,
		 "want 'success', got 'transaction failed'"},
		{"{}", true, NULL},
		{"{}", false, "want a rejection, got 'no message'"},
		{"error {\"code\": -25, \"message\": \"too low\"}", false, NULL},
		{"error {\"code\": -25, \"message\": \"too low\"}", true, "too low"},
	};
	enum { CASES = sizeof(cases) / sizeof(cases[0]) };
	struct pool_tx ptx = {.name = "one"}, *ptxs[] = {&ptx};
	struct buf answers;

	(void)state;
	buf_init(&answers, 4096);
	for (int i = 0; i < CASES; i++)
		buf_printf(&answers, "submitpackage %s\n", cases[i].answer);
	struct scene scene = start(answers.data, 60000);
	buf_fini(&answers);
	tx_init(&ptx.tx);
	for (int i = 0; i < CASES; i++) {
		const char *complaint = cases[i].complaint;

		pool_submit_package(&scene, ptxs, 1, cases[i].accepted);
		if (complaint ? !scene.err || !strstr(scene.diag.text, complaint) : scene.err)
			fail_msg("%s: %d, %s", cases[i].answer, scene.err, scene.err ? scene.diag.text : "");
		scene.err = 0;
	}
	tx_fini(&ptx.tx);
	end(&scene);
}

/* The answers until both are connected, until both have answered, and until they are asked to part. An error ends what
 * would otherwise wait for the deadline. */
#define NO_ANSWER "error {\"code\": -1, \"message\": \"\"}\n"
#define CALLED    "addnode null\ngetconnectioncount 1\ngetconnectioncount 1\ngetconnectioncount " NO_ANSWER
#define ANSWERED  CALLED "ping null\ngetpeerinfo [{\"pingtime\": 0.001}]\n"
#define PARTED    ANSWERED "disconnectnode null\n"

static void
warm_pair(struct scene *scene)
{
	profile_pair.warm(scene);
}

static void
connect_pair(struct scene *scene)
{
	struct pair pair;

	pair_connect(scene, &pair, false);
}

static void
disconnect_pair(struct scene *scene)
{
	struct pair pair = {.peer.address = "127.0.0.1:1", .address = "127.0.0.1:2"};

	pair_disconnect(scene, &pair);
}

/* What is waited for stands before an error that ended the waiting, once, and before no earlier one. */
static void
test_what_was_waited_for(void **state)
{
	static const struct {
		void (*step)(struct scene *scene);
		const char *answers, *waiting; /* NULL: it has failed before */
	} cases[] = {
		{warm_pair, "getconnectioncount 2\n", NULL},
		{warm_pair, "addnode null\ngetconnectioncount 2\ngetconnectioncount " NO_ANSWER,
		 "waiting until there are 1 connections: "},
		{warm_pair, "addnode null\n", "waiting until there are 1 connections: "},
		{warm_pair, CALLED, NULL},
		{warm_pair, CALLED "ping null\ngetpeerinfo [{}]\ngetpeerinfo " NO_ANSWER,
		 "waiting for the answer to a ping: "},
		{warm_pair, CALLED "ping null\n", "waiting for the answer to a ping: "},
		{warm_pair, ANSWERED, NULL},
		{warm_pair, PARTED, "waiting until there are 0 connections: "},
		{connect_pair, "getpeerinfo []\n", NULL},
		{connect_pair, "addnode null\ngetpeerinfo []\ngetpeerinfo " NO_ANSWER,
		 "waiting for a connection by the v2 transport: "},
		{connect_pair, "addnode null\n", "waiting for a connection by the v2 transport: "},
		{disconnect_pair, "getconnectioncount 2\n", NULL},
		{pair_wait_tip, "", "waiting until both nodes have the same tip: "},
		{pair_wait_tip, "getbestblockhash \"a\"\ngetbestblockhash " NO_ANSWER,
		 "waiting until both nodes have the same tip: "},
		{clean_require, "getconnectioncount 2\n", NULL},
		{clean_require, "setmocktime null\ngetconnectioncount 2\ngetconnectioncount " NO_ANSWER,
		 "waiting until no peer is connected: "},
		{clean_require, "setmocktime null\ngetconnectioncount 0\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int has_failed = 0; has_failed <= 1; has_failed++) {
			const char *waiting = has_failed ? NULL : cases[i].waiting;
			struct scene scene = start(cases[i].answers, 60000);
			struct coin_pool coins = {0};

			scene.partner = node;
			scene.coins = &coins;
			if (has_failed)
				scene_fail(&scene, -ECHILD, "the node has ended");
			cases[i].step(&scene);
			const char *text = scene.err ? scene.diag.text : "no error";
			const char *found = strstr(text, "waiting");
			if (!scene.err ||
			    (waiting ? strncmp(text, waiting, strlen(waiting)) != 0 : found != NULL) ||
			    (found && strstr(found + 1, "waiting")))
				fail_msg("%zu: %s", i, text);
			if (has_failed)
				assert_string_equal(text, "the node has ended");
			end(&scene);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_that_takes_a_while),
		cmocka_unit_test(test_words_in_the_log),
		cmocka_unit_test(test_number_of_connections),
		cmocka_unit_test(test_limit_of_connections),
		cmocka_unit_test(test_first_blocks),
		cmocka_unit_test(test_stop_of_a_sleepy_node),
		cmocka_unit_test(test_blocks_that_were_not_imported),
		cmocka_unit_test(test_submitted_packages),
		cmocka_unit_test(test_what_was_waited_for),
	};

	work = test_make_dir();
	if (!work)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char *remove = xasprintf("rm -r '%s'", work);
	failed += system(remove) != 0;
	free(remove);
	free(work);
	return failed;
}

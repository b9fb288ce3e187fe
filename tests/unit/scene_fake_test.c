/* What scenes wait for and ask, from a node that answers strangely. */
#include "fake_node.h"
#include "scene/connections.h"
#include "scene/log.h"
#include "scene/peers.h"
#include "surroundings.h"

#include "base/buf.h"
#include "base/xmem.h"

#include <errno.h>
#include <setjmp.h>
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
		err = node_wait_ready(node, deadline_in_ms(60000), &diag);
	if (err)
		fail_msg("%s", diag.text);
	free(script);
	return (struct scene){.node = node, .deadline = deadline_in_ms(timeout_ms)};
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
	struct deadline deadline = deadline_in_ms(10000);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_that_takes_a_while),
		cmocka_unit_test(test_words_in_the_log),
		cmocka_unit_test(test_number_of_connections),
		cmocka_unit_test(test_limit_of_connections),
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

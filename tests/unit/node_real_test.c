/* The node layer with a real bitcoind: $BITCOIND or the one in PATH. */
#include "base/text.h"
#include "base/xmem.h"
#include "node/block.h"
#include "node/chain.h"
#include "node/node.h"
#include "node/script.h"
#include "node/tx.h"
#include "surroundings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define check(call, diag)                                                                                    \
	do {                                                                                                 \
		if ((call) != 0)                                                                             \
			fail_msg("%s", (diag).text);                                                         \
	} while (0)

static char *bitcoind;

static struct deadline
soon(void)
{
	return deadline_in_ms(30000);
}

static struct node *
start_ready(const struct node_opts *opts)
{
	struct node_opts here = *opts;
	struct diag diag = {0};
	struct node *node;

	here.parent_dir = test_tmp();
	check(node_start(&node, &here, &diag), diag);
	check(node_wait_ready(node, soon(), &diag), diag);
	return node;
}

static void
assert_gone(const char *path, pid_t pid)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

/* The value of a line of /proc/PID/status. */
static void
proc_status(pid_t pid, const char *name, char *value, size_t size)
{
	char path[64], line[256];

	*value = '\0';
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			snprintf(value, size, "%s",
				 line + strlen(name) + 1 + strspn(line + strlen(name) + 1, "\t "));
	value[strcspn(value, "\n")] = '\0';
	fclose(file);
}

static void
assert_unprivileged(struct node *node)
{
	char value[256], want[64];
	static const char *const caps[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
	struct stat st;

	/* The datadir belongs to bitcoind's user. */
	assert_int_equal(stat(node_datadir(node), &st), 0);
	if (geteuid() == 0)
		assert_int_not_equal(st.st_uid, 0);
	snprintf(want, sizeof(want), "%u\t%u\t%u\t%u", st.st_uid, st.st_uid, st.st_uid, st.st_uid);
	proc_status(node_pid(node), "Uid", value, sizeof(value));
	assert_string_equal(value, want);
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		proc_status(node_pid(node), caps[i], value, sizeof(value));
		assert_string_equal(value, "0000000000000000");
	}
	proc_status(node_pid(node), "NoNewPrivs", value, sizeof(value));
	assert_string_equal(value, "1");
	proc_status(node_pid(node), "SigBlk", value, sizeof(value));
	assert_string_equal(value, "0000000000000000");
	if (geteuid() == 0) {
		proc_status(node_pid(node), "Groups", value, sizeof(value));
		assert_int_equal(strspn(value, " "), strlen(value));
	}
}

/* bitcoind must not have the file that our descriptor is open on. */
static void
assert_not_inherited(struct node *node, int inheritable)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", inheritable);
	assert_true(readlink(path, target, sizeof(target) - 1) > 0);
	for (int fd = 0; fd < 256; fd++) {
		char got[64] = "";

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)node_pid(node), fd);
		if (readlink(path, got, sizeof(got) - 1) > 0)
			assert_string_not_equal(got, target);
	}
}

static void
assert_rpc_errors(struct node *node)
{
	struct diag diag = {0};
	struct json *result;

	assert_int_equal(node_call(node, soon(), &result, &diag, "nosuchmethod", "[]"), -EREMOTEIO);
	assert_int_equal(node_rpc_code(node), -32601);
	assert_null(result);
	assert_string_equal(diag.text, "node: rpc 'nosuchmethod' failed: Method not found (code -32601)");
	assert_int_equal(node_call(node, soon(), NULL, &diag, "getblockhash", "[\"%s\"]", "x"), -EREMOTEIO);
	assert_int_equal(node_call(node, soon(), NULL, &diag, "getblockhash", "[%d]", 99), -EREMOTEIO);
	assert_int_equal(node_rpc_code(node), -8);
	assert_int_equal(node_call(node, soon(), NULL, &diag, "getblockcount", NULL), 0);
	assert_int_equal(node_rpc_code(node), 0);
	assert_int_equal(node_call(node, deadline_in_ms(100), NULL, &diag, "waitfornewblock", "[0]"),
			 -ETIMEDOUT);
}

/* Sends a transaction that spends the first coinbase, with a fee of 10000 sat; bitcoind must see it as we do. */
static void
send_tx(struct node *node, struct tx *tx)
{
	uint8_t txid_wire[32], wtxid_wire[32], got_wire[32];
	struct diag diag = {0};
	struct chain_coin coin;
	struct json *result;
	char txid_hex[65];
	int64_t n;

	check(chain_generate(node, soon(), 101, script_p2wsh_op_true, SCRIPT_P2WSH_SZ, &diag), diag);
	check(chain_coinbase(node, soon(), 1, &coin, &diag), diag);
	assert_int_equal(coin.value_sat, 5000000000);
	assert_int_equal(coin.height, 1);
	tx_init(tx);
	tx_add_input_op_true(tx, coin.txid_wire, coin.idx, TX_SEQUENCE_RBF);
	tx_add_output(tx, 4999990000, script_p2wsh_op_true, SCRIPT_P2WSH_SZ);
	check(chain_send(node, soon(), tx, &diag), diag);
	tx_txid(tx, txid_wire);
	format_hash(txid_wire, txid_hex);
	check(node_call(node, soon(), &result, &diag, "getmempoolentry", "[\"%s\"]", txid_hex), diag);
	assert_true(json_i64(json_get(result, "vsize"), &n));
	assert_int_equal(n, tx_vsize(tx));
	assert_true(json_i64(json_get(result, "weight"), &n));
	assert_int_equal(n, tx_weight(tx));
	assert_true(json_sat(json_get(json_get(result, "fees"), "base"), &n));
	assert_int_equal(n, 10000);
	const char *wtxid_hex = json_string(json_get(result, "wtxid"));
	tx_wtxid(tx, wtxid_wire);
	assert_true(wtxid_hex && parse_hash(wtxid_hex, got_wire));
	assert_memory_equal(got_wire, wtxid_wire, 32);
	json_free(result);
}

/* A finished block with the transaction, whose coinbase pays value_sat. */
static void
make_block(struct block *block, const struct block_draft *draft, const struct tx *tx, int64_t value_sat)
{
	struct diag diag = {0};

	block_init(block, draft);
	block_add_output(block, value_sat, script_p2wsh_op_true, SCRIPT_P2WSH_SZ);
	block_add_tx(block, tx);
	check(block_finish(block, &diag), diag);
}

/* The header and the count of transactions weigh four units a byte. */
static int64_t
weight_of(const struct block *block)
{
	int64_t weight = 4 * (BLOCK_HEADER_SZ + 1);

	assert_true(block->txs_cnt < 0xfd);
	for (size_t i = 0; i < block->txs_cnt; i++)
		weight += (int64_t)tx_weight(&block->txs[i]);
	return weight;
}

/* Submits a block with the transaction, after one that pays too much. */
static void
submit_blocks(struct node *node, const struct tx *tx, struct chain_tip *tip)
{
	struct block_draft draft;
	struct diag diag = {0};
	struct block block;
	struct json *result;
	char hash_hex[65], *reason;
	int64_t n;

	check(chain_draft(node, soon(), &draft, &diag), diag);
	assert_int_equal(draft.height, 102);
	assert_int_equal(draft.bits, 0x207fffff);
	make_block(&block, &draft, tx, 5000010001);
	check(chain_submit(node, soon(), &block, &reason, &diag), diag);
	assert_non_null(reason);
	assert_string_equal(reason, "bad-cb-amount");
	free(reason);
	assert_int_equal(chain_submit(node, soon(), &block, NULL, &diag), -EREMOTEIO);
	block_fini(&block);

	draft.extra_nonce = 1;
	make_block(&block, &draft, tx, 5000010000);
	check(chain_submit(node, soon(), &block, &reason, &diag), diag);
	assert_null(reason);
	check(chain_tip(node, soon(), tip, &diag), diag);
	assert_int_equal(tip->height, 102);
	assert_memory_equal(tip->hash_wire, block.hash_wire, 32);
	format_hash(block.hash_wire, hash_hex);
	check(node_call(node, soon(), &result, &diag, "getblock", "[\"%s\", 1]", hash_hex), diag);
	assert_true(json_i64(json_get(result, "weight"), &n));
	assert_int_equal(n, weight_of(&block));
	json_free(result);
	block_fini(&block);
}

static void
assert_log_since(struct node *node, uint64_t mark)
{
	struct diag diag = {0};
	struct buf log;

	buf_init(&log, 1 << 24);
	check(node_log_read(node, mark, &log, &diag), diag);
	assert_non_null(strstr(log.data, "UpdateTip"));
	buf_fini(&log);
	buf_init(&log, 10);
	check(node_log_read(node, mark, &log, &diag), diag);
	assert_int_equal(log.len, 10);
	assert_true(log.overflow);
	buf_fini(&log);
}

/* Stops the node and starts it again: the same ports, the same tip. */
static void
restart(struct node *node, const struct chain_tip *tip)
{
	struct diag diag = {0};
	struct chain_tip again;
	pid_t first = node_pid(node);

	assert_int_equal(node_restart(node, NULL, &diag), -EBUSY);
	uint64_t start_ns = clock_now_ns();
	check(node_stop(node, soon(), &diag), diag);
	print_message("stop: %.0f ms\n", (double)(clock_now_ns() - start_ns) / 1e6);
	assert_false(node_is_alive(node));
	assert_int_equal(node_stop(node, soon(), &diag), -ECHILD);
	assert_int_equal(node_call(node, soon(), NULL, &diag, "getblockcount", "[]"), -ECHILD);
	assert_non_null(strstr(diag.text, "exited with status 0"));
	uint16_t port = node_rpc_port(node);
	check(node_restart(node, (const char *const[]){"-blocksonly=1", NULL}, &diag), diag);
	check(node_wait_ready(node, soon(), &diag), diag);
	assert_int_equal(node_rpc_port(node), port);
	assert_int_not_equal(node_pid(node), first);
	check(chain_tip(node, soon(), &again, &diag), diag);
	assert_memory_equal(again.hash_wire, tip->hash_wire, 32);
}

/* Held, it has indexed its blocks, but does not connect them before it is released. */
static void
restart_held(struct node *node, const struct chain_tip *tip)
{
	static const char *const args[] = {"-reindex", NULL};
	struct diag diag = {0};
	struct chain_tip again;

	assert_int_equal(node_restart_held(node, args, NODE_HOLD_IMPORT, soon(), &diag), -EBUSY);
	check(node_stop(node, soon(), &diag), diag);
	check(node_restart_held(node, args, NODE_HOLD_IMPORT, soon(), &diag), diag);
	pid_t pid = node_pid(node);
	assert_int_equal(node_wait_ready(node, deadline_in_ms(300), &diag), -ETIMEDOUT);
	if (!chain_tip(node, soon(), &again, &diag))
		assert_int_equal(again.height, 0);
	node_release(node);
	check(node_wait_ready(node, soon(), &diag), diag);
	assert_int_equal(node_pid(node), pid);
	check(chain_tip(node, soon(), &again, &diag), diag);
	assert_memory_equal(again.hash_wire, tip->hash_wire, 32);
	node_release(node); /* does nothing */

	/* The next one is not held; one that is held can be ended. */
	check(node_stop(node, soon(), &diag), diag);
	check(node_restart(node, NULL, &diag), diag);
	check(node_wait_ready(node, soon(), &diag), diag);
	check(node_stop(node, soon(), &diag), diag);
	check(node_restart_held(node, NULL, NODE_HOLD_IMPORT, soon(), &diag), diag);
	check(node_kill(node, &diag), diag);
	assert_int_equal(node_restart_held(node, (const char *const[]){"-nonsense", NULL}, NODE_HOLD_IMPORT,
					   soon(), &diag),
			 -ECHILD);
	check(node_restart(node, (const char *const[]){NULL}, &diag), diag);
	check(node_wait_ready(node, soon(), &diag), diag);
}

static bool
has_log(struct node *node, uint64_t mark, const char *words)
{
	struct diag diag = {0};
	struct buf log;

	buf_init(&log, 1 << 20);
	check(node_log_read(node, mark, &log, &diag), diag);
	bool has = log.data && strstr(log.data, words);
	buf_fini(&log);
	return has;
}

/* Held there, it has not loaded its chain state, and its list of bans is an ordinary file again afterwards. */
static void
restart_held_early(struct node *node)
{
	struct diag diag = {0};
	char *bans = NULL;
	struct stat st;

	assert_true(asprintf(&bans, "%s/regtest/banlist.json", node_datadir(node)) > 0);
	for (int kill_it = 1; kill_it >= 0; kill_it--) {
		check(node_stop(node, soon(), &diag), diag);
		uint64_t mark = node_log_mark(node);
		check(node_restart_held(node, NULL, NODE_HOLD_CHAIN_STATE, soon(), &diag), diag);
		assert_false(has_log(node, mark, "Loaded best chain"));
		if (kill_it) {
			check(node_kill(node, &diag), diag);
			assert_int_equal(stat(bans, &st), -1);
			check(node_restart(node, NULL, &diag), diag);
		} else {
			node_release(node);
		}
		check(node_wait_ready(node, soon(), &diag), diag);
		assert_true(has_log(node, mark, "Loaded best chain"));
		assert_int_equal(stat(bans, &st), 0);
		assert_true(S_ISREG(st.st_mode));
	}
	free(bans);
}

static void
assert_log_can_be_saved(struct node *node, uint64_t least_size)
{
	struct diag diag = {0};
	char *copy = NULL;
	struct stat st;

	assert_true(asprintf(&copy, "%s.log", node_datadir(node)) > 0);
	int fd = open(copy, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	check(node_save_log(node, fd, &diag), diag);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true((uint64_t)st.st_size > least_size);
	unlink(copy);
	free(copy);
	close(fd);
	char *tail = node_log_tail(node, 200);
	assert_non_null(strstr(tail, "Z "));
	free(tail);
	assert_int_equal(node_save_log(node, -1, &diag), -EBADF);
}

static void
test_life(void **state)
{
	unsigned descriptors = test_count_files();
	struct diag diag = {0};
	struct chain_tip tip;
	struct tx tx;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0); /* inheritable on purpose */
	uint64_t start_ns = clock_now_ns();
	struct node *node = start_ready(&(struct node_opts){.bitcoind = bitcoind});
	print_message("start to ready: %.0f ms, %s\n", (double)(clock_now_ns() - start_ns) / 1e6,
		      node_subversion(node));
	assert_true(node_is_alive(node));
	assert_string_equal(node_end_text(node), "");
	assert_true(node_version(node) >= 230000);
	assert_int_equal(node_p2p_port(node), 0);
	assert_unprivileged(node);
	assert_not_inherited(node, fds[0]);
	close(fds[0]);
	close(fds[1]);
	assert_rpc_errors(node);

	start_ns = clock_now_ns();
	for (int i = 0; i < 1000; i++)
		check(node_call(node, soon(), NULL, &diag, "getblockcount", "[]"), diag);
	print_message("a call: %.0f us\n", (double)(clock_now_ns() - start_ns) / 1e6);

	uint64_t mark = node_log_mark(node);
	assert_true(mark > 0);
	send_tx(node, &tx);
	submit_blocks(node, &tx, &tip);
	tx_fini(&tx);
	assert_log_since(node, mark);
	restart(node, &tip);
	restart_held(node, &tip);
	restart_held_early(node);
	assert_log_can_be_saved(node, mark);

	char *datadir = strdup(node_datadir(node));
	pid_t pid = node_pid(node);
	check(node_stop(node, soon(), &diag), diag);
	node_free(node);
	assert_gone(datadir, pid);
	free(datadir);
	assert_int_equal(test_count_files(), descriptors);
}

/* Blocks from height 1 on, without any transaction, and a chain of spends within one block. */
static void
test_own_chain(void **state)
{
	struct diag diag = {0};
	struct block_draft draft;
	struct chain_tip tip;
	struct block block;
	struct tx tx;
	uint8_t txid_wire[32];

	(void)state;
	struct node *node = start_ready(&(struct node_opts){.bitcoind = bitcoind});
	for (uint32_t height = 1; height <= 101; height++) {
		check(chain_draft(node, soon(), &draft, &diag), diag);
		assert_int_equal(draft.height, height);
		block_init(&block, &draft);
		block_add_output(&block, block_regtest_subsidy_sat(height), script_p2wsh_op_true,
				 SCRIPT_P2WSH_SZ);
		check(block_finish(&block, &diag), diag);
		check(chain_submit(node, soon(), &block, NULL, &diag), diag);
		if (height == 1)
			tx_txid(&block.txs[0], txid_wire);
		block_fini(&block);
	}
	check(chain_draft(node, soon(), &draft, &diag), diag);
	block_init(&block, &draft);
	block_add_output(&block, 5000000000, script_p2wsh_op_true, SCRIPT_P2WSH_SZ);
	for (int i = 0; i < 2000; i++) {
		tx_init(&tx);
		tx_add_input_op_true(&tx, txid_wire, 0, TX_SEQUENCE_FINAL);
		tx_add_output(&tx, 5000000000, script_p2wsh_op_true, SCRIPT_P2WSH_SZ);
		tx_txid(&tx, txid_wire);
		block_add_tx(&block, &tx);
		tx_fini(&tx);
	}
	uint64_t start_ns = clock_now_ns();
	check(block_finish(&block, &diag), diag);
	print_message("finishing a block of 2000: %.0f ms\n", (double)(clock_now_ns() - start_ns) / 1e6);
	check(chain_submit(node, soon(), &block, NULL, &diag), diag);
	check(chain_tip(node, soon(), &tip, &diag), diag);
	assert_memory_equal(tip.hash_wire, block.hash_wire, 32);

	/* An answer of several MiB: the block with all its transactions. */
	struct json *result;
	char hash_hex[65];
	format_hash(block.hash_wire, hash_hex);
	check(node_call(node, soon(), &result, &diag, "getblock", "[\"%s\", 2]", hash_hex), diag);
	assert_int_equal(json_cnt(json_get(result, "tx")), 2001);
	json_free(result);
	block_fini(&block);
	node_free(node);
}

static bool
is_started_with(struct node *node, const char *argument)
{
	char path[64], line[8192];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)node_pid(node));
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t len = fread(line, 1, sizeof(line), file);
	fclose(file);
	return memmem(line, len, argument, strlen(argument)) != NULL;
}

/* It has the blocks when it is ready, and does not import them again. */
static void
test_import(void **state)
{
	struct block_draft draft = chain_first_draft((uint32_t)time(NULL) - 60);
	struct diag diag = {0};
	struct chain_tip tip;
	struct block block;
	struct buf blocks;

	(void)state;
	buf_init(&blocks, 1 << 20);
	for (int i = 0; i < 7; i++) {
		block_init(&block, &draft);
		block_add_output(&block, block_regtest_subsidy_sat(draft.height), script_p2wsh_op_true,
				 SCRIPT_P2WSH_SZ);
		check(block_finish(&block, &diag), diag);
		assert_true(chain_add_record(&block, &blocks));
		draft = (struct block_draft){.height = draft.height + 1,
					     .time = draft.time + 1,
					     .bits = draft.bits,
					     .version = draft.version};
		memcpy(draft.prev_hash_wire, block.hash_wire, 32);
		block_fini(&block);
	}
	struct node *node = start_ready(&(struct node_opts){.bitcoind = bitcoind, .blocks = &blocks});
	buf_fini(&blocks);
	check(chain_tip(node, soon(), &tip, &diag), diag);
	assert_int_equal(tip.height, 7);
	assert_memory_equal(tip.hash_wire, draft.prev_hash_wire, 32);
	assert_true(is_started_with(node, "-loadblock"));
	check(node_stop(node, soon(), &diag), diag);
	check(node_restart(node, NULL, &diag), diag);
	check(node_wait_ready(node, soon(), &diag), diag);
	check(chain_tip(node, soon(), &tip, &diag), diag);
	assert_int_equal(tip.height, 7);
	assert_false(is_started_with(node, "-loadblock"));
	node_free(node);
}

static void
test_listen(void **state)
{
	struct diag diag = {0};
	struct json *peers;
	struct node *a = start_ready(&(struct node_opts){.bitcoind = bitcoind, .listen = true});
	struct node *b = start_ready(&(struct node_opts){.bitcoind = bitcoind, .listen = true});

	(void)state;
	assert_int_not_equal(node_p2p_port(a), 0);
	assert_int_not_equal(node_p2p_port(a), node_p2p_port(b));
	check(node_call(b, soon(), NULL, &diag, "addnode", "[\"127.0.0.1:%u\", \"onetry\"]",
			node_p2p_port(a)),
	      diag);
	struct deadline deadline = soon();
	size_t cnt = 0;
	while (!cnt && !deadline_has_passed(deadline)) {
		check(node_call(a, soon(), &peers, &diag, "getpeerinfo", "[]"), diag);
		cnt = json_cnt(peers);
		json_free(peers);
	}
	assert_int_equal(cnt, 1);
	node_free(a);
	node_free(b);
}

/* Nobody outside reaches it, peers have routable addresses, and both are still true after a restart. */
static void
test_own_network(void **state)
{
	const struct node_opts opts = {.bitcoind = bitcoind, .listen = true, .own_network = true};
	struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
	socklen_t len = sizeof(from);
	struct diag diag = {0};
	struct json *peers;
	struct node *node = start_ready(&opts);

	(void)state;
	if (node_network_lack(node, AF_INET)) {
		print_message("%s\n", node_network_lack(node, AF_INET));
		node_free(node);
		skip();
	}
	assert_unprivileged(node);
	assert_int_not_equal(node_onion_port(node), 0);
	assert_int_not_equal(node_onion_port(node), node_p2p_port(node));
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	to.sin_port = htons(node_p2p_port(node));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	close(fd);
	for (int round = 0; round < 2; round++) {
		char want[32];
		size_t cnt = 0;

		fd = node_socket(node, AF_INET, SOCK_STREAM);
		assert_true(fd >= 0);
		assert_int_equal(inet_pton(AF_INET, NODE_IPV4, &from.sin_addr), 1);
		from.sin_port = 0;
		assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
		to.sin_port = htons(node_p2p_port(node));
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
			assert_int_equal(errno, EINPROGRESS);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&from, &len), 0);
		snprintf(want, sizeof(want), NODE_IPV4 ":%u", ntohs(from.sin_port));
		struct deadline deadline = soon();
		while (!cnt && !deadline_has_passed(deadline)) {
			check(node_call(node, soon(), &peers, &diag, "getpeerinfo", "[]"), diag);
			cnt = json_cnt(peers);
			if (cnt)
				assert_string_equal(json_string(json_get(json_at(peers, 0), "addr")), want);
			json_free(peers);
		}
		assert_int_equal(cnt, 1);
		close(fd);
		check(node_stop(node, soon(), &diag), diag);
		check(node_restart(node, NULL, &diag), diag);
		check(node_wait_ready(node, soon(), &diag), diag);
	}
	node_free(node);
}

static void
test_killed_from_outside(void **state)
{
	struct diag diag = {0};
	struct node *node = start_ready(&(struct node_opts){.bitcoind = bitcoind});

	(void)state;
	char *datadir = strdup(node_datadir(node));
	pid_t pid = node_pid(node);
	kill(pid, SIGKILL);
	assert_int_equal(node_call(node, soon(), NULL, &diag, "getblockcount", "[]"), -ECHILD);
	assert_non_null(strstr(diag.text, "was killed by signal 9 (SIGKILL)"));
	assert_non_null(strstr(diag.text, "debug.log:"));
	assert_int_equal(node_signal(node, SIGTERM, &diag), -ESRCH);

	/* It can be restarted despite the old cookie; then it is killed during a call. */
	check(node_restart(node, NULL, &diag), diag);
	check(node_wait_ready(node, soon(), &diag), diag);
	pid = node_pid(node);
	pid_t killer = fork();
	if (killer == 0) {
		/* The call waits by then; if it did not, it would fail in the same way. */
		poll(NULL, 0, 100);
		kill(pid, SIGABRT);
		_exit(0);
	}
	assert_int_equal(node_call(node, soon(), NULL, &diag, "waitfornewblock", "[0]"), -ECHILD);
	assert_non_null(strstr(diag.text, "(SIGABRT)"));
	waitpid(killer, NULL, 0);
	node_free(node);
	assert_gone(datadir, pid);
	free(datadir);
}

static atomic_int interrupted;

static void
on_alarm(int signo)
{
	(void)signo;
	interrupted = 1;
}

static void
test_interrupt(void **state)
{
	struct diag diag = {0};
	struct node *node =
		start_ready(&(struct node_opts){.bitcoind = bitcoind, .interrupted = &interrupted});

	(void)state;
	signal(SIGALRM, on_alarm);
	/* It is noticed soon; a busy machine may need several tries to show it. */
	const struct itimerval timer = {.it_value.tv_usec = 200000};
	struct deadline patience = soon();
	uint64_t took_ms;
	do {
		uint64_t start_ns = clock_now_ns();

		interrupted = 0;
		assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
		assert_int_equal(node_call(node, soon(), NULL, &diag, "waitfornewblock", "[0]"), -EINTR);
		took_ms = (clock_now_ns() - start_ns) / 1000000;
	} while (took_ms >= 500 && !deadline_has_passed(patience));
	assert_in_range(took_ms, 200, 499);
	assert_int_equal(node_wait_ready(node, soon(), &diag), -EINTR);
	assert_int_equal(node_stop(node, soon(), &diag), -EINTR);
	interrupted = 0;
	node_free(node);
}

static void
test_bad_argument(void **state)
{
	struct diag diag = {0};
	struct node *node;

	(void)state;
	check(node_start(&node,
			 &(struct node_opts){.bitcoind = bitcoind,
					     .parent_dir = test_tmp(),
					     .args = (const char *const[]){"-nosuchoption=1", NULL}},
			 &diag),
	      diag);
	assert_int_equal(node_wait_ready(node, soon(), &diag), -ECHILD);
	print_message("%s\n", diag.text);
	assert_non_null(strstr(diag.text, "exited with status 1"));
	assert_non_null(strstr(diag.text, "nosuchoption"));
	node_free(node);
}

/* Arguments that bitcoind may not know. */
static void
test_args_if_known(void **state)
{
	const struct node_opts opts = {
		.bitcoind = bitcoind,
		.args = (const char *const[]){"-debug=net", NULL},
		.args_if_known =
			(const char *const[]){"-nosuchoption=1", "-maxconnections=33", "-neitherthis", NULL},
	};
	struct node *node = start_ready(&opts);
	struct diag diag;
	struct buf log;

	(void)state;
	assert_true(node_has_arg(node, "-maxconnections=33"));
	assert_false(node_has_arg(node, "-nosuchoption=1"));
	assert_false(node_has_arg(node, "-neitherthis"));
	assert_false(node_has_arg(node, "-debug=net"));
	buf_init(&log, 1 << 20);
	check(node_log_read(node, 0, &log, &diag), diag);
	assert_non_null(strstr(log.data, "Command-line arg: maxconnections=\"33\""));
	assert_non_null(strstr(log.data, "Command-line arg: debug=\"net\""));
	buf_fini(&log);
	check(node_stop(node, soon(), &diag), diag);
	check(node_restart(node, NULL, &diag), diag);
	check(node_wait_ready(node, soon(), &diag), diag);
	node_free(node);
}

/* An argument names a port that is taken, so all five starts fail. */
static void
test_port_taken(void **state)
{
	struct diag diag = {0};
	struct node *holder = start_ready(&(struct node_opts){.bitcoind = bitcoind}), *node;
	char arg[32];

	(void)state;
	snprintf(arg, sizeof(arg), "-rpcport=%u", node_rpc_port(holder));
	check(node_start(&node,
			 &(struct node_opts){.bitcoind = bitcoind,
					     .parent_dir = test_tmp(),
					     .args = (const char *const[]){arg, NULL}},
			 &diag),
	      diag);
	pid_t first = node_pid(node);
	assert_int_equal(node_wait_ready(node, soon(), &diag), -ECHILD);
	assert_int_not_equal(node_pid(node), first);
	print_message("%s\n", diag.text);
	/* Once the port is free, the next start succeeds. */
	check(node_stop(holder, soon(), &diag), diag);
	check(node_restart(node, (const char *const[]){NULL}, &diag), diag);
	check(node_wait_ready(node, soon(), &diag), diag);
	node_free(node);
	node_free(holder);
}

/* A script to be started in place of bitcoind; the caller frees the path and removes the file. */
static char *
make_script(const char *text)
{
	char *path = xasprintf("%s/tpcheck-test-XXXXXX", test_tmp());
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "#!/bin/sh\nreal='%s'\n%s", bitcoind, text) > 0);
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	return path;
}

/* A port is taken at the first start and free at the second. */
static void
test_second_start(void **state)
{
	static const char *const texts[] = {
		/* bitcoind ends. */
		"if [ ! -e tried ]; then touch tried; echo 'Error: Unable to bind to 127.0.0.1:1' >&2; exit 1; fi\n"
		"exec \"$real\" \"$@\"\n",
		/* bitcoind goes on without the port. */
		"mkdir -p regtest; for a; do case $a in -bind=*=onion) ;; -bind=*) [ -e tried ] ||\n"
		"echo \"Unable to bind to ${a#-bind=} on this computer\" >> regtest/debug.log;; esac; done\n"
		"touch tried; exec \"$real\" \"$@\"\n",
	};
	struct diag diag = {0};
	struct node *node;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *script = make_script(texts[i]);

		check(node_start(&node,
				 &(struct node_opts){
					 .bitcoind = script, .parent_dir = test_tmp(), .listen = true},
				 &diag),
		      diag);
		pid_t first = node_pid(node);
		uint16_t port = node_p2p_port(node);
		check(node_wait_ready(node, soon(), &diag), diag);
		assert_int_not_equal(node_pid(node), first);
		assert_int_not_equal(node_p2p_port(node), port);
		assert_int_equal(kill(first, 0), -1);
		check(node_stop(node, soon(), &diag), diag);
		node_free(node);
		unlink(script);
		free(script);
	}
}

/* A script that runs bitcoind as a child is rejected, and both end. */
static void
test_wrapped(void **state)
{
	struct diag diag = {0};
	struct node *node;
	char *script = make_script("\"$real\" \"$@\"; exit 5\n"), path[256];
	int pid = 0;

	(void)state;
	check(node_start(&node, &(struct node_opts){.bitcoind = script, .parent_dir = test_tmp()}, &diag),
	      diag);
	assert_int_equal(node_wait_ready(node, soon(), &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "has to exec bitcoind"));
	snprintf(path, sizeof(path), "%s/regtest/bitcoind.pid", node_datadir(node));
	FILE *file = fopen(path, "r");
	assert_true(file && fscanf(file, "%d", &pid) == 1);
	fclose(file);
	assert_int_equal(kill(pid, 0), 0);
	char *datadir = strdup(node_datadir(node));
	node_free(node);
	struct deadline deadline = deadline_in_ms(5000);
	for (char state_char = 0; !deadline_has_passed(deadline) && state_char != 'Z';) {
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		file = fopen(path, "r");
		if (!file)
			break;
		if (fscanf(file, "%*d (%*[^)]) %c", &state_char) != 1)
			state_char = 0;
		fclose(file);
		clock_pause_ms(1, deadline);
	}
	assert_false(deadline_has_passed(deadline));
	struct stat st;
	assert_int_equal(lstat(datadir, &st), -1);
	free(datadir);
	unlink(script);
	free(script);
}

/* Wallets by their names, which may contain anything that a file's name may. */
static void
test_wallets(void **state)
{
	static const char *const names[] = {"a", "a b/c%2f?", "gr\xc3\xb6\xc3\x9f'er &+#"};
	static const char *const args[] = {"-keypool=1", "-unsafesqlitesync=1", NULL};
	struct node *node = start_ready(&(struct node_opts){.bitcoind = bitcoind, .args = args});
	struct json *info;
	struct diag diag;

	(void)state;
	if (node_call(node, soon(), NULL, &diag, "listwallets", "[]")) {
		assert_int_equal(node_rpc_code(node), -32601);
		print_message("not tested: this bitcoind has no wallet\n");
		node_free(node);
		return;
	}
	for (int i = 0; i < 3; i++)
		check(node_call(node, soon(), NULL, &diag, "createwallet", "[\"%s\", true, true]", names[i]),
		      diag);
	for (int i = 0; i < 3; i++) {
		check(node_wallet_call(node, soon(), names[i], &info, &diag, "getwalletinfo", "[]"), diag);
		assert_string_equal(json_string(json_get(info, "walletname")), names[i]);
		json_free(info);
	}
	assert_int_equal(node_wallet_call(node, soon(), "", NULL, &diag, "getwalletinfo", "[]"), -EREMOTEIO);
	assert_int_equal(node_rpc_code(node), -18); /* not loaded */
	assert_int_equal(node_call(node, soon(), NULL, &diag, "getwalletinfo", "[]"), -EREMOTEIO);
	assert_int_equal(node_rpc_code(node), -19); /* wallet not specified */
	node_free(node);
}

int
main(void)
{
	const struct node_search search = {.bitcoind_env = getenv("BITCOIND"), .path_env = getenv("PATH")};
	struct diag diag;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_own_chain),
		cmocka_unit_test(test_import),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_killed_from_outside),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_bad_argument),
		cmocka_unit_test(test_port_taken),
		cmocka_unit_test(test_second_start),
		cmocka_unit_test(test_wrapped),
		cmocka_unit_test(test_own_network),
		cmocka_unit_test(test_args_if_known),
		cmocka_unit_test(test_wallets),
	};

	if (node_find_bitcoind(&search, &bitcoind, &diag)) {
		puts("SKIP: no bitcoind (set BITCOIND)");
		return 77;
	}
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(bitcoind);
	return failed;
}

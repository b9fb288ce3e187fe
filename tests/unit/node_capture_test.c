/* The files in which bitcoind captures messages. */
#include "node/capture.h"
#include "node/node_internal.h"
#include "surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void
add_message(struct buf *bytes, const char *type, uint32_t size, const char *payload)
{
	char padded[12] = "";

	buf_add(bytes, "\1\2\3\4\5\6\7\x08", 8);
	memcpy(padded, type, strnlen(type, 12));
	buf_add(bytes, padded, 12);
	for (int i = 0; i < 4; i++)
		buf_putc(bytes, (char)(size >> 8 * i));
	buf_add(bytes, payload, strlen(payload));
}

static void
assert_message(const struct capture *capture, size_t n, const char *type, const char *payload)
{
	const struct p2p_message *message = &capture->messages[n];

	assert_int_equal(message->direction, P2P_RECEIVED);
	assert_string_equal(message->type, type);
	assert_int_equal(message->size, strlen(payload));
	assert_memory_equal(message->payload, payload, message->size);
}

static void
test_messages(void **state)
{
	struct capture capture = {0};

	(void)state;
	buf_init(&capture.bytes, 1 << 20);
	add_message(&capture.bytes, "ping", 8, "12345678");
	add_message(&capture.bytes, "verack", 0, "");
	add_message(&capture.bytes, "getcfcheckpt", 3, "abc");
	assert_int_equal(capture_parse(&capture, P2P_RECEIVED), 0);
	assert_int_equal(capture.cnt, 3);
	assert_message(&capture, 0, "ping", "12345678");
	assert_message(&capture, 1, "verack", "");
	assert_message(&capture, 2, "getcfcheckpt", "abc");
	capture_fini(&capture);
}

/* bitcoind may be about to write the rest. */
static void
test_incomplete(void **state)
{
	struct buf whole;

	(void)state;
	buf_init(&whole, 1 << 20);
	add_message(&whole, "ping", 8, "12345678");
	size_t one = whole.len;
	add_message(&whole, "pong", 8, "87654321");
	for (size_t len = 0; len <= whole.len; len++) {
		struct capture capture = {0};

		buf_init(&capture.bytes, 1 << 20);
		buf_add(&capture.bytes, whole.data, len);
		assert_int_equal(capture_parse(&capture, P2P_SENT), 0);
		assert_int_equal(capture.cnt, len / one);
		capture_fini(&capture);
	}
	buf_fini(&whole);
}

/* Each byte of the size counts. */
static void
test_long(void **state)
{
	struct capture capture = {0};
	char payload[0x10203 + 1];

	(void)state;
	memset(payload, 'p', sizeof(payload) - 1);
	payload[sizeof(payload) - 1] = '\0';
	buf_init(&capture.bytes, 1 << 20);
	add_message(&capture.bytes, "block", sizeof(payload) - 1, payload);
	add_message(&capture.bytes, "verack", 0, "");
	assert_int_equal(capture_parse(&capture, P2P_RECEIVED), 0);
	assert_int_equal(capture.cnt, 2);
	assert_message(&capture, 0, "block", payload);
	assert_message(&capture, 1, "verack", "");
	capture_fini(&capture);
}

static void
test_too_large(void **state)
{
	struct capture capture = {0};

	(void)state;
	buf_init(&capture.bytes, 1 << 20);
	add_message(&capture.bytes, "block", P2P_PAYLOAD_MAX + 1, "");
	assert_int_equal(capture_parse(&capture, P2P_SENT), -EBADMSG);
	assert_int_equal(capture.cnt, 0);
	capture_fini(&capture);

	capture = (struct capture){0};
	buf_init(&capture.bytes, 1 << 20);
	add_message(&capture.bytes, "block", 1 << 24, "");
	assert_int_equal(capture_parse(&capture, P2P_SENT), -EBADMSG);
	capture_fini(&capture);
}

/* Scenarios read a file again and again until it has what they wait for: nothing may be left open. */
static void
test_files(void **state)
{
	static const char *const folders[] = {NODE_CHAIN_DIR, NODE_CHAIN_DIR "/message_capture",
					      NODE_CHAIN_DIR "/message_capture/127.0.0.1_8333"};
	static const char file[] = NODE_CHAIN_DIR "/message_capture/127.0.0.1_8333/msgs_recv.dat";
	enum { FOLDERS = sizeof(folders) / sizeof(folders[0]) };
	char *dir = test_make_dir();
	struct node node = {.datadir.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	unsigned files = test_count_files();
	struct capture capture;
	struct diag diag;
	struct buf bytes;

	(void)state;
	assert_true(node.datadir.fd >= 0);
	for (int i = 0; i < FOLDERS; i++)
		assert_int_equal(mkdirat(node.datadir.fd, folders[i], 0755), 0);
	/* There is no file as long as there is no message. */
	assert_int_equal(capture_read(&capture, &node, "127.0.0.1:8333", true, &diag), 0);
	assert_int_equal(capture.cnt, 0);
	capture_fini(&capture);
	assert_int_equal(test_count_files(), files);

	buf_init(&bytes, 1 << 20);
	add_message(&bytes, "verack", 0, "");
	add_message(&bytes, "ping", 8, "12345678");
	int fd = openat(node.datadir.fd, file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, bytes.data, bytes.len), bytes.len);
	close(fd);
	buf_fini(&bytes);
	assert_int_equal(capture_read(&capture, &node, "127.0.0.1:8333", true, &diag), 0);
	assert_int_equal(capture.cnt, 2);
	assert_int_equal(capture.messages[1].direction, P2P_SENT);
	assert_string_equal(capture.messages[1].type, "ping");
	capture_fini(&capture);
	/* What the node sent is in another file. */
	assert_int_equal(capture_read(&capture, &node, "127.0.0.1:8333", false, &diag), 0);
	assert_int_equal(capture.cnt, 0);
	capture_fini(&capture);
	assert_int_equal(test_count_files(), files);

	assert_int_equal(unlinkat(node.datadir.fd, file, 0), 0);
	for (int i = FOLDERS; i-- > 0;)
		assert_int_equal(unlinkat(node.datadir.fd, folders[i], AT_REMOVEDIR), 0);
	close(node.datadir.fd);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages), cmocka_unit_test(test_incomplete),
		cmocka_unit_test(test_long),     cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

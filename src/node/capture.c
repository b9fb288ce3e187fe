/* The format (CaptureMessageToFile in src/net.cpp): time (8 bytes), type (12 bytes), size (4 bytes), payload. */
#include "node/capture.h"

#include "base/xmem.h"
#include "node/node_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TIME_SZ = 8,
	TYPE_SZ = P2P_TYPE_SZ - 1,
	HEAD_SZ = TIME_SZ + TYPE_SZ + 4,
	FILE_BYTES_MAX = 64 << 20,
};

int
capture_parse(struct capture *capture, enum p2p_direction direction)
{
	const uint8_t *at = (const uint8_t *)capture->bytes.data;
	size_t left = capture->bytes.len;

	while (left >= HEAD_SZ) {
		const uint8_t *size_at = at + TIME_SZ + TYPE_SZ;
		size_t size = size_at[0] | (size_t)size_at[1] << 8 | (size_t)size_at[2] << 16 |
			      (size_t)size_at[3] << 24;
		struct p2p_message message = {.direction = direction, .payload = at + HEAD_SZ, .size = size};

		if (size > P2P_PAYLOAD_MAX)
			return -EBADMSG;
		if (size > left - HEAD_SZ)
			break;
		memcpy(message.type, at + TIME_SZ, TYPE_SZ);
		capture->messages =
			xreallocarray(capture->messages, capture->cnt + 1, sizeof(*capture->messages));
		capture->messages[capture->cnt++] = message;
		at += HEAD_SZ + size;
		left -= HEAD_SZ + size;
	}
	return 0;
}

/* The file, in a folder that bitcoind names after the peer; no link is followed. */
static int
open_file(const struct node *node, const char *address, bool sent)
{
	char peer[P2P_ADDRESS_SZ];
	const char *const folders[] = {NODE_CHAIN_DIR, "message_capture", peer};
	int dir_fd = dup(node->datadir.fd), fd;

	snprintf(peer, sizeof(peer), "%s", address);
	for (char *colon = peer; (colon = strchr(colon, ':'));)
		*colon = '_';
	for (size_t i = 0; dir_fd >= 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
		fd = openat(dir_fd, folders[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int err = fd < 0 ? -errno : 0;
		close(dir_fd);
		dir_fd = err ? err : fd;
	}
	if (dir_fd < 0)
		return dir_fd;
	fd = openat(dir_fd, sent ? "msgs_recv.dat" : "msgs_sent.dat",
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;
	close(dir_fd);
	return err ? err : fd;
}

int
capture_read(struct capture *capture, const struct node *node, const char *address, bool sent,
	     struct diag *diag)
{
	char chunk[1 << 16];
	ssize_t len = 0;

	*capture = (struct capture){0};
	buf_init(&capture->bytes, FILE_BYTES_MAX);
	int fd = open_file(node, address, sent), err = fd < 0 ? fd : 0;
	while (!err && (len = read(fd, chunk, sizeof(chunk))) > 0)
		if (!buf_add(&capture->bytes, chunk, (size_t)len))
			err = -EFBIG;
	if (len < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (!err)
		err = capture_parse(capture, sent ? P2P_SENT : P2P_RECEIVED);
	if (err == -ENOENT)
		return 0;
	return err ? diag_fail(diag, err,
			       "node: failed to read the messages that bitcoind captured of %s: %s", address,
			       strerror(-err))
		   : 0;
}

void
capture_fini(struct capture *capture)
{
	free(capture->messages);
	buf_fini(&capture->bytes);
	*capture = (struct capture){0};
}

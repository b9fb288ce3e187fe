/* SOCKS5 as a proxy speaks it (RFC 1928), without authentication: a greeting, a request to connect, success. */
#include "node/stand_in_protocol.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 5, NO_AUTHENTICATION = 0, NOT_ACCEPTABLE = 0xff, CONNECT = 1 };
enum { IP4 = 1, NAME = 3, IP6 = 4 };
enum { STEP_GREETING, STEP_REQUEST };
enum { SUCCESS = 0, COMMAND_UNSUPPORTED = 7, ADDRESS_UNSUPPORTED = 8 };

static enum stand_in_outcome
answer(struct stand_in_client *client, uint8_t reply)
{
	/* The bound address means nothing here: 0.0.0.0:0. */
	const uint8_t bytes[] = {VERSION, reply, 0, IP4, 0, 0, 0, 0, 0, 0};

	buf_add(&client->out, bytes, sizeof(bytes));
	return reply == SUCCESS ? STAND_IN_CONNECTED : STAND_IN_REFUSED;
}

static enum stand_in_outcome
feed_greeting(struct stand_in_client *client)
{
	const uint8_t *in = (const uint8_t *)client->in.data;
	size_t methods_cnt = client->in.len > 1 ? in[1] : 0;

	if (in[0] != VERSION)
		return STAND_IN_REFUSED;
	if (client->in.len < 2 || client->in.len < 2 + methods_cnt)
		return STAND_IN_MORE;
	bool known = memchr(in + 2, NO_AUTHENTICATION, methods_cnt);
	const uint8_t reply[] = {VERSION, known ? NO_AUTHENTICATION : NOT_ACCEPTABLE};
	buf_add(&client->out, reply, sizeof(reply));
	buf_drop(&client->in, 2 + methods_cnt);
	client->step = STEP_REQUEST;
	return known ? STAND_IN_MORE : STAND_IN_REFUSED;
}

static enum stand_in_outcome
feed_request(struct stand_in_client *client)
{
	enum { HEAD = 4, PORT = 2 };
	const uint8_t *in = (const uint8_t *)client->in.data;
	const uint8_t *host = in + HEAD;
	size_t host_len;

	if (in[0] != VERSION)
		return STAND_IN_REFUSED;
	if (client->in.len < HEAD + 1)
		return STAND_IN_MORE;
	if (in[1] != CONNECT)
		return answer(client, COMMAND_UNSUPPORTED);
	switch (in[3]) {
	case IP4:
		host_len = 4;
		break;
	case IP6:
		host_len = 16;
		break;
	case NAME:
		host_len = *host++;
		break;
	default:
		return answer(client, ADDRESS_UNSUPPORTED);
	}
	size_t len = (size_t)(host - in) + host_len + PORT;
	if (client->in.len < len)
		return STAND_IN_MORE;
	if (in[3] == NAME)
		snprintf(client->host, sizeof(client->host), "%.*s", (int)host_len, (const char *)host);
	else
		inet_ntop(in[3] == IP4 ? AF_INET : AF_INET6, host, client->host, sizeof(client->host));
	client->port = (uint16_t)(host[host_len] << 8 | host[host_len + 1]);
	buf_drop(&client->in, len);
	return answer(client, SUCCESS);
}

enum stand_in_outcome
socks5_feed(struct stand_in_client *client)
{
	enum stand_in_outcome outcome = STAND_IN_MORE;

	if (client->step == STEP_GREETING && client->in.len)
		outcome = feed_greeting(client);
	if (outcome == STAND_IN_MORE && client->step == STEP_REQUEST && client->in.len)
		outcome = feed_request(client);
	return outcome;
}

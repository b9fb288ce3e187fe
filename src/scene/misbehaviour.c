#include "scene/misbehaviour.h"

#include "base/xmem.h"
#include "scene/log_lines.h"

#include <inttypes.h>
#include <string.h>

static void
log_net(struct scene *scene, bool on)
{
	scene_call(scene, "logging", on ? "[[\"net\"]]" : "[[], [\"net\"]]");
}

void
misbehaviour_begin(struct scene *scene)
{
	struct misbehaviour_state *state = scene->state;

	state->peers = peers_new(scene, MISBEHAVING_PEERS);
	peers_begin(scene);
}

void
misbehaviour_log(struct scene *scene)
{
	log_net(scene, true);
}

static void
fini_block(void *kept)
{
	block_fini(kept);
}

struct block *
misbehaviour_other_block(struct scene *scene)
{
	struct misbehaviour_state *state = scene->state;
	struct block *block = scene_keep(scene, sizeof(*block), fini_block);

	block_init(block, &state->block->draft);
	return block;
}

static void
send_noted(struct scene *scene, size_t peer, const char *type, const struct buf *payload, const char *reason)
{
	struct misbehaviour_state *state = scene->state;

	state->done[state->done_cnt++] = (struct misbehaviour){
		.peer = peer, .at = peer_message_cnt(&state->peers[peer]), .reason = reason};
	peer_send_buf(scene, &state->peers[peer], type, payload);
}

void
misbehave(struct scene *scene, size_t peer, const char *type, const struct buf *payload, const char *reason)
{
	struct misbehaviour_state *state = scene->state;

	send_noted(scene, peer, type, payload, reason);
	peer_sync(scene, &state->peers[peer]);
}

void
misbehave_and_part(struct scene *scene, size_t peer, const char *type, const struct buf *payload,
		   const char *reason, size_t waker)
{
	struct misbehaviour_state *state = scene->state;

	send_noted(scene, peer, type, payload, reason);
	peer_wait_closed(scene, &state->peers[peer], &state->peers[waker]);
}

static void
fini_texts(void *kept)
{
	log_texts_fini(kept);
}

/* The reasons in the peer's events, for a node whose log does not say what it takes for misbehaviour. */
static const struct log_texts *
reasons_of_events(struct scene *scene, int64_t peer_id)
{
	struct log_texts *reasons = scene_keep(scene, sizeof(*reasons), fini_texts);

	for (size_t i = 0; i < scene->events_cnt; i++) {
		const struct event *event = &scene->events[i];

		if (event->tracepoint != TP_NET_MISBEHAVING_CONNECTION || event->args_cnt < 2 ||
		    event->args[0].i != peer_id)
			continue;
		reasons->items = xreallocarray(reasons->items, reasons->cnt + 1, sizeof(*reasons->items));
		reasons->items[reasons->cnt++] =
			xasprintf("%.*s", (int)event->args[1].len, (const char *)event->args[1].bytes);
	}
	return reasons;
}

void
misbehaviour_read_log(struct scene *scene)
{
	struct misbehaviour_state *state = scene->state;
	bool is_logged = false;

	for (size_t i = 0; i < MISBEHAVING_PEERS; i++)
		if (state->peers[i].p2p) {
			state->logged[i] = log_misbehaviours(scene, state->peers[i].id);
			is_logged |= state->logged[i]->cnt > 0;
		}
	if (is_logged || !scene_ok(scene))
		return;
	state->has_no_log = true;
	log_report_unknown(scene, LOG_FACT_MISBEHAVIOUR);
	for (size_t i = 0; i < MISBEHAVING_PEERS; i++)
		if (state->logged[i])
			state->logged[i] = reasons_of_events(scene, state->peers[i].id);
}

static void
expect_one(struct scene *scene, const struct misbehaviour *misbehaviour, bool as_logged)
{
	const struct misbehaviour_state *state = scene->state;
	const struct peer *peer = &state->peers[misbehaviour->peer];
	struct p2p_message message = p2p_at(peer->p2p, misbehaviour->at);

	expect_source(scene->expect, "the '%s' that the peer sent; debug.log has %s", message.type,
		      state->has_no_log ? "no reason"
		      : as_logged       ? "the same reason"
					: "another reason");
	struct expected *e = expect_event(scene->expect, TP_NET_MISBEHAVING_CONNECTION, FINDING_CONTRACT,
					  "'%s' from peer %" PRId64, message.type, peer->id);
	want_int(e, "peer_id", peer->id);
	want_string(e, "reason", misbehaviour->reason);
	if (!as_logged)
		want_kind(e, FINDING_DETAIL);
}

/* Whether the text is the reason of a later misbehaviour of the peer. */
static bool
comes_later(const struct misbehaviour_state *state, size_t peer, const char *text)
{
	for (size_t i = state->compared; i < state->done_cnt; i++)
		if (state->done[i].peer == peer && !strcmp(text, state->done[i].reason))
			return true;
	return false;
}

/* If the next text in the log is neither this reason nor a later one, it is another text for this reason. */
void
misbehaviour_expect_next(struct scene *scene)
{
	struct misbehaviour_state *state = scene->state;
	const struct misbehaviour *next = &state->done[state->compared++];
	const struct log_texts *logged = state->logged[next->peer];
	size_t *logged_next = &state->logged_next[next->peer];

	if (!logged || *logged_next == logged->cnt)
		return;
	const char *text = logged->items[*logged_next];
	bool same = !strcmp(text, next->reason);
	if (!same && comes_later(state, next->peer, text))
		return;
	expect_one(scene, next, same);
	++*logged_next;
	state->expected++;
}

void
misbehaviour_end(struct scene *scene, size_t least)
{
	struct misbehaviour_state *state = scene->state;
	size_t logged_cnt = 0;

	for (size_t i = 0; i < MISBEHAVING_PEERS; i++)
		logged_cnt += state->logged[i] ? state->logged[i]->cnt : 0;
	if (logged_cnt != state->expected || logged_cnt < least)
		scene_fail(
			scene, -EBADMSG,
			"the peers misbehaved %zu times, and any bitcoind notices at least %zu of them; %s %zu, of which %zu can be explained",
			state->compared, least,
			state->has_no_log ? "there are events of" : "its debug.log has", logged_cnt,
			state->expected);
	log_net(scene, false);
	peers_leave(scene, state->peers, MISBEHAVING_PEERS);
}

void
misbehaviour_expect_all(struct scene *scene, size_t least)
{
	struct misbehaviour_state *state = scene->state;

	misbehaviour_read_log(scene);
	while (state->compared < state->done_cnt)
		misbehaviour_expect_next(scene);
	misbehaviour_end(scene, least);
}

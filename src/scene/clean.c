#include "scene/clean.h"

#include "scene/coins.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int64_t
ask_number(struct scene *scene, const char *method, const char *member)
{
	const struct scene_kept *mark = scene_mark(scene);
	const struct json *answer = scene_call(scene, method, "[]");
	int64_t number = -1;

	if (answer && !json_i64(member ? json_get(answer, member) : answer, &number))
		scene_fail(scene, -EBADMSG, "clean: %s did not return a number", method);
	scene_release_since(scene, mark);
	return number;
}

static void
require_no_peers(struct scene *scene)
{
	int64_t cnt = -1;

	if (!scene_ok(scene))
		return;
	while (scene_ok(scene) && (cnt = ask_number(scene, "getconnectioncount", NULL)) > 0)
		clock_pause_ms(1, scene->deadline);
	scene_prefix(scene, "waiting until no peer is connected");
}

/* A block that was invalidated, or whose reorganisation failed, is a tip with more work. */
static void
require_best_chain(struct scene *scene)
{
	const struct scene_kept *mark = scene_mark(scene);
	const struct json *tips = scene_call(scene, "getchaintips", "[]");
	int64_t active = -1, highest = -1;

	for (size_t i = 0; i < json_cnt(tips); i++) {
		const struct json *tip = json_at(tips, i);
		const char *status = json_string(json_get(tip, "status"));
		int64_t height = -1;

		json_i64(json_get(tip, "height"), &height);
		if (status && !strcmp(status, "active"))
			active = height;
		highest = height > highest ? height : highest;
	}
	if (active < highest || active < scene->coins->tip_least)
		scene_fail(scene, -ESTALE,
			   "clean: the active chain ends at height %" PRId64 ", not at %" PRId64 " or more",
			   active, highest > scene->coins->tip_least ? highest : scene->coins->tip_least);
	scene_release_since(scene, mark);
}

void
clean_require(struct scene *scene)
{
	scene_set_time(scene, 0);
	require_no_peers(scene);
	scene_call(scene, "syncwithvalidationinterfacequeue", "[]");
	int64_t txs = ask_number(scene, "getmempoolinfo", "size");
	if (txs > 0)
		scene_fail(scene, -ESTALE, "clean: %" PRId64 " transactions are in the mempool", txs);
	require_best_chain(scene);
}

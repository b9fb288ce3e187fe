#include "scene/scenario.h"

#include "base/xmem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

enum { SKIPPED = -4095 }; /* no errno value */

struct scene_kept {
	struct scene_kept *before;
	void (*fini)(void *kept);
	max_align_t bytes[];
};

bool
scene_ok(struct scene *scene)
{
	if (scene->fail_at && ++scene->asked == scene->fail_at)
		scene_fail(scene, -ECANCELED, "scene: made to fail at call %u", scene->asked);
	return !scene->err;
}

static void __attribute__((format(printf, 3, 0)))
fail(struct scene *scene, int err, const char *fmt, va_list ap)
{
	if (scene->err)
		return;
	char *text = xvasprintf(fmt, ap);
	scene->err = diag_fail(&scene->diag, err, "%s", text);
	free(text);
}

void
scene_fail(struct scene *scene, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(scene, err, fmt, ap);
	va_end(ap);
}

void
scene_skip(struct scene *scene, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(scene, SKIPPED, fmt, ap);
	va_end(ap);
}

bool
scene_is_skipped(const struct scene *scene)
{
	return scene->err == SKIPPED;
}

void
scene_prefix(struct scene *scene, const char *fmt, ...)
{
	va_list ap;

	if (!scene->err)
		return;
	va_start(ap, fmt);
	char *text = xvasprintf(fmt, ap);
	va_end(ap);
	diag_prefix(&scene->diag, scene->err, "%s", text);
	free(text);
}

static void
free_json(void *kept)
{
	json_free(*(struct json **)kept);
}

/* wallet NULL: not of a wallet. */
static int __attribute__((format(printf, 5, 0)))
call(struct scene *scene, const char *wallet, const struct json **answer, const char *method,
     const char *params_fmt, va_list ap)
{
	struct json **kept = scene_keep(scene, sizeof(struct json *), free_json);
	char *params = xvasprintf(params_fmt, ap);
	int err = wallet ? node_wallet_call(scene->node, scene->deadline, wallet, kept, &scene->diag, method,
					    "%s", params)
			 : node_call(scene->node, scene->deadline, kept, &scene->diag, method, "%s", params);

	free(params);
	*answer = *kept;
	return err;
}

const struct json *
scene_call(struct scene *scene, const char *method, const char *params_fmt, ...)
{
	const struct json *answer = NULL;
	va_list ap;

	if (!scene_ok(scene))
		return NULL;
	va_start(ap, params_fmt);
	scene->err = call(scene, NULL, &answer, method, params_fmt, ap);
	va_end(ap);
	return answer;
}

const struct json *
scene_wallet_call(struct scene *scene, const char *wallet, const char *method, const char *params_fmt, ...)
{
	const struct json *answer = NULL;
	va_list ap;

	if (!scene_ok(scene))
		return NULL;
	va_start(ap, params_fmt);
	scene->err = call(scene, wallet, &answer, method, params_fmt, ap);
	va_end(ap);
	return answer;
}

bool
scene_call_succeeds(struct scene *scene, const char *method, const char *params_fmt, ...)
{
	const struct json *answer;
	va_list ap;

	if (!scene_ok(scene))
		return false;
	va_start(ap, params_fmt);
	int err = call(scene, NULL, &answer, method, params_fmt, ap);
	va_end(ap);
	scene->err = err == -EREMOTEIO ? 0 : err;
	return !err;
}

void
scene_set_time(struct scene *scene, int64_t time_s)
{
	scene_call(scene, "setmocktime", "[%" PRId64 "]", time_s);
	scene->node_time = time_s;
}

void *
scene_keep(struct scene *scene, size_t sz, void (*fini)(void *kept))
{
	struct scene_kept *kept = xcalloc(1, sizeof(*kept) + sz);

	kept->before = scene->kept;
	kept->fini = fini;
	scene->kept = kept;
	return kept->bytes;
}

static void
fini_tx(void *kept)
{
	tx_fini(kept);
}

struct tx *
scene_tx(struct scene *scene)
{
	struct tx *tx = scene_keep(scene, sizeof(*tx), fini_tx);

	tx_init(tx);
	return tx;
}

static void
fini_buf(void *kept)
{
	buf_fini(kept);
}

struct buf *
scene_buf(struct scene *scene, size_t max_bytes)
{
	struct buf *buf = scene_keep(scene, sizeof(*buf), fini_buf);

	buf_init(buf, max_bytes);
	return buf;
}

void
scene_release(struct scene *scene)
{
	scene_release_since(scene, NULL);
}

const struct scene_kept *
scene_mark(const struct scene *scene)
{
	return scene->kept;
}

void
scene_release_since(struct scene *scene, const struct scene_kept *mark)
{
	while (scene->kept != mark) {
		struct scene_kept *kept = scene->kept;

		scene->kept = kept->before;
		if (kept->fini)
			kept->fini(kept->bytes);
		free(kept);
	}
}

#include "base/xmem.h"
#include "scene/scenario.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

enum { SKIP_CODE = -4095 }; /* no errno value */

struct scene_kept {
	struct scene_kept *before;
	void (*fini)(void *kept);
	max_align_t bytes[];
};

void *
scene_keep(struct scene *scene, size_t sz, void (*fini)(void *kept))
{
	struct scene_kept *kept = xcalloc(1, sizeof(*kept) + sz);

	kept->before = scene->kept;
	kept->fini = fini;
	scene->kept = kept;
	return kept->bytes;
}

void
scene_release(struct scene *scene)
{
	while (scene->kept) {
		struct scene_kept *kept = scene->kept;

		scene->kept = kept->before;
		if (kept->fini)
			kept->fini(kept->bytes);
		free(kept);
	}
}

int
scenario_skip(struct diag *diag, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = xvasprintf(fmt, ap);
	va_end(ap);
	diag_fail(diag, SKIP_CODE, "%s", text);
	free(text);
	return SKIP_CODE;
}

bool
scenario_is_skip(int code)
{
	return code == SKIP_CODE;
}

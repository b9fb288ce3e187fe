#include "base/xmem.h"
#include "scenario/scenario.h"

#include <stddef.h>
#include <stdlib.h>

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

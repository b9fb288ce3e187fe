/* The reason for which a scenario is skipped names the release from which on it is not. */
#include "node/node_internal.h"
#include "scene/abilities.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { FIRST_RELEASE = 23, LAST_RELEASE = 40 };

/* "": it is not skipped. */
static const char *
reason_in(unsigned release, enum ability ability)
{
	static struct scene scene;
	static struct node node;

	node = (struct node){.version = (int)release * 10000};
	scene = (struct scene){.node = &node};
	scene_require(&scene, ability);
	assert_int_equal(scene_is_skipped(&scene), !scene_has(&scene, ability));
	return scene_is_skipped(&scene) ? scene.diag.text : "";
}

static bool
names(const char *reason, const char *before, unsigned release)
{
	char name[64];

	snprintf(name, sizeof(name), "%sv%u", before, release);
	return strstr(reason, name);
}

static void
test_releases(void **state)
{
	(void)state;
	for (int ability = 0; ability < ABILITIES_CNT; ability++) {
		bool lacks = false, lacked = false;

		for (unsigned release = FIRST_RELEASE; release <= LAST_RELEASE; release++, lacked = lacks) {
			const char *reason = reason_in(release, (enum ability)ability);

			lacks = *reason;
			if (lacks && !lacked && release > FIRST_RELEASE)
				assert_true(names(reason, "", release));
			if (lacks || !lacked)
				continue;
			reason = reason_in(release - 1, (enum ability)ability);
			if (strstr(reason, "before v") || strstr(reason, "came with v"))
				assert_true(names(reason, "before ", release) ||
					    names(reason, "came with ", release));
			else
				assert_true(names(reason, "", release - 1));
		}
		assert_false(lacks);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_releases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/privileges.h"

#include <cap-ng.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
privileges_are_raised(void)
{
	return geteuid() == 0 || getauxval(AT_SECURE);
}

bool
privileges_are_confined(void)
{
	FILE *file = fopen("/proc/self/uid_map", "re");
	unsigned long first = 0, outside = 0, cnt = UINT32_MAX;

	/* In the initial namespace, all user IDs are mapped to themselves. */
	if (file && fscanf(file, "%lu %lu %lu", &first, &outside, &cnt) != 3)
		cnt = UINT32_MAX;
	if (file)
		fclose(file);
	return first || outside || cnt != UINT32_MAX;
}

bool
privileges_has(unsigned capability)
{
	return !capng_get_caps_process() && capng_have_capability(CAPNG_EFFECTIVE, capability);
}

bool
privileges_can_have(unsigned capability)
{
	return !capng_get_caps_process() && capng_have_capability(CAPNG_BOUNDING_SET, capability);
}

int
privileges_keep(const unsigned *capabilities, size_t cnt, struct diag *diag)
{
	bool had[64] = {false};

	if (cnt > sizeof(had) / sizeof(had[0]) || capng_get_caps_process())
		return diag_fail(diag, -EIO,
				 "privileges: failed to read the capabilities; is /proc mounted?");
	for (size_t i = 0; i < cnt; i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, capabilities[i]);
	bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < cnt; i++)
		if (had[i])
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				     capabilities[i]);
	/* The bounding set first, because that takes CAP_SETPCAP. */
	if ((may_bound && capng_apply(CAPNG_SELECT_BOUNDS)) || capng_apply(CAPNG_SELECT_CAPS) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return diag_fail(diag, -EPERM, "privileges: failed to give up capabilities: %s",
				 strerror(errno));
	return 0;
}

void
privileges_empty_bounds(void)
{
	for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		prctl(PR_CAPBSET_DROP, capability, 0, 0,
		      0); /* fails for ordinary users, who gain nothing anyway */
}

int
privileges_drop(void)
{
	/* libcap-ng would allocate memory. */
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none))
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

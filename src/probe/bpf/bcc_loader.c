#include "probe/bpf/bcc_loader.h"

#include "base/module.h"
#include "probe/bpf/bcc_shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define MODULE_NAME "tpcheck-bcc.so"

/* One line for each function of bcc_shim.h that this program uses. */
#define FUNCTIONS(X)                                                                                         \
	X(version)                                                                                           \
	X(compile)                                                                                           \
	X(attach_uprobe)                                                                                     \
	X(forget_event)

#define MEMBER(name) __typeof__(bcc_shim_##name) *name;
static struct {
	FUNCTIONS(MEMBER)
} module;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_loaded;

int
bcc_loader_path(char *path, size_t path_sz)
{
	return module_find(MODULE_NAME, path, path_sz);
}

static int
load(struct diag *diag)
{
	char path[PATH_MAX + sizeof(MODULE_NAME)];
	int err = bcc_loader_path(path, sizeof(path));

	if (err)
		return diag_fail(diag, -ELIBACC, "probe: failed to find " MODULE_NAME ": %s", path);
	if (access(path, F_OK))
		return diag_fail(
			diag, -ELIBACC,
			"probe: failed to load '%s': %s; it is a part of tpcheck: install tpcheck again",
			path, strerror(errno));
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return diag_fail(
			diag, -ELIBACC,
			"probe: failed to load libbcc: %s; install it (Debian, Ubuntu: apt-get install libbpfcc)",
			dlerror());
/* As POSIX has it: a function's address passes through a void *. */
#define FIND(name) *(void **)&module.name = dlsym(handle, "bcc_shim_" #name);
	FUNCTIONS(FIND)
#define CHECK(name)                                                                                          \
	if (!module.name)                                                                                    \
		return diag_fail(diag, -ELIBACC,                                                             \
				 "probe: '%s' has no bcc_shim_" #name ": it is of another version", path);
	FUNCTIONS(CHECK)
	is_loaded = true;
	return 0;
}

int
bcc_loader_load(struct diag *diag)
{
	pthread_mutex_lock(&lock);
	int err = is_loaded ? 0 : load(diag);
	pthread_mutex_unlock(&lock);
	return err;
}

/* What bcc_shim.h declares */

const char *
bcc_shim_version(void)
{
	return module.version();
}

int
bcc_shim_compile(const char *text, const char *const *cflags, size_t cflags_cnt, const char *kernel_tree,
		 const struct bcc_shim_sink *sink, char *error, size_t error_sz)
{
	return module.compile(text, cflags, cflags_cnt, kernel_tree, sink, error, error_sz);
}

int
bcc_shim_attach_uprobe(int prog_fd, const char *event_name, const char *binary, uint64_t file_offset,
		       pid_t pid, uint32_t semaphore_file_offset, int *event_fd, char *error, size_t error_sz)
{
	return module.attach_uprobe(prog_fd, event_name, binary, file_offset, pid, semaphore_file_offset,
				    event_fd, error, error_sz);
}

void
bcc_shim_forget_event(const char *event_name)
{
	module.forget_event(event_name);
}

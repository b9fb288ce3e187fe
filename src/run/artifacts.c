#include "run/artifacts.h"

#include "base/json.h"
#include "base/text.h"
#include "base/xmem.h"
#include "contract/contract.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct artifacts {
	char *dir, *tmp_dir;
	uid_t uid;
	gid_t gid;
	bool made;            /* dir */
	bool is_temporary;    /* dir is a new folder in tmp_dir */
	pthread_mutex_t lock; /* while dir is made */
};

struct artifacts *
artifacts_new(const struct artifacts_opts *opts)
{
	struct artifacts *artifacts = xcalloc(1, sizeof(*artifacts));

	artifacts->dir = opts->dir ? xstrdup(opts->dir) : NULL;
	artifacts->tmp_dir = xstrdup(opts->tmp_dir ? opts->tmp_dir : "/tmp");
	artifacts->uid = opts->uid;
	artifacts->gid = opts->gid;
	pthread_mutex_init(&artifacts->lock, NULL);
	return artifacts;
}

void
artifacts_free(struct artifacts *artifacts)
{
	if (!artifacts)
		return;
	/* If all that was kept was dropped again. */
	if (artifacts->is_temporary)
		rmdir(artifacts->dir);
	pthread_mutex_destroy(&artifacts->lock);
	free(artifacts->dir);
	free(artifacts->tmp_dir);
	free(artifacts);
}

/* mkdir -p. */
static int
make_dirs(const char *dir)
{
	char *path = xstrdup(dir);
	int err = 0;

	for (char *slash = path + 1; !err; slash++) {
		slash = strchrnul(slash, '/');
		char end = *slash;

		*slash = '\0';
		if (mkdir(path, 0777) && errno != EEXIST)
			err = -errno;
		*slash = end;
		if (!end)
			break;
	}
	free(path);
	return err;
}

int
artifacts_prepare(struct artifacts *artifacts, struct diag *diag)
{
	struct stat st;

	if (!artifacts->dir)
		return 0;
	int err = artifacts->made ? 0 : make_dirs(artifacts->dir);
	if (!err && (stat(artifacts->dir, &st) || !S_ISDIR(st.st_mode)))
		err = -ENOTDIR;
	if (!err && access(artifacts->dir, W_OK | X_OK))
		err = -errno;
	if (err)
		return diag_fail(diag, err,
				 "failed to make the folder '%s' for artifacts: %s; choose another place",
				 artifacts->dir, strerror(-err));
	artifacts->made = true;
	return 0;
}

/* Under sudo, what is kept is for the caller. Whoever owns the folder around it may have replaced what we made with
 * a link to a file of root's, which must not become theirs. */
static void
give_away(const struct artifacts *artifacts, const char *path)
{
	struct stat st;

	if (geteuid() != 0 || !artifacts->uid)
		return;
	errno = 0;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || !(S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink == 1)) ||
	    fchown(fd, artifacts->uid, artifacts->gid))
		fprintf(stderr, "tpcheck: failed to give '%s' to user %u: %s\n", path,
			(unsigned)artifacts->uid, fd >= 0 && !errno ? "it was replaced" : strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void
print_no_folder(const char *dir, int errnum)
{
	fprintf(stderr, "tpcheck: failed to make the folder '%s' for artifacts: %s\n", dir, strerror(errnum));
}

static bool
make_base(struct artifacts *artifacts)
{
	if (artifacts->made)
		return true;
	if (artifacts->dir)
		return !artifacts_prepare(artifacts, NULL);
	char *dir = xasprintf("%s/tpcheck-XXXXXX", artifacts->tmp_dir);
	if (!mkdtemp(dir)) {
		print_no_folder(dir, errno);
		free(dir);
		return false;
	}
	give_away(artifacts, dir);
	artifacts->dir = dir;
	artifacts->made = artifacts->is_temporary = true;
	return true;
}

/* Never an existing file or a link: tpcheck may be root, and others may write to the folder. */
static FILE *
create(const struct artifacts *artifacts, const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);

	if (fd >= 0)
		give_away(artifacts, path);
	free(path);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static void
finish(FILE *file, bool ok, const char *dir, const char *name)
{
	if (file && fclose(file))
		ok = false;
	if (!ok)
		fprintf(stderr, "tpcheck: failed to write '%s/%s': %s\n", dir, name, strerror(errno));
}

static void
write_text(const struct artifacts *artifacts, const char *dir, const char *name, const char *text)
{
	FILE *file = create(artifacts, dir, name);

	finish(file, file && fputs(text, file) >= 0, dir, name);
}

static void
write_value(struct json_writer *w, const struct value *value)
{
	char *hex;

	if (value->state == VALUE_BAD_OPERAND || value->state == VALUE_BAD_POINTER) {
		json_writer_begin_object(w);
		json_member_string(w, "not_readable", strerror(value->error));
		json_writer_end_object(w);
		return;
	}
	switch (value->type) {
	case VALUE_INT:
		json_writer_i64(w, value->i);
		return;
	case VALUE_UINT:
		json_writer_u64(w, value->u);
		return;
	case VALUE_BOOL:
		if (value->u <= 1)
			json_writer_bool(w, value->u);
		else
			json_writer_u64(w, value->u);
		return;
	case VALUE_STRING:
		json_writer_string_len(w, (const char *)value->bytes, value->len);
		return;
	case VALUE_HASH:
		hex = xmalloc(65);
		format_hash(value->bytes, hex);
		break;
	case VALUE_BYTES:
	default:
		hex = xmalloc(2 * value->len + 1);
		format_hex(value->bytes, value->len, hex);
		break;
	}
	json_writer_string(w, hex);
	free(hex);
}

static void
write_args(struct json_writer *w, const struct contract_tracepoint *row, const struct event *event)
{
	json_writer_begin_object(w);
	for (unsigned i = 0; i < event->args_cnt; i++) {
		char name[32];

		snprintf(name, sizeof(name), "argument_%u", i + 1);
		json_writer_key(w, i < row->args_cnt ? row->args[i].name : name);
		write_value(w, &event->args[i]);
		if (event->args[i].state != VALUE_CUT)
			continue;
		snprintf(name, sizeof(name), "argument_%u_cut", i + 1);
		json_member_bool(w, name, true);
	}
	json_writer_end_object(w);
}

/* On one line, without the newline; the caller's to free. */
static char *
event_json(const struct event *event)
{
	const struct contract_tracepoint *row = contract_of_event(event);
	struct json_writer *w = json_writer_new(false);

	json_writer_begin_object(w);
	json_member_u64(w, "time_ns", event->time_ns);
	json_member_u64(w, "tid", event->tid);
	json_member_u64(w, "seq", event->seq);
	json_member_string(w, "tracepoint", row->full_name);
	json_writer_key(w, "args");
	write_args(w, row, event);
	json_writer_end_object(w);
	char *text = json_writer_take(w, NULL);
	json_writer_free(w);
	return text;
}

static void
write_events(const struct artifacts *artifacts, const char *dir, const struct event *events, size_t cnt)
{
	FILE *file = create(artifacts, dir, "events.jsonl");
	bool ok = file != NULL;

	for (size_t i = 0; i < cnt && ok; i++) {
		char *line = event_json(&events[i]);

		ok = fprintf(file, "%s\n", line) > 0;
		free(line);
	}
	finish(file, ok, dir, "events.jsonl");
}

static void
save_node_file(const struct artifacts *artifacts, const char *dir, const char *name, struct node *node,
	       int (*save)(struct node *node, const char *dest_path, struct diag *diag))
{
	char *path = xasprintf("%s/%s", dir, name);
	struct diag diag;
	int err = save(node, path, &diag);

	if (!err)
		give_away(artifacts, path);
	else if (err != -ENOENT) /* the node ended before it had one */
		fprintf(stderr, "tpcheck: %s\n", diag.text);
	free(path);
}

/* Always a new one, apart from what an earlier run left. NULL after printing why. */
static char *
make_scenario_dir(const struct artifacts *artifacts, const char *name)
{
	enum { TRIES_MAX = 10000 };

	for (int nth = 1; nth < TRIES_MAX; nth++) {
		char *dir = nth == 1 ? xasprintf("%s/%s", artifacts->dir, name)
				     : xasprintf("%s/%s.%d", artifacts->dir, name, nth);

		if (!mkdir(dir, 0777)) {
			give_away(artifacts, dir);
			return dir;
		}
		int mkdir_errno = errno;
		bool is_last = mkdir_errno != EEXIST || nth == TRIES_MAX - 1;
		if (is_last)
			print_no_folder(dir, mkdir_errno);
		free(dir);
		if (is_last)
			return NULL;
	}
	return NULL;
}

char *
artifacts_keep(struct artifacts *artifacts, const char *name, struct node *node, const struct event *events,
	       size_t events_cnt, const struct report_result *result, const char *probes_text)
{
	pthread_mutex_lock(&artifacts->lock);
	bool is_made = make_base(artifacts);
	pthread_mutex_unlock(&artifacts->lock);
	char *dir = is_made ? make_scenario_dir(artifacts, name) : NULL;
	if (!dir)
		return NULL;
	char *findings = report_findings_json(&result->findings);
	char *command = xasprintf("%s\n", result->repeat ? result->repeat : "");
	write_text(artifacts, dir, "findings.json", findings);
	write_text(artifacts, dir, "command", command);
	if (result->reason)
		write_text(artifacts, dir, "reason", result->reason);
	if (probes_text)
		write_text(artifacts, dir, "probes.c", probes_text);
	write_events(artifacts, dir, events, events_cnt);
	if (node) {
		save_node_file(artifacts, dir, "debug.log", node, node_save_log);
		save_node_file(artifacts, dir, "output.txt", node, node_save_output);
	}
	free(findings);
	free(command);
	return dir;
}

void
artifacts_drop(const char *dir)
{
	static const char *const names[] = {"findings.json", "command",   "reason",    "probes.c",
					    "events.jsonl",  "debug.log", "output.txt"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = xasprintf("%s/%s", dir, names[i]);

		unlink(path);
		free(path);
	}
	rmdir(dir);
}

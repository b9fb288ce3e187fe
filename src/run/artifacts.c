#include "run/artifacts.h"

#include "base/json.h"
#include "base/text.h"
#include "base/xmem.h"
#include "contract/contract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct artifacts {
	char *dir;
	bool made;
};

struct artifacts *
artifacts_new(const char *dir)
{
	struct artifacts *artifacts = xcalloc(1, sizeof(*artifacts));

	artifacts->dir = dir ? xstrdup(dir) : NULL;
	return artifacts;
}

void
artifacts_free(struct artifacts *artifacts)
{
	if (!artifacts)
		return;
	free(artifacts->dir);
	free(artifacts);
}

/* mkdir -p. */
static int
make_dirs(const char *dir)
{
	char *path = xstrdup(dir);
	int result = 0;

	for (char *slash = path + 1; !result; slash++) {
		slash = strchrnul(slash, '/');
		char end = *slash;

		*slash = '\0';
		if (mkdir(path, 0777) && errno != EEXIST)
			result = -errno;
		*slash = end;
		if (!end)
			break;
	}
	free(path);
	return result;
}

int
artifacts_prepare(struct artifacts *artifacts, struct diag *diag)
{
	int code = artifacts->dir && !artifacts->made ? make_dirs(artifacts->dir) : 0;
	struct stat st;

	if (!code && artifacts->dir && (stat(artifacts->dir, &st) || !S_ISDIR(st.st_mode)))
		code = -ENOTDIR;
	if (!code && artifacts->dir && access(artifacts->dir, W_OK | X_OK))
		code = -errno;
	if (code)
		return diag_fail(diag, code,
				 "failed to make the folder '%s' for artifacts: %s; choose another place",
				 artifacts->dir, strerror(-code));
	artifacts->made = artifacts->dir != NULL;
	return 0;
}

/* Under sudo the evidence is for whoever called it. What was made in a folder that is theirs may be theirs to replace:
 * a link to something of root's shall not become theirs. */
static void
give_to_caller(const char *path)
{
	const char *uid_text = getenv("SUDO_UID"), *gid_text = getenv("SUDO_GID");
	uint64_t uid, gid;
	struct stat st;

	if (geteuid() != 0 || !uid_text || !gid_text || !parse_u64(uid_text, &uid) ||
	    !parse_u64(gid_text, &gid))
		return;
	errno = 0;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || !(S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink == 1)) ||
	    fchown(fd, (uid_t)uid, (gid_t)gid))
		fprintf(stderr, "tpcheck: failed to give '%s' to user %s: %s\n", path, uid_text,
			fd >= 0 && !errno ? "it was replaced" : strerror(errno));
	if (fd >= 0)
		close(fd);
}

static bool
make_base(struct artifacts *artifacts)
{
	const char *tmp = getenv("TMPDIR");

	if (artifacts->made)
		return true;
	if (artifacts->dir)
		return !artifacts_prepare(artifacts, NULL);
	artifacts->dir = xasprintf("%s/tpcheck-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	artifacts->made = mkdtemp(artifacts->dir) != NULL;
	if (!artifacts->made) {
		fprintf(stderr, "tpcheck: failed to make the folder '%s' for artifacts: %s\n", artifacts->dir,
			strerror(errno));
		free(artifacts->dir);
		artifacts->dir = NULL;
	} else {
		give_to_caller(artifacts->dir);
	}
	return artifacts->made;
}

/* A file that is not there yet, and no link: tpcheck may be root, and the folder lie where others write. */
static FILE *
create(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);

	if (fd >= 0)
		give_to_caller(path);
	free(path);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static bool
finish(FILE *file, bool ok, const char *dir, const char *name)
{
	if (file && fclose(file))
		ok = false;
	if (!ok)
		fprintf(stderr, "tpcheck: failed to write '%s/%s': %s\n", dir, name, strerror(errno));
	return ok;
}

static bool
write_text(const char *dir, const char *name, const char *text)
{
	FILE *file = create(dir, name);

	return finish(file, file && fputs(text, file) >= 0, dir, name);
}

static void
write_value(struct json_writer *w, const struct value *value)
{
	char *hex;

	if (value->state == VALUE_BAD_OPERAND || value->state == VALUE_BAD_POINTER) {
		json_writer_begin_object(w);
		json_writer_key(w, "not_readable");
		json_writer_string(w, strerror(value->error));
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

char *
event_json(const struct event *event)
{
	const struct contract_tracepoint *row = contract_of_event(event);
	struct json_writer *w = json_writer_new(false);

	json_writer_begin_object(w);
	json_writer_key(w, "time_ns");
	json_writer_u64(w, event->time_ns);
	json_writer_key(w, "tid");
	json_writer_u64(w, event->tid);
	json_writer_key(w, "seq");
	json_writer_u64(w, event->seq);
	json_writer_key(w, "tracepoint");
	json_writer_string(w, row->full_name);
	json_writer_key(w, "args");
	json_writer_begin_object(w);
	for (unsigned i = 0; i < event->args_cnt; i++) {
		char name[32];

		snprintf(name, sizeof(name), "argument_%u", i + 1);
		json_writer_key(w, i < row->args_cnt ? row->args[i].name : name);
		write_value(w, &event->args[i]);
		if (event->args[i].state != VALUE_CUT)
			continue;
		snprintf(name, sizeof(name), "argument_%u_cut", i + 1);
		json_writer_key(w, name);
		json_writer_bool(w, true);
	}
	json_writer_end_object(w);
	json_writer_end_object(w);
	char *text = json_writer_take(w, NULL);
	json_writer_free(w);
	return text;
}

static bool
write_events(const char *dir, const struct event *events, size_t cnt)
{
	FILE *file = create(dir, "events.jsonl");
	bool ok = file != NULL;

	for (size_t i = 0; i < cnt && ok; i++) {
		char *line = event_json(&events[i]);

		ok = fprintf(file, "%s\n", line) > 0;
		free(line);
	}
	return finish(file, ok, dir, "events.jsonl");
}

/* A new folder: what an earlier run left is not mixed with this one's. NULL after telling why. */
static char *
make_scenario_dir(struct artifacts *artifacts, const char *name)
{
	enum { TRIES_MAX = 10000 };

	for (int nth = 1; nth < TRIES_MAX; nth++) {
		char *dir = nth == 1 ? xasprintf("%s/%s", artifacts->dir, name)
				     : xasprintf("%s/%s.%d", artifacts->dir, name, nth);

		if (!mkdir(dir, 0777)) {
			give_to_caller(dir);
			return dir;
		}
		int error = errno;
		if (error != EEXIST)
			fprintf(stderr, "tpcheck: failed to make the folder '%s' for artifacts: %s\n", dir,
				strerror(error));
		free(dir);
		if (error != EEXIST)
			return NULL;
	}
	return NULL;
}

char *
artifacts_keep(struct artifacts *artifacts, const char *name, struct node *node, const struct event *events,
	       size_t events_cnt, const struct report_result *result, const char *probes_text)
{
	struct diag diag;
	char *dir = make_base(artifacts) ? make_scenario_dir(artifacts, name) : NULL;

	if (!dir)
		return NULL;
	char *findings = report_findings_json(&result->findings);
	char *command = xasprintf("%s\n", result->repeat ? result->repeat : "");
	write_text(dir, "findings.json", findings);
	write_text(dir, "command", command);
	if (result->reason)
		write_text(dir, "reason", result->reason);
	if (probes_text)
		write_text(dir, "probes.c", probes_text);
	write_events(dir, events, events_cnt);
	if (node) {
		char *log = xasprintf("%s/debug.log", dir);

		int code = node_save_log(node, log, &diag);
		/* A node that did not get so far has none. */
		if (!code)
			give_to_caller(log);
		else if (code != -ENOENT)
			fprintf(stderr, "tpcheck: %s\n", diag.text);
		free(log);
	}
	free(findings);
	free(command);
	return dir;
}

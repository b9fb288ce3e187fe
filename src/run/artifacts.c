#include "run/artifacts.h"

#include "base/json.h"
#include "base/text.h"
#include "base/xmem.h"
#include "contract/contract.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL_BYTES = 24 << 10 };

/* A scenario's folder, which somebody may have replaced since. */
struct kept {
	dev_t dev;
	ino_t ino;
};

struct artifacts {
	char *dir, *tmp_dir;
	int dir_fd; /* -1: not made yet */
	uid_t uid;
	gid_t gid;
	bool is_temporary;   /* dir is a new folder in tmp_dir */
	bool has_complained; /* that there is none */
	struct kept *kept;
	size_t kept_cnt;
	pthread_mutex_t lock; /* for what is made, and for kept */
};

struct artifacts *
artifacts_new(const struct artifacts_opts *opts)
{
	struct artifacts *artifacts = xcalloc(1, sizeof(*artifacts));

	artifacts->dir = opts->dir ? xstrdup(opts->dir) : NULL;
	artifacts->tmp_dir = xstrdup(opts->tmp_dir ? opts->tmp_dir : "/tmp");
	artifacts->dir_fd = -1;
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
	if (artifacts->dir_fd >= 0)
		close(artifacts->dir_fd);
	pthread_mutex_destroy(&artifacts->lock);
	free(artifacts->kept);
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
	if (!artifacts->dir || artifacts->dir_fd >= 0)
		return 0;
	int err = make_dirs(artifacts->dir);
	bool made = !err;
	int fd = err ? -1 : open(artifacts->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!err && (fd < 0 || access(artifacts->dir, W_OK | X_OK)))
		err = -errno;
	if (err && fd >= 0)
		close(fd);
	if (err)
		return diag_fail(diag, err,
				 "failed to %s the folder '%s' for artifacts: %s; choose another place",
				 made ? "use" : "make", artifacts->dir, strerror(-err));
	artifacts->dir_fd = fd;
	return 0;
}

/* Under sudo, what is kept is for the caller. By a descriptor: whoever owns the folder around it may have put a file
 * of root's, which must not become theirs, in its place. */
static void
give_away(const struct artifacts *artifacts, int fd, const char *dir, const char *name)
{
	if (geteuid() == 0 && artifacts->uid && fchown(fd, artifacts->uid, artifacts->gid))
		fprintf(stderr, "tpcheck run: failed to give '%s%s%s' to user %u: %s\n", dir, name ? "/" : "",
			name ? name : "", (unsigned)artifacts->uid, strerror(errno));
}

static bool
is_empty(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool is = dir != NULL;

	while (is && (entry = readdir(dir)))
		is = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	if (dir)
		closedir(dir);
	return is;
}

/* Opens a folder that was just made. -ESTALE: under sudo, something else is there. */
static int
open_new_dir(const struct artifacts *artifacts, int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (geteuid() || !artifacts->uid || (!fstat(fd, &st) && !st.st_uid && is_empty(fd)))
		return fd;
	close(fd);
	return -ESTALE;
}

static void
print_no_folder(const char *parent, int errnum)
{
	fprintf(stderr,
		"tpcheck run: failed to make a folder for artifacts in '%s': %s; choose another place with --artifacts=DIR\n",
		parent, errnum == ESTALE ? "something else was put in its place" : strerror(errnum));
}

static bool
make_base(struct artifacts *artifacts)
{
	if (artifacts->dir_fd >= 0)
		return true;
	if (artifacts->dir)
		return !artifacts_prepare(artifacts, NULL);
	char *dir = xasprintf("%s/tpcheck-XXXXXX", artifacts->tmp_dir);
	int fd = mkdtemp(dir) ? open_new_dir(artifacts, AT_FDCWD, dir) : -errno;
	if (fd < 0) {
		if (!artifacts->has_complained)
			print_no_folder(artifacts->tmp_dir, -fd);
		artifacts->has_complained = true;
		free(dir);
		return false;
	}
	give_away(artifacts, fd, dir, NULL);
	artifacts->dir = dir;
	artifacts->dir_fd = fd;
	artifacts->is_temporary = true;
	return true;
}

/* A scenario's folder. Whoever gets it may change it at once, and root must not be led elsewhere by that: what is in it
 * is opened by fd. */
struct place {
	const struct artifacts *artifacts;
	char *dir;
	int fd;
};

/* Never an existing file or a link. */
static int
create(const struct place *place, const char *name)
{
	int fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);

	if (fd >= 0)
		give_away(place->artifacts, fd, place->dir, name);
	return fd;
}

static FILE *
create_file(const struct place *place, const char *name)
{
	int fd = create(place, name);

	return fd < 0 ? NULL : fdopen(fd, "w");
}

static void
print_not_written(const struct place *place, const char *name)
{
	fprintf(stderr, "tpcheck run: failed to write '%s/%s': %s\n", place->dir, name, strerror(errno));
}

static void
finish(FILE *file, bool ok, const struct place *place, const char *name)
{
	if (file && fclose(file))
		ok = false;
	if (!ok)
		print_not_written(place, name);
}

static void
write_text(const struct place *place, const char *name, const char *text)
{
	FILE *file = create_file(place, name);

	finish(file, file && fputs(text, file) >= 0, place, name);
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
write_events(const struct place *place, const struct event *events, size_t cnt)
{
	FILE *file = create_file(place, "events.jsonl");
	bool ok = file != NULL;

	for (size_t i = 0; i < cnt && ok; i++) {
		char *line = event_json(&events[i]);

		ok = fprintf(file, "%s\n", line) > 0;
		free(line);
	}
	finish(file, ok, place, "events.jsonl");
}

static void
save_node_file(const struct place *place, const char *name, struct node *node,
	       int (*save)(struct node *node, int to, struct diag *diag))
{
	int fd = create(place, name);
	struct diag diag;

	if (fd < 0) {
		print_not_written(place, name);
		return;
	}
	int err = save(node, fd, &diag);
	if (err == -ENOENT) /* the node ended before it had one */
		unlinkat(place->fd, name, 0);
	else if (err)
		fprintf(stderr, "tpcheck run: '%s': %s\n", place->dir, diag.text);
	if (close(fd) && !err)
		print_not_written(place, name);
}

/* Always a new one, apart from what an earlier run left. False after printing why. */
static bool
make_place(const struct artifacts *artifacts, const char *name, struct place *place)
{
	enum { TRIES_MAX = 10000 };
	int err = -EEXIST;

	*place = (struct place){.artifacts = artifacts, .fd = -1};
	for (int nth = 1; nth < TRIES_MAX && err == -EEXIST; nth++) {
		free(place->dir);
		place->dir = nth == 1 ? xasprintf("%s/%s", artifacts->dir, name)
				      : xasprintf("%s/%s.%d", artifacts->dir, name, nth);
		const char *base = strrchr(place->dir, '/') + 1;
		err = mkdirat(artifacts->dir_fd, base, 0777) ? -errno : 0;
		if (!err)
			place->fd = open_new_dir(artifacts, artifacts->dir_fd, base);
	}
	if (place->fd >= 0) {
		give_away(artifacts, place->fd, place->dir, NULL);
		return true;
	}
	print_no_folder(artifacts->dir, err ? -err : -place->fd);
	free(place->dir);
	return false;
}

static void
remember(struct artifacts *artifacts, const struct place *place)
{
	struct stat st;

	if (fstat(place->fd, &st))
		return;
	pthread_mutex_lock(&artifacts->lock);
	artifacts->kept = xreallocarray(artifacts->kept, artifacts->kept_cnt + 1, sizeof(*artifacts->kept));
	artifacts->kept[artifacts->kept_cnt++] = (struct kept){.dev = st.st_dev, .ino = st.st_ino};
	pthread_mutex_unlock(&artifacts->lock);
}

char *
artifacts_keep(struct artifacts *artifacts, const char *name, struct node *node, const struct event *events,
	       size_t events_cnt, struct report_result *result, const char *probes_text)
{
	struct place place;

	if (node) {
		result->log_tail = node_log_tail(node, TAIL_BYTES);
		result->output_tail = node_output_tail(node, TAIL_BYTES);
	}
	pthread_mutex_lock(&artifacts->lock);
	bool is_made = make_base(artifacts);
	pthread_mutex_unlock(&artifacts->lock);
	if (!is_made || !make_place(artifacts, name, &place))
		return NULL;
	remember(artifacts, &place);
	char *findings = report_findings_json(&result->findings);
	char *command = xasprintf("%s\n", result->repeat ? result->repeat : "");
	write_text(&place, "findings.json", findings);
	write_text(&place, "command", command);
	if (result->reason)
		write_text(&place, "reason", result->reason);
	if (probes_text)
		write_text(&place, "probes.c", probes_text);
	write_events(&place, events, events_cnt);
	if (node) {
		save_node_file(&place, "debug.log", node, node_save_log);
		save_node_file(&place, "output.txt", node, node_save_output);
	}
	close(place.fd);
	free(findings);
	free(command);
	return place.dir;
}

static bool
was_kept(struct artifacts *artifacts, int fd)
{
	struct stat st;
	bool was = false;

	if (fstat(fd, &st))
		return false;
	pthread_mutex_lock(&artifacts->lock);
	for (size_t i = 0; i < artifacts->kept_cnt && !was; i++)
		was = artifacts->kept[i].dev == st.st_dev && artifacts->kept[i].ino == st.st_ino;
	pthread_mutex_unlock(&artifacts->lock);
	return was;
}

void
artifacts_drop(struct artifacts *artifacts, const char *dir)
{
	static const char *const names[] = {"findings.json", "command",   "reason",    "probes.c",
					    "events.jsonl",  "debug.log", "output.txt"};
	const char *name = strrchr(dir, '/') + 1;
	int fd = openat(artifacts->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (was_kept(artifacts, fd)) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			unlinkat(fd, names[i], 0);
		unlinkat(artifacts->dir_fd, name, AT_REMOVEDIR);
	}
	close(fd);
}

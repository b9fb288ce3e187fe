#include "cli/binary.h"

#include "base/xmem.h"
#include "contract/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
on_chunk(void *cookie, const struct chunk *chunk)
{
	return release_traces_feed(cookie, chunk);
}

static bool
on_chunk_for_marks(void *cookie, const struct chunk *chunk)
{
	release_traces_feed_marks(cookie, chunk);
	return true;
}

static bool
has_context(const struct notes *notes, const char *context)
{
	for (size_t i = 0; i < notes_cnt(notes); i++)
		if (!strcmp(notes_site(notes, i)->provider, context))
			return true;
	return false;
}

/* Reads no more of the file than necessary. A version is in the first megabytes of the data, or else in the code. The
 * marks are needed only if there is no version, or if the wallet's tracepoints are missing. */
static int
find_release(struct binary *binary, int fd, unsigned release, struct diag *diag)
{
	struct notes *notes = binary->notes;
	bool has_wallet = has_context(notes, "coin_selection");
	int err = 0;

	if (!release)
		err = notes_scan_fd(notes, fd, false, on_chunk, &binary->traces, diag);
	if (!err && !release && !binary->traces.version[0])
		err = notes_scan_fd(notes, fd, true, on_chunk, &binary->traces, diag);
	if (!err && ((!release && !binary->traces.version[0]) || !has_wallet))
		err = notes_scan_fd(notes, fd, false, on_chunk_for_marks, &binary->traces, diag);
	/* Some linkers put constants into the same segment as the code. */
	if (!err && binary->traces.has_marks && !binary->traces.has_wallet_mark)
		err = notes_scan_fd(notes, fd, true, on_chunk_for_marks, &binary->traces, diag);
	if (err)
		return err;
	binary->has_no_wallet = !has_wallet && binary->traces.has_marks && !binary->traces.has_wallet_mark;
	release_guess(&binary->traces, notes_sites(notes), notes_cnt(notes), &binary->guess);
	if (release) {
		binary->guess = (struct release_guess){.release = release, .is_sure = true};
		snprintf(binary->guess.why, sizeof(binary->guess.why), "%s", BINARY_WHY_OPTION);
	}
	return 0;
}

/* A build of Bitcoin Core, with a release of its own, although it has no tracepoints. */
static bool
is_build(const struct binary *binary)
{
	return binary->absence == ABSENCE_NONE || binary->absence == ABSENCE_BUILD ||
	       binary->absence == ABSENCE_REMOVED;
}

static void
fill_report(struct binary *binary)
{
	const struct notes *notes = binary->notes;

	binary->report.machine = notes_machine(notes);
	binary->report.address_bytes = notes_address_bytes(notes);
	binary->report.is_big_endian = notes_is_big_endian(notes);
	binary->report.is_position_independent = notes_is_position_independent(notes);
	binary->report.sites = notes_sites(notes);
	binary->report.sites_cnt = notes_cnt(notes);
}

void
binary_open(struct binary *binary, const char *path, unsigned release)
{
	struct diag diag;

	*binary = (struct binary){.outcome = OUTCOME_ERROR, .report.path = path};
	int fd = notes_open_file(path, &diag);
	int err = fd < 0 ? fd : notes_open_fd(&binary->notes, fd, path, &diag);
	if (err)
		goto out;
	fill_report(binary);
	binary->absence = notes_find_absence(binary->notes, path, NULL, &diag);
	if (binary->absence != ABSENCE_NONE) {
		binary->outcome = absence_is_blind(binary->absence) ? OUTCOME_ERROR : OUTCOME_SKIP;
		binary->reason = xstrdup(diag.text);
	}
	if (!is_build(binary))
		goto out;
	err = find_release(binary, fd, release, &diag);
	if (err)
		goto out;
	if (binary->absence == ABSENCE_NONE)
		binary->outcome = OUTCOME_PASS;
	binary->report.release = release_name(binary->guess.release, binary->release_name);
	binary->report.why = binary->guess.why;
	if (binary->traces.version[0])
		binary->report.version = binary->traces.version;
out:
	if (err) {
		binary->outcome = OUTCOME_ERROR;
		free(binary->reason);
		binary->reason = xstrdup(diag.text);
	}
	if (fd >= 0)
		close(fd);
}

bool
binary_lost_tracepoints(const struct binary *binary)
{
	return binary->absence != ABSENCE_NONE && is_build(binary);
}

void
binary_close(struct binary *binary)
{
	notes_free(binary->notes);
	free(binary->reason);
	*binary = (struct binary){0};
}

unsigned
binary_find_release(const char *path, unsigned release)
{
	struct binary binary;

	binary_open(&binary, path, release);
	if (binary.outcome == OUTCOME_PASS)
		release = binary.guess.release;
	binary_close(&binary);
	return release ? release : RELEASE_MASTER;
}

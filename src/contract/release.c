/* Bitcoin Core's FormatFullVersion() contains its version as a text: "v25.0.0", "v28.0.0rc2", "v31.99.0-d84fc352cbc1" or,
 * in a build from a tag, "v28.0rc2". Compilers turn it into different things:
 *
 *   the text in .rodata, with its NUL                  clang, and older versions of GCC
 *   the first 16 bytes among other 16-byte constants   GCC, if it is that long; nothing shows where it ends
 *   pieces of 4 and 8 bytes in instructions            GCC on x86, if it is shorter: "v25." and ".0.0"
 *   nothing that can be found                          machines that build constants 16 bits at a time
 *
 * The text is therefore searched for outside of code, then in code. A sentence may contain a version, too ("removed in
 * v31.0."): it has a blank before it or a full stop after it, and counts only if the tracepoints agree.
 *
 * Without a version, the candidates are the releases whose contract the tracepoints violate least. The texts below
 * distinguish neighbours that have the same tracepoints. */
#include "contract/release.h"

#include "contract/contract.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	unsigned release; /* the first with it */
	const char *text;
} marks[] = {
	{26, "detecting (peer could be v1 or v2)"},
	{27, "Invalid nblocks. Must be a positive number or -1."},
	{28, "main, test, testnet4, signet, regtest"},
	{30, "mempool-script-verify-flag-failed"},
	{31, "cluster size limit exceeded"},
};
enum { MARKS_CNT = sizeof(marks) / sizeof(marks[0]) };

static const char wallet_mark[] = "Transaction needs a change address, but we can't generate it";

enum { VERSION_MAX = sizeof(((struct release_traces *)0)->version) };

enum trust {
	TRUST_NONE,
	TRUST_DOUBTFUL,
	TRUST_SURE,
};

static size_t
digits(const char *s, const char *end)
{
	size_t n = 0;

	while (s + n < end && isdigit((unsigned char)s[n]))
		n++;
	return n;
}

/* "v28." */
static bool
is_start(const char *s, const char *end)
{
	return end - s >= 4 && s[0] == 'v' && s[1] >= '2' && s[1] <= '9' && isdigit((unsigned char)s[2]) &&
	       s[3] == '.';
}

/* After the numbers: the end of the text, or what a build of a commit without a tag adds. */
static bool
is_end(const char *s, const char *end)
{
	if (s == end || *s == '\0')
		return true;
	if (*s++ != '-')
		return false;
	/* "-d84fc352cbc1", "-gd84f...", "-unk", and "-dirty" after these */
	return end - s >= 3 && (isxdigit((unsigned char)*s) || *s == 'g' || *s == 'u') &&
	       isalnum((unsigned char)s[1]) && isalnum((unsigned char)s[2]);
}

/* A text in one piece at s, where is_start: "v28.0", "v28.0.0", "v28.0rc2". out gets it without what a build adds. */
static enum trust
read_whole(const char *start, const char *s, const char *end, char out[VERSION_MAX])
{
	const char *at = s + 4;
	size_t n = digits(at, end);
	bool has_three = false;

	if (n == 0 || n > 2)
		return TRUST_NONE;
	at += n;
	if (end - at >= 2 && *at == '.' && (n = digits(at + 1, end)) > 0 && n <= 2) {
		at += 1 + n;
		has_three = true;
	}
	const char *after = at;
	if (end - at >= 3 && at[0] == 'r' && at[1] == 'c' && (n = digits(at + 2, end)) > 0 && n <= 2)
		after = at + 2 + n;
	snprintf(out, VERSION_MAX, "%.*s", (int)(after - s), s);
	bool in_sentence = s > start && (s[-1] == ' ' || s[-1] == '(' || isalnum((unsigned char)s[-1]));
	if (in_sentence)
		return TRUST_DOUBTFUL;
	return is_end(after, end) || after > at || (has_three && *after != '.') ? TRUST_SURE : TRUST_DOUBTFUL;
}

/* A text in pieces, in instructions: "v25." and soon after it ".0.0"; or "v28.0.0r" in one. */
static enum trust
read_pieces(const char *s, const char *end, char out[VERSION_MAX])
{
	enum { DISTANCE_MAX = 64 };
	const char *last = end - s > 4 + DISTANCE_MAX ? s + 4 + DISTANCE_MAX : end;

	if (end - s >= 7 && isdigit((unsigned char)s[4]) &&
	    ((s[5] == '.' && isdigit((unsigned char)s[6])) || (s[5] == 'r' && s[6] == 'c'))) {
		snprintf(out, VERSION_MAX, "%.*s", s[5] == '.' ? 7 : 5, s);
		return TRUST_SURE;
	}
	for (const char *at = s + 4; last - at >= 4; at++)
		if (at[0] == '.' && isdigit((unsigned char)at[1]) && at[2] == '.' &&
		    isdigit((unsigned char)at[3])) {
			snprintf(out, VERSION_MAX, "%.3s%.4s", s, at);
			return TRUST_SURE;
		}
	snprintf(out, VERSION_MAX, "%.3s", s);
	return TRUST_DOUBTFUL;
}

bool
release_traces_feed(struct release_traces *traces, const struct chunk *chunk)
{
	const char *start = chunk->bytes, *end = start + chunk->sz, *s = start;
	/* What begins in the last bytes comes again in the next chunk, complete. What begins with the first byte was
	 * seen in the previous chunk, together with the byte before it. */
	const char *last = chunk->is_last || chunk->sz < VERSION_MAX ? end : end - VERSION_MAX;
	char version[VERSION_MAX];

	if (!chunk->is_first && s < last)
		s++;
	while (!traces->version[0] && s < last && (s = memchr(s, 'v', (size_t)(last - s)))) {
		if (is_start(s, end)) {
			enum trust trust = read_whole(start, s, end, version);

			/* Some linkers put constants into the segment with the code. */
			if (chunk->is_code && trust != TRUST_SURE)
				trust = read_pieces(s, end, version);

			if (trust == TRUST_SURE)
				memcpy(traces->version, version, sizeof(version));
			else if (trust == TRUST_DOUBTFUL && !traces->doubtful[0])
				memcpy(traces->doubtful, version, sizeof(version));
		}
		s++;
	}
	return !traces->version[0];
}

void
release_traces_feed_marks(struct release_traces *traces, const struct chunk *chunk)
{
	traces->has_marks = true;
	for (size_t i = 0; i < MARKS_CNT; i++)
		if (!(traces->marks & UINT32_C(1) << i) &&
		    memmem(chunk->bytes, chunk->sz, marks[i].text, strlen(marks[i].text)))
			traces->marks |= UINT32_C(1) << i;
	if (!traces->has_wallet_mark && memmem(chunk->bytes, chunk->sz, wallet_mark, sizeof(wallet_mark) - 1))
		traces->has_wallet_mark = true;
}

/* How badly the tracepoints fit a release: how many are missing, extra, or of another type. */
static size_t
count_violations(const struct site *const *sorted, size_t cnt, unsigned release)
{
	struct findings findings = {0};
	size_t violations = 0;

	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get((enum tracepoint_id)id);
		const struct contract_tracepoint *then = contract_at((enum tracepoint_id)id, release);
		const struct site *site = NULL;

		for (size_t i = 0; i < cnt && !site; i++)
			if (site_is_of(sorted[i], row->context, row->name))
				site = sorted[i];
		if (then && site)
			violations += contract_check_site(then, site, &findings);
		else
			violations += (then != NULL) != (site != NULL);
	}
	findings_fini(&findings);
	return violations;
}

/* Only the first site of each tracepoint is needed. */
static size_t
keep_first(const struct site **sorted, size_t cnt)
{
	size_t first_cnt = 0;

	for (size_t i = 0; i < cnt; i++)
		if (!first_cnt || !site_is_like(sorted[first_cnt - 1], sorted[i]))
			sorted[first_cnt++] = sorted[i];
	return first_cnt;
}

struct range {
	unsigned first, last;
};

/* The releases that the tracepoints fit best; all of them if no tracepoint is documented. */
static struct range
range_of_sites(const struct site *sites, size_t sites_cnt)
{
	const struct site **sorted = sites_sort(sites, sites_cnt);
	size_t cnt = keep_first(sorted, sites_cnt), best = SIZE_MAX;
	struct range range = {RELEASE_FIRST, RELEASE_MASTER};
	bool any = false;

	for (size_t i = 0; i < cnt; i++)
		any |= contract_find(sorted[i]->provider, sorted[i]->name) != NULL;
	/* Releases with the same tracepoints are neighbours; if two such groups fit equally well, the later one
	 * counts. */
	for (unsigned release = RELEASE_FIRST; any && release <= RELEASE_MASTER; release++) {
		size_t violations = count_violations(sorted, cnt, release);

		if (violations > best)
			continue;
		if (violations < best || range.last != release - 1)
			range.first = release;
		range.last = release;
		best = violations;
	}
	free(sorted);
	return range;
}

/* Narrows the range by the texts that are there and those that are missing; *because gets one that is there. */
static struct range
narrow(struct range range, const struct release_traces *traces, const char **because)
{
	struct range narrowed = range;

	*because = NULL;
	if (!traces->has_marks)
		return range;
	for (size_t i = 0; i < MARKS_CNT; i++) {
		bool is_there = traces->marks & UINT32_C(1) << i;

		/* If a text is missing that all releases in the range have, texts prove nothing in this file. */
		if (!is_there && marks[i].release <= range.first) {
			*because = NULL;
			return range;
		}
		if (is_there) {
			if (marks[i].release > narrowed.first && marks[i].release <= range.last) {
				narrowed.first = marks[i].release;
				*because = marks[i].text;
			}
		} else if (marks[i].release > range.first && marks[i].release <= narrowed.last) {
			narrowed.last = marks[i].release - 1;
		}
	}
	/* Texts that contradict each other prove nothing. */
	if (narrowed.first > narrowed.last) {
		*because = NULL;
		return range;
	}
	return narrowed;
}

static void
format_range(struct range range, char out[40])
{
	char first[16], last[16];

	if (range.first == range.last)
		snprintf(out, 40, "%s", release_name(range.first, first));
	else
		snprintf(out, 40, "%s to %s", release_name(range.first, first),
			 release_name(range.last, last));
}

/* A version before the first release of the contract, or after the last. */
static bool
guess_beyond(const char *version, struct release_guess *guess)
{
	unsigned number = (unsigned)(version[1] - '0') * 10 + (unsigned)(version[2] - '0');
	char name[16];

	/* A master's version is that of the last release, with 99. */
	if (!strncmp(version + 3, ".99", 3))
		number++;

	if (number >= RELEASE_FIRST && number <= RELEASE_MASTER)
		return false;
	guess->release = number < RELEASE_FIRST ? RELEASE_FIRST : RELEASE_MASTER;
	snprintf(guess->why, sizeof(guess->why), "the file says %s; %s is the %s release that tpcheck knows",
		 version, release_name(guess->release, name), number < RELEASE_FIRST ? "first" : "last");
	return true;
}

void
release_guess(const struct release_traces *traces, const struct site *sites, size_t sites_cnt,
	      struct release_guess *guess)
{
	char by_sites[40], by_all[40];
	const char *because;
	unsigned doubtful;

	*guess = (struct release_guess){.release = RELEASE_MASTER};
	if (traces->version[0]) {
		if (guess_beyond(traces->version, guess))
			return;
		guess->is_sure = release_parse(traces->version, &guess->release);
		if (guess->is_sure) {
			snprintf(guess->why, sizeof(guess->why), "the file says %s", traces->version);
			return;
		}
	}
	struct range range = range_of_sites(sites, sites_cnt), narrowed = narrow(range, traces, &because);
	format_range(range, by_sites);
	if (range.first == RELEASE_FIRST && range.last == RELEASE_MASTER) {
		snprintf(guess->why, sizeof(guess->why),
			 "the file gives no version, and none of its tracepoints is documented");
		return;
	}
	guess->release = narrowed.last;
	if (traces->doubtful[0] && release_parse(traces->doubtful, &doubtful) && doubtful >= narrowed.first &&
	    doubtful <= narrowed.last) {
		guess->release = doubtful;
		snprintf(guess->why, sizeof(guess->why),
			 "the file contains the text %s, and its tracepoints fit %s best", traces->doubtful,
			 by_sites);
		return;
	}
	format_range(narrowed, by_all);
	snprintf(guess->why, sizeof(guess->why), "the file gives no version; its tracepoints fit %s best",
		 by_sites);
	if (!memcmp(&narrowed, &range, sizeof(range)))
		return;
	size_t len = strlen(guess->why), room = sizeof(guess->why) - len;
	if (because)
		snprintf(guess->why + len, room, ", and the texts found in it ('%s', ...) point to %s",
			 because, by_all);
	else
		snprintf(guess->why + len, room, ", and the texts missing from it point to %s", by_all);
}

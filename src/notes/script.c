#include "notes/script.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRIPT_BYTES = 16 << 10, PATH_BYTES = 256, LINE_BYTES = 200 };

static const char delimiters[] = " \t\"'`;|&()<>=";

/* Whether the word is the absolute path of a program whose name begins with bitcoin: bitcoind, bitcoin-node. */
static bool
is_bitcoin(const char *word)
{
	const char *slash = strrchr(word, '/');
	struct stat st;

	return *word == '/' && !strncmp(slash + 1, "bitcoin", 7) && !stat(word, &st) && S_ISREG(st.st_mode) &&
	       (st.st_mode & 0111);
}

static bool
find_path(const char *line, char *path, size_t path_sz)
{
	while (*line) {
		size_t len = strcspn(line, delimiters);

		if (len < path_sz) {
			memcpy(path, line, len);
			path[len] = '\0';
			if (is_bitcoin(path))
				return true;
		}
		line += len + (line[len] != '\0');
	}
	return false;
}

/* Only printable ASCII may reach a terminal. */
static void
replace_controls(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
}

void
script_find_program(int fd, char *text, size_t text_sz)
{
	char script[SCRIPT_BYTES + 1], path[PATH_BYTES], *rest = script, *line, *last = NULL;
	ssize_t n = pread(fd, script, SCRIPT_BYTES, 0);

	text[0] = script[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t");
		if (*line == '#')
			continue;
		if (find_path(line, path, sizeof(path))) {
			replace_controls(path);
			snprintf(text, text_sz, ": %s", path);
			return;
		}
		if (!strncmp(line, "exec ", 5))
			last = line;
	}
	if (!last)
		return;
	replace_controls(last);
	snprintf(text, text_sz, " (its line: %.*s)", LINE_BYTES, last);
}

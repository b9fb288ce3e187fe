#!/bin/sh
# Checks the rules for the sources that a machine can check: layers, names, habits, white space.
#
#	lint.sh <root of the source tree>
#
# Prints each offence as "file:line: text" and ends with 1 if there is any, with 2 if it could not look. Each rule
# is shown to find what it is for by lint_test.sh; a new rule needs its case there.
# shellcheck disable=SC2016 # the dollars are awk's
set -u
export LC_ALL=C

cd "${1:?usage: lint.sh <root>}" || exit 2
[ -d src ] || {
	echo "lint.sh: '$1' has no src" >&2
	exit 2
}

# sources <folder>...: the C and C++ files in the folders that exist.
sources() {
	for dir; do
		[ -d "$dir" ] && find "$dir" -type f \( -name '*.c' -o -name '*.h' -o -name '*.cc' -o -name '*.def' \)
	done | sort
}

# Scripts and build files, to which the rules about white space at the end of a line apply as well.
scripts() {
	for dir in src tests probes cmake tools .ci; do
		[ -d "$dir" ] && find "$dir" -type f \( -name '*.sh' -o -name '*.cmake' -o -name CMakeLists.txt \)
	done
	for file in CMakeLists.txt *.sh; do
		[ -f "$file" ] && echo "$file"
	done
}

# White space and line length. A line has 120 columns at most, where a tab goes to the next multiple of 8; what stands
# between quotes does not count, so that a message can stay on one line and be found with grep. A string may continue
# on the next line only after a newline, after argp's \v, or at the end of a clause.
check_text() {
	{
		sources src tests probes
		scripts
	} | xargs awk '
		function columns(line,    i, n, parts, width) {
			gsub(/[\200-\277]/, "", line) # a character of UTF-8 is one column
			n = split(line, parts, "\t")
			for (i = 1; i < n; i++) {
				width += length(parts[i])
				width += 8 - width % 8
			}
			return width + length(parts[n])
		}
		function report(text) { print FILENAME ":" FNR ": " text }
		/[ \t\r]$/ { report("blanks at the end of the line") }
		FILENAME ~ /\.(c|h|cc)$/ {
			bare = $0
			gsub(/"([^"\\]|\\.)*"/, "\"\"", bare)
			sub(/[ \t]*\\$/, "", bare)
			if (length($0) > 15 && columns(bare) > 120)
				report("the line has " columns(bare) " columns, 120 are allowed")
			if (FILENAME ~ /^src\// && /^[ \t]*"/ && before ~ /[^"]"[ \t\\]*$/ && before !~ /(\\[nv]|[.;:] |\\x..)"[ \t\\]*$/)
				report("a string continues in the middle of a sentence")
			# Blanks align what goes on from the line before, within the width of a tab.
			goes_on = FNR > 1 && before !~ /[;{}:]$/ && before !~ /\*\/$/ && before != ""
			if (FILENAME !~ /\.cc$/ && (/^        / || (/^ / && !/^ \*/ && !goes_on)))
				report("indented with blanks instead of tabs")
			if (/^\t* +\t/)
				report("a blank before a tab in the indentation")
			before = $0
		}
	' || return
	{
		sources src tests probes
		scripts
	} | while read -r file; do
		if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then
			echo "$file:$(awk 'END { print NR }' "$file"): no newline at the end of the file"
		fi
	done
}

# Layers and libraries by what is included (once), banned functions by what is called; comments and literals do not count.
check_code() {
	sources src tests | xargs awk '
		BEGIN {
			# What each layer may include besides itself.
			may["base"] = ""
			may["contract"] = may["notes"] = may["probe"] = may["node"] = may["report"] = may["serve"] = "base"
			may["trace"] = "base contract"
			may["scene"] = "base node contract"
			may["scenario"] = "base node contract scene"
			may["run"] = "base node probe notes contract report trace scene"
			may["cli"] = "base node probe notes contract report serve trace scene scenario run"
			# Where each library is used, and nowhere else.
			library["<bcc/"] = "^src/probe/bpf/bcc_shim\\.cc$"
			library["<cap-ng.h>"] = "^src/base/privileges\\.c$"
			library["<curl/"] = "^src/node/rpc\\.c$"
			library["<yajl/"] = "^src/base/json\\.c$"
			library["<openssl/"] = "^src/node/hash\\.c$"
			library["<microhttpd.h>"] = "^src/serve/http_module\\.c$"
			library["<libelf.h>"] = library["<gelf.h>"] = library["<elfutils/"] = "^src/(notes/|probe/ptrace/aside\\.c$)"
			banned_cnt = split("strcpy strcat sprintf gets atoi atol strtok system popen sleep usleep nanosleep", banned, " ")
			# A test may run a command.
			tests_may["system"] = tests_may["popen"] = 1
		}
		function report(text) { print FILENAME ":" FNR ": " text }
		function has_word(list, word) { return index(" " list " ", " " word " ") > 0 }
		# The line without comments and without what stands between quotes.
		function code_of(line,    out, c) {
			out = ""
			while (line != "") {
				if (in_comment) {
					if (!index(line, "*/"))
						return out
					line = substr(line, index(line, "*/") + 2)
					in_comment = 0
				}
				if (!match(line, /\/\*|\/\/|"|\047/))
					return out line
				out = out substr(line, 1, RSTART - 1)
				c = substr(line, RSTART, RLENGTH)
				line = substr(line, RSTART + RLENGTH)
				if (c == "//")
					return out
				if (c == "/*") {
					in_comment = 1
					out = out " "
					continue
				}
				while (line != "" && substr(line, 1, 1) != c)
					line = substr(line, substr(line, 1, 1) == "\\" ? 3 : 2)
				line = substr(line, 2)
				out = out c c
			}
			return out
		}
		# src/probe has a subfolder for each backend. The shared part beside them includes nothing of it, except the
		# declaration that probe.c includes. A backend includes nothing of another one, and of the shared part only
		# three headers. Other layers include only probe.h.
		function check_probe_include(header,    folder, own) {
			folder = header
			if (!sub(/^"probe\//, "", folder))
				return
			folder = folder ~ /\// ? substr(folder, 1, index(folder, "/") - 1) : ""
			own = FILENAME
			own = sub(/^src\/probe\//, "", own) && own ~ /\// ? substr(own, 1, index(own, "/") - 1) : ""
			if (layer != "probe") {
				if (layer_is_src && header != "\"probe/probe.h\"")
					report("only src/probe may include " header "; other layers include \"probe/probe.h\"")
			} else if (!layer_is_src) {
				return
			} else if (own == "") {
				if (folder != "" && !(FILENAME == "src/probe/probe.c" && header == "\"probe/" folder "/backend.h\""))
					report("the shared part of src/probe must not include " header)
			} else if (folder != own && header !~ /^"probe\/(backend|probe|process)\.h"$/) {
				report("the backend " own " must not include " header)
			}
		}
		function check_include(    header, target, prefix) {
			header = $0
			sub(/^[ \t]*#[ \t]*include[ \t]*/, "", header)
			if (header !~ /\.def"/ && ((FILENAME, header) in included))
				report("includes " header " a second time")
			included[FILENAME, header] = 1
			if (header ~ /^</) {
				for (prefix in library)
					if (layer_is_src && index(header, prefix) == 1 && FILENAME !~ library[prefix])
						report("includes " header ", which is only for " library[prefix])
				return
			}
			check_probe_include(header)
			target = substr(header, 2)
			if (target !~ /^[a-z0-9_]+\//) {
				if (layer_is_src)
					report("includes " header " without naming its layer")
				return
			}
			sub(/\/.*/, "", target)
			if (!layer || target == layer)
				return
			if (!(layer in may))
				report("the layer " layer " is not known to lint.sh")
			else if (!has_word(may[layer], target))
				report("the layer " layer " must not include " header)
		}
		FNR == 1 {
			in_comment = 0
			# src/<layer>/..., and tests/unit/<layer>_<what>_test.c, which links only that layer.
			layer = FILENAME
			layer_is_src = sub(/^src\//, "", layer)
			if (layer_is_src)
				sub(/\/.*/, "", layer)
			else if (sub(/^tests\/unit\//, "", layer))
				sub(/_.*/, "", layer)
			else
				layer = ""
		}
		!in_comment && /^[ \t]*#[ \t]*include/ { check_include() }
		{
			code = code_of($0)
			if (code ~ /(^|[^A-Za-z0-9_])sig_atomic_t[ \t]*\*/)
				report("who is given a pointer may be another thread: atomic_int instead of sig_atomic_t")
			if (code !~ /\(/)
				next
			for (i = 1; i <= banned_cnt; i++)
				if (code ~ ("(^|[^A-Za-z0-9_])" banned[i] "[ \t]*\\(") && !(FILENAME ~ /^tests\// && banned[i] in tests_may))
					report(banned[i] " is banned")
			# The shim has to save what libbcc takes from the environment.
			if (layer_is_src && FILENAME !~ /^src\/(cli\/|probe\/bpf\/bcc_shim)/ && code ~ /(^|[^A-Za-z0-9_])(secure_)?getenv[ \t]*\(/)
				report("only src/cli reads the environment; pass the value on")
		}
	'
}

# A header says what it is for before anything else, and has the guard that its path gives.
check_headers() {
	sources src | grep '\.h$' | while read -r file; do
		guard=TPCHECK_$(echo "${file#src/}" | tr 'a-z/.-' 'A-Z___')
		awk -v guard="$guard" '
			function report(line, text) { print FILENAME ":" line ": " text }
			FNR == 1 && !/^\/[*\/]/ { report(1, "a header starts with a comment that says what it is for") }
			/^[ \t]*#/ {
				directives++
				if (directives == 1 && $0 != "#ifndef " guard)
					report(FNR, "the first directive has to be #ifndef " guard)
				if (directives == 2 && $0 != "#define " guard)
					report(FNR, "the second directive has to be #define " guard)
			}
			NF { last = $0; last_at = FNR }
			END {
				if (directives < 3)
					report(last_at + 0, "no include guard " guard)
				else if (last !~ /^#endif/)
					report(last_at, "the include guard has to end with the file")
			}
		' "$file" || exit
	done
}

# The checks report by printing; that one of them could not run must not look like "nothing found".
found=$(
	check_text && check_code && check_headers
	echo "done $?"
)
status=${found##*done }
found=${found%done *}
if [ -n "$found" ]; then
	printf '%s' "$found" | sort -t : -k 1,1 -k 2,2n
fi
if [ "$status" != 0 ]; then
	echo "lint.sh: a check could not run" >&2
	exit 2
fi
[ -z "$found" ]

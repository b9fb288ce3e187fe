#!/bin/sh
# Shows that each rule of lint.sh finds what it is for, and that it does not find what is fine: a small tree without
# offence, and one offence after the other put into a copy of it.
#
#	lint_test.sh
set -u
lint=$(cd "$(dirname "$0")" && pwd)/lint.sh
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
failed=0
cases=0

# The tree without offence. Its lines look like offences where that is allowed.
good=$dir/good
mkdir -p "$good/src/base" "$good/src/contract" "$good/src/notes" "$good/src/probe/bpf" "$good/src/node" \
	"$good/src/report" "$good/src/trace" "$good/src/scene" "$good/src/scenario" "$good/src/run" "$good/src/cli" "$good/tests/unit" "$good/probes" "$good/cmake"
(
	cd "$good" || exit
	cat >src/base/text.h <<'EOF'
/* Strict parsing. */
#ifndef TPCHECK_BASE_TEXT_H
#define TPCHECK_BASE_TEXT_H

#include <stddef.h>

int parse_text(const char *s);

#endif
EOF
	cat >src/base/text.c <<'EOF'
#include "base/text.h"

#include <stdio.h>
/* No call: strcpy(a, b). #include "cli/cli.h"
 * nor this: sleep(1)
#include <curl/curl.h>
 */
int
parse_text(const char *s)
{
	char line[80]; // system("x")
	int sleep = '"', strtok_cnt = '\'';

	snprintf(line, sizeof(line), "sprintf(%s) \" gets(x) %d", s, sleep); /* atoi(s) */
	fgets(line, my_strcpy(s, "'"), stdin);
	strncat(line, s, strtok_r(s, "/*", NULL));
	nanosleep_cnt(strtok_cnt);
	return sizeof(struct usleep) + sleep;
}

static int
two_lines(int first,
     int second)
{
	return first && second &&
	       first;
}
EOF
	# 120 columns: 8 of the tab, the rest of characters, of which some take more than a byte.
	printf '\t/* %0104d\303\244\342\202\254 */\n' 0 >>src/base/text.c
	# A message of any length; strings that continue after a newline, after a clause, and after argp's \v.
	cat >>src/base/text.c <<'EOT'
static const char *const message =
	"a message on one line, however long it is, because somebody will look for it with grep: that is what it is for; \"so\"";
static const char help[] =
	"usage: x\n"
	"Does it. "
	"Or not; "
	"both\v"
	"after all";
EOT
	echo '#include <yajl/yajl_gen.h>' >src/base/json.c
	printf '#include "base/text.h"\n#include "contract/contract.h"\n' >src/contract/decode.c
	printf '#include "base/text.h"\n#include <elf.h>\n#include <gelf.h>\n#include <libelf.h>\n' >src/notes/notes.c
	printf '#include "base/text.h"\n#include <bcc/BPF.h>\nclass x {\n  int y;\n};\n' >src/probe/bpf/bcc_shim.cc
	printf '#include "base/text.h"\n#include <poll.h>\n#include "probe/backend.h"\n' >src/probe/set.c
	printf '#include "probe/bpf/backend.h"\n#include "probe/set.h"\n' >src/probe/probe.c
	for header in backend probe process bpf/bpf; do
		echo "#include \"probe/$header.h\""
	done >src/probe/bpf/build.c
	printf '#include <curl/curl.h>\n' >src/node/rpc.c
	printf '#include <openssl/evp.h>\n' >src/node/hash.c
	printf '#include "base/text.h"\n' >src/report/report.c
	printf '#include "base/text.h"\n#include "contract/contract.h"\n' >src/trace/line.c
	for layer in base node contract scene; do
		echo "#include \"$layer/x.h\""
	done >src/scene/pool.c
	for layer in base node contract scene scenario; do
		echo "#include \"$layer/x.h\""
	done >src/scenario/sc_a.c
	for header in base/x node/x probe/probe notes/x contract/x report/x trace/x scene/x run/x; do
		echo "#include \"$header.h\""
	done >src/run/runner.c
	for header in base/x node/x probe/probe notes/x contract/x report/x trace/x scene/x scenario/x run/x cli/x; do
		echo "#include \"$header.h\""
	done >src/cli/main.c
	printf '\tx = getenv(y);\n' >>src/cli/main.c
	printf '#include "base/text.h"\n#include <libelf.h>\nint x = system("rm");\n' >tests/unit/base_text_test.c
	printf 'project(x)\n' >CMakeLists.txt
	printf 'if(x)\n  y()\nendif()\n' >cmake/find.cmake
	printf '#!/bin/sh\n    sleep 1\n' >tests/run.sh
	printf '/* In the kernel. */\n' >probes/prelude.bpf.c
	: >probes/empty.h
)

fail() {
	failed=$((failed + 1))
	echo "FAILED: $*"
}

# names <offence> <commands>: after the commands in a copy of the tree, lint.sh prints that line and no other.
names() {
	cases=$((cases + 1))
	rm -rf "$dir/tree"
	cp -R "$good" "$dir/tree"
	(cd "$dir/tree" && eval "$2") || fail "'$2' could not be done"
	got=$(sh "$lint" "$dir/tree" 2>&1)
	code=$?
	[ "$code" = 1 ] || fail "'$2': exit code $code"
	[ "$got" = "$1" ] || fail "'$2':
want: $1
got:  $got"
}

got=$(sh "$lint" "$good" 2>&1) || fail "the tree without offence: exit code $?"
[ -z "$got" ] || fail "the tree without offence:
$got"

# White space
names 'src/base/text.c:2: blanks at the end of the line' "sed -i '2s/\$/ /' src/base/text.c"
names 'src/base/text.h:4: blanks at the end of the line' "sed -i '4s/\$/\t/' src/base/text.h"
names 'src/cli/main.c:1: blanks at the end of the line' "sed -i '1s/\$/\r/' src/cli/main.c"
names 'src/probe/bpf/bcc_shim.cc:4: blanks at the end of the line' "sed -i '4s/\$/ /' src/probe/bpf/bcc_shim.cc"
names 'probes/prelude.bpf.c:1: blanks at the end of the line' "sed -i '1s/\$/ /' probes/prelude.bpf.c"
names 'CMakeLists.txt:1: blanks at the end of the line' "sed -i '1s/\$/ /' CMakeLists.txt"
names 'cmake/find.cmake:2: blanks at the end of the line' "sed -i '2s/\$/ /' cmake/find.cmake"
names 'tests/run.sh:2: blanks at the end of the line' "sed -i '2s/\$/ /' tests/run.sh"
names 'src/base/text.c:11: indented with blanks instead of tabs' "sed -i '11s/\t/        /' src/base/text.c"
names 'src/base/text.c:11: indented with blanks instead of tabs' "sed -i '11s/\t/    /' src/base/text.c"
names 'src/base/text.c:15: indented with blanks instead of tabs' "sed -i '15s/\t/  /' src/base/text.c"
names 'src/base/text.h:7: indented with blanks instead of tabs' "sed -i '7s/^/ /' src/base/text.h"
names 'src/base/text.c:26: indented with blanks instead of tabs' "sed -i '26s/\t/        /' src/base/text.c"
names 'src/base/text.c:11: a blank before a tab in the indentation' "sed -i '11s/\t/\t \t/' src/base/text.c"
names 'src/base/text.c:28: the line has 121 columns, 120 are allowed' "sed -i '28s/0/00/' src/base/text.c"
names 'src/base/text.c:30: the line has 121 columns, 120 are allowed' "sed -i '30s/^\t\(\".*\)/\tx = y(\1);$(printf %102s z)/' src/base/text.c"
names 'src/base/text.c:34: a string continues in the middle of a sentence' "sed -i '33s/\. \"/, \"/' src/base/text.c"
names 'src/base/text.c:34: a string continues in the middle of a sentence' "sed -i '33s/\. \"/\"/' src/base/text.c"
names 'probes/prelude.bpf.c:2: the line has 128 columns, 120 are allowed' \
	"printf '\t\t\t\t\t\t\t\t\t\t\t\t\t\t\tabcdefgh\n' >>probes/prelude.bpf.c"
names 'src/report/report.c:2: no newline at the end of the file' "printf 'int x;' >>src/report/report.c"
names 'src/report/report.c:1: no newline at the end of the file' "printf x >src/report/report.c"
names 'tests/run.sh:3: no newline at the end of the file' "printf x >>tests/run.sh"

# Layers: what each may not include. All pairs that are not allowed.
while read -r layer others; do
	for other in $others; do
		header=$other/x.h
		[ "$other" = probe ] && header=probe/probe.h
		names "src/$layer/y.c:2: the layer $layer must not include \"$header\"" \
			"printf '\n#include \"$header\"\n' >src/$layer/y.c"
	done
done <<'EOF'
base contract notes probe node report trace scene scenario run cli
contract notes probe node report trace scene scenario run cli
notes contract probe node report trace scene scenario run cli
probe contract notes node report trace scene scenario run cli
node contract notes probe report trace scene scenario run cli
report contract notes probe node trace scene scenario run cli
trace notes probe node report scene scenario run cli
scene notes probe report trace scenario run cli
scenario notes probe report trace run cli
run scenario cli
EOF
names 'src/base/text.h:5: the layer base must not include "node/x.h"' \
	"sed -i '5s/.*/#  include \"node\/x.h\"/' src/base/text.h"
names 'src/probe/bpf/bcc_shim.cc:1: the layer probe must not include "contract/x.h"' \
	"sed -i '1s/base.text/contract\/x/' src/probe/bpf/bcc_shim.cc"
names 'tests/unit/base_text_test.c:1: the layer base must not include "node/x.h"' \
	"sed -i '1s/base.text/node\/x/' tests/unit/base_text_test.c"
names 'src/base/text.c:1: includes "text.h" without naming its layer' "sed -i '1s/base.//' src/base/text.c"
names 'src/base/text.c:1: includes "../base/text.h" without naming its layer' \
	"sed -i '1s/base/..\/base/' src/base/text.c"
names 'src/wallet/y.c:1: the layer wallet is not known to lint.sh' \
	"mkdir src/wallet && echo '#include \"base/text.h\"' >src/wallet/y.c"

# The parts of src/probe
names 'src/probe/set.c:3: the shared part of src/probe must not include "probe/bpf/bpf.h"' \
	"sed -i '3s/backend/bpf\/bpf/' src/probe/set.c"
names 'src/probe/set.c:3: the shared part of src/probe must not include "probe/bpf/backend.h"' \
	"sed -i '3s/backend/bpf\/backend/' src/probe/set.c"
names 'src/probe/probe.c:1: the shared part of src/probe must not include "probe/bpf/sys.h"' \
	"sed -i '1s/backend/sys/' src/probe/probe.c"
names 'src/probe/bpf/build.c:4: the backend bpf must not include "probe/set.h"' \
	"sed -i '4s/bpf.bpf/set/' src/probe/bpf/build.c"
names 'src/probe/bpf/build.c:4: the backend bpf must not include "probe/ptrace/ptrace.h"' \
	"sed -i '4s/bpf.bpf/ptrace\/ptrace/' src/probe/bpf/build.c"
names 'src/run/runner.c:3: only src/probe may include "probe/set.h"; other layers include "probe/probe.h"' \
	"sed -i '3s/probe.probe/probe\/set/' src/run/runner.c"

names 'src/run/runner.c:4: includes "probe/probe.h" a second time' "sed -i '3p' src/run/runner.c"
names 'src/probe/set.c:3: includes <poll.h> a second time' "sed -i '2p' src/probe/set.c"

# Libraries, each where it belongs but for one file
names 'src/probe/set.c:2: includes <bcc/BPF.h>, which is only for ^src/probe/bpf/bcc_shim\.cc$' \
	"sed -i '2s/poll/bcc\/BPF/' src/probe/set.c"
names 'src/node/hash.c:1: includes <cap-ng.h>, which is only for ^src/base/privileges\.c$' \
	"sed -i '1s/openssl.evp/cap-ng/' src/node/hash.c"
names 'src/node/hash.c:1: includes <curl/curl.h>, which is only for ^src/node/rpc\.c$' \
	"sed -i '1s/openssl.evp/curl\/curl/' src/node/hash.c"
names 'src/node/rpc.c:1: includes <yajl/yajl_gen.h>, which is only for ^src/base/json\.c$' \
	"sed -i '1s/curl.curl/yajl\/yajl_gen/' src/node/rpc.c"
names 'src/node/rpc.c:1: includes <openssl/evp.h>, which is only for ^src/node/hash\.c$' \
	"sed -i '1s/curl.curl/openssl\/evp/' src/node/rpc.c"
names 'src/probe/set.c:2: includes <libelf.h>, which is only for ^src/(notes/|probe/ptrace/aside\.c$)' \
	"sed -i '2s/poll/libelf/' src/probe/set.c"
names 'src/probe/set.c:2: includes <gelf.h>, which is only for ^src/(notes/|probe/ptrace/aside\.c$)' \
	"sed -i '2s/poll/gelf/' src/probe/set.c"

# Banned functions, each in a source; and the ways in which a call can be written
for function in strcpy strcat sprintf gets atoi atol strtok system popen sleep usleep nanosleep; do
	names "src/report/report.c:2: $function is banned" "printf '\tx = $function(y);\n' >>src/report/report.c"
done
for function in strcpy atoi strtok usleep; do
	names "tests/unit/base_text_test.c:4: $function is banned" \
		"printf '\t(void)$function(y);\n' >>tests/unit/base_text_test.c"
done
names 'src/base/text.c:12: sleep is banned' "sed -i '12s/.*/\tsleep (1);/' src/base/text.c"
names 'src/base/text.c:12: atoi is banned' "sed -i '12s/.*/atoi(s);/' src/base/text.c"
names 'src/base/text.c:12: atoi is banned' "sed -i '12s/.*/\t\/* x *\/ puts(\"\\\\\\\\\"); atoi(s);/' src/base/text.c"
names 'src/base/text.h:8: who is given a pointer may be another thread: atomic_int instead of sig_atomic_t' \
	"sed -i '8s/.*/int wait_for(const volatile sig_atomic_t *flag);/' src/base/text.h"
names 'src/base/text.h:8: strcpy is banned' "sed -i '8s/.*/#define copy(a, b) strcpy(a, b)/' src/base/text.h"
names 'src/probe/bpf/bcc_shim.cc:4: popen is banned' "sed -i '4s/y;/y = popen(z);/' src/probe/bpf/bcc_shim.cc"

# The environment
names 'src/base/text.c:12: only src/cli reads the environment; pass the value on' \
	"sed -i '12s/.*/\ts = getenv(\"HOME\");/' src/base/text.c"
names 'src/node/rpc.c:2: only src/cli reads the environment; pass the value on' \
	"printf '\tx = secure_getenv(y);\n' >>src/node/rpc.c"

# Headers
names 'src/base/text.h:1: a header starts with a comment that says what it is for' "sed -i 1d src/base/text.h"
names 'src/base/text.h:2: the first directive has to be #ifndef TPCHECK_BASE_TEXT_H' \
	"sed -i '2s/TEXT/TXT/' src/base/text.h"
names 'src/base/text.h:3: the second directive has to be #define TPCHECK_BASE_TEXT_H' \
	"sed -i '3s/TEXT/TXT/' src/base/text.h"
names 'src/base/text.h:6: the include guard has to end with the file' \
	"sed -i '4s/.*/#endif/; 5,\$d' src/base/text.h && printf '\nint x;\n' >>src/base/text.h"
names 'src/node/p2p_peer.h:1: no include guard TPCHECK_NODE_P2P_PEER_H' "echo '/* A peer. */' >src/node/p2p_peer.h"

# Several offences are all reported, in order.
names 'CMakeLists.txt:1: blanks at the end of the line
src/base/text.c:2: blanks at the end of the line
src/base/text.c:12: sleep is banned' "sed -i '1s/\$/ /' CMakeLists.txt
	sed -i '2s/\$/ /; 12s/.*/\tsleep(1);/' src/base/text.c"

# Where it cannot look, it does not say that there is nothing.
sh "$lint" "$dir" >/dev/null 2>&1
[ $? = 2 ] || fail "a folder without src is taken"
sh "$lint" "$dir/absent" >/dev/null 2>&1
[ $? = 2 ] || fail "a folder that is not there is taken"
mkdir "$dir/bin"
printf '#!/bin/sh\nexit 3\n' >"$dir/bin/awk"
chmod +x "$dir/bin/awk"
PATH=$dir/bin:$PATH sh "$lint" "$good" >/dev/null 2>&1
[ $? = 2 ] || fail "an awk that fails goes unnoticed"

echo "$cases offences, $failed failed"
[ "$failed" = 0 ] && [ "$cases" -gt 60 ]

# Shared by the shell tests. A test script sources this, calls check and run, and ends with finish.
# shellcheck shell=sh
tpcheck=$1
checks=0
failures=0
scratch=$(mktemp -d /tmp/tpcheck-clitest-XXXXXX) || exit 99
chmod 755 "$scratch"
trap 'rm -rf "$scratch"' EXIT
trap 'exit 99' HUP INT TERM
skipped_part=

# skip_part TEXT: a part of the test cannot run here, which makes the whole test a skip.
skip_part() {
	echo "SKIP: $*"
	skipped_part=yes
}

# check WHAT COMMAND...: the command must succeed.
check() {
	what=$1
	shift
	checks=$((checks + 1))
	if ! "$@"; then
		failures=$((failures + 1))
		echo "FAILED: $what"
		echo "  command: $*"
		sed 's/^/  out: /' "$scratch/out" 2>/dev/null | head -n 12
		sed 's/^/  err: /' "$scratch/err" 2>/dev/null | head -n 12
	fi
}

# run CODE COMMAND...: the exit code must be CODE; output goes to $scratch/out and $scratch/err.
run() {
	want=$1
	shift
	checks=$((checks + 1))
	"$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	got=$?
	if [ "$got" != "$want" ]; then
		failures=$((failures + 1))
		echo "FAILED: exit code $got, want $want: $*"
		sed 's/^/  out: /' "$scratch/out" | head -n 12
		sed 's/^/  err: /' "$scratch/err" | head -n 12
	fi
}

says() { grep -q -e "$1" "$scratch/out"; }
complains() { grep -q -e "$1" "$scratch/err"; }
quiet() { [ ! -s "$scratch/err" ]; }
one_line_complaint() { [ "$(grep -c . "$scratch/err")" -le 2 ]; }

# json [-s] FILTER FILE: jq's result must be true; with -s the filter gets the file's values as one array.
json() { [ "$(jq -r "$@" 2>&1)" = true ]; }

# left_nothing DIR: tpcheck left nothing in its TMPDIR.
left_nothing() { [ -z "$(ls -A "$1")" ] || { ls -A "$1"; false; }; }

# await COMMAND...: waits until the command succeeds, at most 30 s.
await() {
	awaited=0
	until "$@" 2>/dev/null || [ $awaited = 1500 ]; do
		awaited=$((awaited + 1))
		sleep 0.02
	done
}

finish() {
	echo "$checks checks, $failures failed"
	[ "$failures" = 0 ] || exit 1
	[ -z "$skipped_part" ] || exit 77
	exit 0
}

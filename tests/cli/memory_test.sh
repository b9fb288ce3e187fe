#!/bin/sh
# Memory runs out: the reports are completed all the same, and nothing is left.
#
#	memory_test.sh <tpcheck> <module that lets an allocation fail> <refuse>
. "$(dirname "$0")/lib.sh"
starve=$2
refuse=$3
copy_bitcoind
unset BITCOIND
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR
command -v jq >/dev/null || {
	echo "SKIP: no jq; apt-get install jq"
	exit 77
}

# A report is complete, or it was being written: then it is empty. Nothing is in it twice.
is_whole_json() {
	[ ! -s "$scratch/r.json" ] || json '[.scenarios[].name] | length == '"$1"' and length == (unique | length)' "$scratch/r.json"
}
explains() {
	[ ! -s "$scratch/r.json" ] ||
		json '.summary.interrupted and ([.scenarios[] | select(.outcome == "error").reason] |
			all(. == "interrupted: out of memory") and length > 0)' "$scratch/r.json"
}
is_whole_tap() {
	! grep -q '^Bail out! interrupted$' "$scratch/r.tap" 2>/dev/null || [ "$(grep -c '^\(not \)\?ok ' "$scratch/r.tap")" = "$1" ]
}

# starve RESULTS TRIES COMMAND...: it runs out of memory in one call after another, sooner or later.
starve() {
	results=$1
	tries=$2
	shift 2
	at=$first
	explained=0
	while [ $tries -gt 0 ]; do
		tries=$((tries - 1))
		rm -f "$scratch/r.json" "$scratch/r.tap"
		env LD_PRELOAD="$starve" STARVE_AT=$at ${by_abort:+STARVE_BY_ABORT=yes} timeout -k 5 120 "$tpcheck" "$@" --format=text --report json="$scratch/r.json" \
			--report tap="$scratch/r.tap" >"$scratch/out" 2>"$scratch/err" </dev/null
		code=$?
		at=$((at + at / 3 + 1))
		# That call was of a library that does without.
		[ $code != 0 ] || continue
		check "$* at $at: ends with 99, not $code" [ $code = 99 ]
		check "$* at $at: says so" complains '^tpcheck: out of memory$'
		check "$* at $at: JSON is whole or empty" is_whole_json $results
		check "$* at $at: JSON gives the reason" explains
		check "$* at $at: TAP is whole" is_whole_tap $results
		await left_nothing "$TMPDIR" >"$scratch/left"
		check "$* at $at: nothing is left" left_nothing "$TMPDIR"
		[ ! -s "$scratch/r.json" ] || explained=$((explained + 1))
	done
	check "$*: the reason was given in reports" [ $explained -gt 3 ]
}

can_trace || {
	echo "SKIP: $(tail -n 1 "$scratch/out")"
	exit 77
}
by_abort=
first=1
starve 5 30 selftest
# Only libraries abort, and these are used later.
by_abort=yes
first=12
starve 5 20 selftest
by_abort=
first=1
# tpcheck then signals itself. Where getpid is refused, that would be a signal to everybody: it runs in a PID namespace with
# nobody but a witness.
case $(uname -m) in
x86_64) getpid=39 ;;
*) getpid=172 ;;
esac
alone='[ $$ = 1 ] || exit 77
sleep 1000 &
"$@"
code=$?
kill -0 $! || echo "the witness was killed" >&2
exit $code'
own_user=
[ "$(id -u)" = 0 ] || own_user='--user --map-root-user'
# shellcheck disable=SC2086 # two options, or none
alone() { unshare $own_user --pid --fork --kill-child sh -c "$alone" sh "$@"; }
if alone true 2>/dev/null; then
	rm -f "$scratch/r.json"
	run 99 alone timeout -k 5 120 "$refuse" $getpid 1 /usr/bin/env LD_PRELOAD="$starve" STARVE_AT=200 "$tpcheck" selftest \
		--report=json="$scratch/r.json"
	check "it ran out of memory, and then completed its report" json '.scenarios[0].reason == "interrupted: out of memory"' "$scratch/r.json"
	check "nobody else was signalled" sh -c "! grep -q 'the witness was killed' '$scratch/err'"
else
	skip_part "a sandbox without getpid: no PID namespace can be made (unshare --pid)"
fi
if can_check_bitcoind; then
	starve "$("$tpcheck" run --list 'utxocache.*' | wc -l)" 14 run --bitcoind="$bitcoind" 'utxocache.*'
else
	skip_part "run: no bitcoind that can be checked here; set BITCOIND, or put one into PATH"
fi
finish

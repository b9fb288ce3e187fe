#!/bin/sh
# What reads the output: readers that are stuck, late or gone, closed descriptors, full devices; and what messages show.
#
#	readers_test.sh <tpcheck> <refuse>
. "$(dirname "$0")/lib.sh"
refuse=$2
copy_bitcoind
unset BITCOIND
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR
command -v jq >/dev/null || {
	echo "SKIP: no jq; apt-get install jq"
	exit 77
}
esc=$(printf '\033')

lacks() { ! grep -q -e "$1" "$2"; }
has_ended() { ! kill -0 "$1" 2>/dev/null; }
# ends CODE PID: it ends with that code within the 30 s of await.
ends() {
	await has_ended "$2"
	has_ended "$2" 2>/dev/null || {
		kill -KILL "$2"
		echo "FAILED: it does not end"
	}
	wait "$2"
	got=$?
	[ $got = "$1" ] || {
		echo "FAILED: exit code $got, want $1"
		return 1
	}
}

# Closed descriptors. The reports are as if these were open.
"$tpcheck" selftest >"$scratch/out" 2>"$scratch/err"
code=$?
check "selftest ends with 0 or 77, not $code" [ $code = 0 -o $code = 77 ]
for program in "$tpcheck" "${tpcheck%/*}/tpcheck-full"; do
	[ -x "$program" ] || continue
	"$program" abi --format=json "$program" >"$scratch/abi.json"
	abi_code=$?
	for closed in '' '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
		rm -f "$scratch/closed.json" "$scratch/closed.tap"
		sh -c "exec '$program' selftest --report json='$scratch/closed.json' --report tap='$scratch/closed.tap' $closed" \
			>"$scratch/out" 2>"$scratch/err" </dev/null
		check "$program $closed: exit code" [ $? = $code ]
		check "$program $closed: JSON, and nothing else" jq -e '.scenarios | length == 5' "$scratch/closed.json" >/dev/null
		check "$program $closed: TAP, and nothing else" [ "$(grep -c '^ok ' "$scratch/closed.tap")" = 5 ]
		check "$program $closed: which begins with its version" [ "$(head -n 1 "$scratch/closed.tap")" = 'TAP version 14' ]
		check "$program $closed: no complaint" quiet
		sh -c "exec '$program' abi --format=json '$program' $closed" >"$scratch/out" 2>"$scratch/err" </dev/null
		check "$program abi $closed: exit code" [ $? = $abi_code ]
		check "$program abi $closed: no complaint" quiet
	done
done

# Output that cannot be written.
for arguments in --help --usage --version 'run --help' 'abi --help' 'diff --usage' 'trace --help' list 'list history' 'run --list' doctor; do
	for program in "$tpcheck" "${tpcheck%/*}/tpcheck-full"; do
		[ -x "$program" ] || continue
		run 99 sh -c "'$program' $arguments >/dev/full"
		check "$arguments: the reason" complains '^tpcheck: failed to write to standard output: No space left on device$'
	done
done

# Messages. Whatever was given, no terminal obeys it, and they stay readable.
long=$(printf '%0130000d' 0)
run 2 "$tpcheck" run --format="x${esc}[31m$(printf '\001\177\302\233\377')"
check "an option's value is escaped" complains 'format=x\\x1b\[31m\\x01\\x7f\\xc2\\x9b\\xff is none of text, json'
run 2 "$tpcheck" run "--${esc}[2J"
check "an unknown option is escaped" complains "unrecognized option '--.x1b\[2J'"
for arguments in "run --format=" "run --" "run " "abi --release=" "run --user=" "run --timeout=" "" "diff a b "; do
	# shellcheck disable=SC2086
	run 2 "$tpcheck" $arguments"$esc$long"
	check "$arguments: shortened" [ "$(wc -c <"$scratch/err")" -lt 4000 ]
	check "$arguments: but not silent" complains '0000 \[\.\.\. [0-9]* bytes \.\.\.\] 0000'
	check "$arguments: escaped" lacks "$esc" "$scratch/err"
done
run 2 "$tpcheck" run --format="$long"
check "the remedy is not cut off" complains '0 is none of text, json, tap, tap13, junit, github, html$'
run 99 "$tpcheck" abi "$scratch/none${esc}[31m"
check "a path is escaped" complains 'none\\x1b\[31m'
cp "$tpcheck" "$scratch/named${esc}[31m"
run 77 "$tpcheck" abi "$scratch/named${esc}[31m"
check "and on standard output" lacks "$esc" "$scratch/out"
BITCOIND="$scratch/none${esc}[31m" "$tpcheck" doctor >"$scratch/out" 2>"$scratch/err"
check "doctor escapes" lacks "$esc" "$scratch/out"
check "and shows it" says 'none\\x1b\[31m'
# No line of it can be forged, nor does its last one, the command that checks that bitcoind, control a terminal.
forged="
ok    start           forged${esc}[31m"
run 77 "$tpcheck" doctor --bitcoind="$scratch/none$forged"
check "doctor: a path with a line" says '^FAIL  bitcoind .*none\\x0aok    start           forged\\x1b\[31m'
check "doctor: no line is forged" lacks '^ok    start' "$scratch/out"

# A FIFO that nobody reads. It is waited for with a message; an interrupt ends that, in each command.
mkfifo "$scratch/fifo"
for arguments in "run --bitcoind=/bin/true" selftest "selftest --format=junit"; do
	for place in "--output=$scratch/fifo" "--report=json=$scratch/fifo"; do
		: >"$scratch/err"
		# shellcheck disable=SC2086
		"$tpcheck" $arguments "$place" >"$scratch/out" 2>"$scratch/err" &
		await complains "^tpcheck: waiting for a reader of the FIFO '$scratch/fifo'$"
		check "$arguments $place: what it waits for" complains "^tpcheck: waiting for a reader of the FIFO '$scratch/fifo'$"
		kill -INT $!
		check "$arguments $place: an interrupt ends it" ends 99 $!
		check "$arguments $place: why it ended" complains "report: interrupted while nobody read the FIFO '$scratch/fifo'$"
	done
done
: >"$scratch/err"
"$tpcheck" selftest --format=json --output="$scratch/fifo" >"$scratch/out" 2>"$scratch/err" &
await complains '^tpcheck: waiting for a reader'
cat "$scratch/fifo" >"$scratch/late.json"
check "a reader that comes late" ends $code $!
check "gets everything" jq -e '.scenarios | length == 5' "$scratch/late.json" >/dev/null

if [ $code = 0 ]; then
	# What libbcc prints is captured without memfd_create, too.
	case $(uname -m) in
	x86_64) memfd_create=319 ;;
	aarch64 | riscv64) memfd_create=279 ;;
	*) memfd_create= ;;
	esac
	if [ -z "$memfd_create" ]; then
		:
	elif [ -e "/lib/modules/$(uname -r)/build" ]; then
		skip_part "what libbcc prints: it finds kernel headers, and says nothing"
	elif ! "$tpcheck" selftest --attach=multi >"$scratch/out" 2>&1 && ! "$tpcheck" selftest --attach=perf >"$scratch/out" 2>&1; then
		skip_part "what libbcc prints: BPF cannot be used"
	else
		run 99 "$refuse" $memfd_create 38 "$tpcheck" selftest --headers=system
		check "without memfd_create: what libbcc prints is in the reason" says '^    .*Unable to find kernel headers'
		check "and nowhere else" [ "$(head -n 1 "$scratch/out" | cut -d' ' -f1)$(cat "$scratch/err")" = ERROR ]
	fi
else
	skip_part "what libbcc prints: $("$tpcheck" doctor | tail -n 1)"
fi

# stuck FREE: descriptor 3 is a pipe that nobody reads, with room for so many writes of at most 4096 bytes.
stuck() {
	rm -f "$scratch/stuck"
	mkfifo "$scratch/stuck"
	exec 3<>"$scratch/stuck"
	dd if=/dev/zero bs=4096 count=$((16 - $1)) >&3 2>/dev/null
}
# has_lines CNT FILE
has_lines() { [ "$(wc -l <"$2")" -ge "$1" ]; }
no_bitcoind() { ! pgrep -f "^$bitcoind " >/dev/null; }

if can_check_bitcoind; then
	run 0 "$tpcheck" doctor --bitcoind="$bitcoind" --env="X=$forged"
	check "doctor: the command, escaped" says "^This machine can check that bitcoind: tpcheck run --bitcoind=$bitcoind --env='X=\\\\x0aok    start           forged\\\\x1b\[31m'\$"
	check "doctor: and nothing after it" [ "$(tail -n 1 "$scratch/out" | cut -c 1-12)" = 'This machine' ]
	for streams in '>&3' '2>&3' '>&3 2>&3'; do
		for signal in INT TERM HUP; do
			stuck 4
			rm -f "$scratch/kept.json" "$scratch/kept.txt"
			: >"$scratch/out"
			: >"$scratch/err"
			sh -c "exec '$tpcheck' run --bitcoind='$bitcoind' --format=tap --report json='$scratch/kept.json' --report text='$scratch/kept.txt' $streams" \
				>"$scratch/out" 2>"$scratch/err" </dev/null &
			await has_lines 2 "$scratch/kept.txt"
			check "$streams: results arrived" has_lines 2 "$scratch/kept.txt"
			kill -$signal $!
			check "$streams: SIG$signal ends it" ends 99 $!
			check "$streams: JSON is complete" json '.summary.interrupted' "$scratch/kept.json"
			check "$streams: text is complete" grep -q '^[0-9]* passed, .* errors in ' "$scratch/kept.txt"
			check "$streams: no node is left" no_bitcoind
			check "$streams: no folder is left" left_nothing "$TMPDIR"
			[ "$streams" != '>&3' ] ||
				check "the report that was given up" complains '^tpcheck run: report: gave up writing the tap report to standard output: its reader does not read$'
			exec 3>&-
		done
	done
	# No room at all: trace cannot say that it is attached.
	for streams in '2>&3' '>&3 2>&3'; do
		stuck 0
		sh -c "exec '$tpcheck' trace --bitcoind='$bitcoind' $streams" >"$scratch/out" </dev/null &
		await pgrep -f "^$bitcoind " >"$scratch/pids"
		kill -INT $!
		await has_ended $!
		check "trace $streams: ends" has_ended $!
		kill -KILL $! 2>/dev/null
		wait $!
		check "trace $streams: no node is left" no_bitcoind
		check "trace $streams: no folder is left" left_nothing "$TMPDIR"
		exec 3>&-
	done
	# The verdict is there before what takes long.
	if "$tpcheck" selftest --attach=perf >"$scratch/out" 2>&1; then
		run 0 "$tpcheck" run --bitcoind="$bitcoind" --attach=perf 'utxocache.spent.chain'
		check "what takes long is announced" complains '^tpcheck run: the reports are complete; taking out the perf events'
	fi
	run 0 "$tpcheck" run --bitcoind="$bitcoind" 'utxocache.spent.chain'
	check "and nothing else" quiet
else
	skip_part "stuck readers: no bitcoind that can be checked here; set BITCOIND, or put one into PATH"
fi
finish

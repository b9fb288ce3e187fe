#!/bin/sh
# tpcheck run on a real bitcoind: verdicts, ways to attach, users, interrupts, leftovers, broken binaries.
. "$(dirname "$0")/lib.sh"
copy_bitcoind
if [ ! -x "$bitcoind" ]; then
	echo "SKIP: no bitcoind: set BITCOIND, or put one into PATH"
	exit 77
fi
if ! can_check_bitcoind; then
	skip_part "$(tail -n 1 "$scratch/out")"
	finish
fi
cp "$scratch/out" "$scratch/doctor"
run 0 "$tpcheck" doctor --bitcoind="$bitcoind" --env='NAME=two words'
check "doctor's last line is the command that it speaks of" [ "$(tail -n 1 "$scratch/out")" = "This machine can check that bitcoind: tpcheck run --bitcoind=$bitcoind --env='NAME=two words'" ]
check "it started bitcoind with that" says '^ok    start '
unset BITCOIND
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR

outcomes() { jq -c '[.scenarios[] | [.name, .outcome]] | sort' "$1"; }
alive() { pgrep -f -- "-datadir=$scratch/tmp" >/dev/null; }
not_alive() { ! alive; }

run 0 "$tpcheck" run --bitcoind="$bitcoind" --require
check "a summary at the end" sh -c "tail -n 1 '$scratch/out' | grep -Eq '^[1-9][0-9]* passed, 0 failed, 0 skipped, 0 errors in [0-9.]+ s \(bitcoind v[0-9.]+\)$'"
tail -n 1 "$scratch/out"
check "nothing on stderr" quiet
check "nothing left behind" left_nothing "$scratch/tmp"
for method in multi perf; do
	run 0 "$tpcheck" run --bitcoind="$bitcoind" --attach=$method --format=json --output="$scratch/$method.json"
	check "JSON has the attach method" json ".attach == \"$method\" and .summary.failed == 0 and (.scenarios | length) > 20" "$scratch/$method.json"
	check "JSON has node and findings" json '.node.version != null and (.scenarios | all(.findings | type == "array"))' "$scratch/$method.json"
done
check "both methods have equal results" [ "$(outcomes "$scratch/multi.json")" = "$(outcomes "$scratch/perf.json")" ]

# Checked as an older release: what came later is skipped.
run 77 "$tpcheck" run --bitcoind="$bitcoind" --release=28 'net.closed_connection.rpc'
check "a tracepoint that came later" says 'net:closed_connection came with v29; this bitcoind is checked as v28'

# Two runs at the same time do not affect each other.
"$tpcheck" run --bitcoind="$bitcoind" >"$scratch/other" 2>&1 </dev/null &
other=$!
run 0 "$tpcheck" run --bitcoind="$bitcoind"
wait $other
got=$?
check "the other run passed too" [ $got = 0 ]
[ $got = 0 ] || sed '/^PASS /d; s/^/  the other: /' "$scratch/other"

# Users.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && grep -q '^ok  *attach: multi' "$scratch/doctor"; then
	install_for_everybody
	user="setpriv --reuid=$uid --regid=$group --clear-groups"
	two=+bpf,+perfmon
	four=$two,+sys_admin,+net_admin
	if $user unshare --user --net true 2>/dev/null; then
		run 0 $user --inh-caps=$two --ambient-caps=$two "$tpcheck" run --bitcoind="$bitcoind" --require
		check "an ordinary user with two capabilities can run all" says ' passed, 0 failed, 0 skipped, 0 errors'
		run 0 $user "$tpcheck" run --bitcoind="$bitcoind" --require
		check "an ordinary user without any can run all" says ' passed, 0 failed, 0 skipped, 0 errors'
	else
		run 0 $user --inh-caps=$two --ambient-caps=$two "$tpcheck" run --bitcoind="$bitcoind" --format=json
		check "an ordinary user with two capabilities can run what needs no network namespace" json '.scenarios
			| all(.outcome == "pass" or (.outcome == "skip" and (.reason | contains("no network namespace"))))' "$scratch/out"
		check "what needs one" json '.scenarios[] | select(.name == "net.inbound_connection.networks").outcome == "skip"' "$scratch/out"
	fi
	run 0 $user --inh-caps=$four --ambient-caps=$four "$tpcheck" run --bitcoind="$bitcoind" --require
	check "an ordinary user with four capabilities can run all" says ' passed, 0 failed, 0 skipped, 0 errors'
fi
if [ "$(id -u)" = 0 ]; then
	run 2 "$tpcheck" run --bitcoind="$bitcoind" --user=nobody-of-that-name 'utxocache.add.outputs'
	check "a user that does not exist" complains 'nobody-of-that-name'
fi

# Interrupted at any time: a valid report, the documented exit code, and no process or file left.
for delay in 0.1 0.4 0.7 1.0; do
	rm -f "$scratch/interrupted.json"
	"$tpcheck" run --bitcoind="$bitcoind" --format=json --output="$scratch/interrupted.json" >"$scratch/out" 2>"$scratch/err" &
	pid=$!
	# Once the file exists, signals are caught; until then, a shell's background job ignores them.
	tries=0
	until [ -e "$scratch/interrupted.json" ] || [ $tries = 600 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	sleep $delay
	# Twice, as impatient people do.
	kill -INT $pid
	kill -QUIT $pid
	wait $pid
	code=$?
	check "interrupted after $delay s: exit code $code" [ $code = 99 ]
	check "the report has interrupted" json '.summary.interrupted and (.scenarios | length) > 20' "$scratch/interrupted.json"
	check "nothing left after an interrupt" left_nothing "$scratch/tmp"
	check "no bitcoind left" not_alive
done
# Whatever signal ends it: batch systems, timers and people send all of these.
for signal in USR1 USR2 ALRM VTALRM PROF IO XCPU PWR HUP RTMIN; do
	rm -f "$scratch/interrupted.json"
	"$tpcheck" run --bitcoind="$bitcoind" --format=json --output="$scratch/interrupted.json" >"$scratch/out" 2>"$scratch/err" &
	pid=$!
	await [ -e "$scratch/interrupted.json" ]
	kill -$signal $pid
	wait $pid
	code=$?
	check "SIG$signal: exit code $code" [ $code = 99 ]
	check "the report has interrupted" json '.summary.interrupted' "$scratch/interrupted.json"
	check "nothing left after SIG$signal" left_nothing "$scratch/tmp"
	check "no bitcoind left" not_alive
done
# The keeper removes what a killed one leaves.
has_datadir() { [ -n "$(find "$scratch/tmp" -maxdepth 1 -name 'tpcheck-node-*' -type d)" ]; }
is_empty() { [ -z "$(ls -A "$scratch/tmp")" ]; }
"$tpcheck" run --bitcoind="$bitcoind" >/dev/null 2>&1 &
pid=$!
await has_datadir
kill -KILL $pid
wait $pid 2>/dev/null
await not_alive
check "no bitcoind outlives a killed tpcheck" not_alive
await is_empty
check "nothing left by a killed tpcheck" left_nothing "$scratch/tmp"
# The keeper alone: it holds the probes, so there is no verdict from then on.
"$tpcheck" run --bitcoind="$bitcoind" --attach=multi 'utxocache.*' 'mempool.*' >"$scratch/out" 2>"$scratch/err" &
pid=$!
await says '^PASS '
kill -KILL "$(pgrep -P $pid -x usdt-keeper)"
wait $pid
code=$?
check "the keeper killed during a run: exit code $code" [ $code = 99 ]
check "the reason" says 'keeper: the process [0-9]* (usdt-keeper) was killed'
check "no failure" sh -c "! grep '^FAIL' '$scratch/out'"
await not_alive
rm -rf "$scratch/tmp"/tpcheck-*
# If the keeper was killed too, the next run does it, and leaves alone what belongs to one that runs.
"$tpcheck" run --bitcoind="$bitcoind" >/dev/null 2>&1 &
pid=$!
await has_datadir
keeper=$(pgrep -P $pid -x usdt-keeper)
check "a keeper" [ -n "$keeper" ]
kill -KILL $keeper $pid
wait $pid 2>/dev/null
await not_alive
check "the datadir stays" has_datadir
# A process that was about to become a bitcoind holds it for a moment.
for lock in "$scratch/tmp"/tpcheck-node-*.lock; do
	await flock -n "$lock" true
done
left=$(find "$scratch/tmp" -maxdepth 1 -name 'tpcheck-node-*' -type d)
"$tpcheck" trace --bitcoind="$bitcoind" >/dev/null 2>"$scratch/live" &
live=$!
await grep -q 'attached to' "$scratch/live"
check "the next run removes it" [ ! -e "${left%%
*}" ]
check "with its lock file" [ ! -e "${left%%
*}.lock" ]
run 0 "$tpcheck" run --bitcoind="$bitcoind" validation.block_connected.generate
check "a running one keeps its datadir" has_datadir
check "and its bitcoind" alive
kill -INT $live
wait $live
check "exit code of that one" [ $? = 0 ]
check "nothing left behind" left_nothing "$scratch/tmp"

# Binaries with patched notes.
LC_ALL=C sed 's/utxocache\x00spent\x00/utxocache\x00spenX\x00/' "$bitcoind" >"$scratch/renamed"
chmod 755 "$scratch/renamed"
run 1 "$tpcheck" run --bitcoind="$scratch/renamed" --format=json
check "a missing tracepoint fails only its own scenarios" json \
	'[.scenarios[] | select(.outcome != "pass") | .name] | length > 0 and all(startswith("utxocache.spent."))' "$scratch/out"
check "and is named in the findings" json \
	'[.scenarios[].findings[]] | all(.tracepoint == "utxocache:spent" and (.message | test("not in the binary")))' "$scratch/out"
check "artifacts are kept" [ -s "$(jq -r '[.scenarios[] | select(.artifacts)][0].artifacts' "$scratch/out")/findings.json" ]
rm -rf "$scratch/tmp"/tpcheck-*
# A missing tracepoint of the wallet is no reason for a skip if there is a wallet.
LC_ALL=C sed 's/coin_selection\x00selected_coins\x00/coin_selection\x00selected_coinX\x00/' "$bitcoind" >"$scratch/renamed"
run 1 "$tpcheck" run --bitcoind="$scratch/renamed" --format=json --artifacts="$scratch/kept" 'coin_selection.*'
check "a missing tracepoint of the wallet fails only its own scenarios" json \
	'[.scenarios[] | select(.outcome != "pass") | .name] | length > 0 and all(startswith("coin_selection.selected_coins."))' "$scratch/out"
# block_connected's height is passed as -4@: say 8@ in the note.
LC_ALL=C sed 's/\(block_connected\x008@[^ ]* \)-4@/\1-8@/' "$bitcoind" >"$scratch/widened"
chmod 755 "$scratch/widened"
run 1 "$tpcheck" run --bitcoind="$scratch/widened" --artifacts="$scratch/kept" validation.block_connected.generate
check "an undocumented width is named" says 'argument 2 (height) of validation:block_connected is 8 bytes, signed'
check "with the expected width" says 'want: 4 bytes, signed'
check "and the command to repeat the scenario" says "repeat with: '*$tpcheck'* run --bitcoind=$scratch/widened 'validation.block_connected.generate'"
check "artifacts are in the given folder" [ -s "$scratch/kept/validation.block_connected.generate/debug.log" ]
# A note with an address outside the code. Three words of 8 bytes precede the names.
cp "$bitcoind" "$scratch/nowhere"
at=$(LC_ALL=C grep -obUaP 'validation\x00block_connected\x00' "$scratch/nowhere" | head -n 1 | cut -d: -f1)
printf '\020\0\0\0\0\0\0\0' | dd of="$scratch/nowhere" bs=1 seek=$((at - 24)) conv=notrunc 2>/dev/null
run 1 "$tpcheck" run --bitcoind="$scratch/nowhere" --artifacts="$scratch/kept" validation.block_connected.generate utxocache.add.outputs
check "a probe outside the code is named" says 'validation:block_connected'
check "other scenarios pass" says '^PASS  utxocache.add.outputs'
check "each run keeps its own folder" [ -s "$scratch/kept/validation.block_connected.generate.2/findings.json" ]
# The launcher of v30 and later.
mkdir -p "$scratch/core/bin"
cp "$2/launcher_specimen" "$scratch/core/bin/bitcoin"
run 2 "$tpcheck" run --bitcoind="$scratch/core/bin/bitcoin"
check "a launcher without a node" complains "'$scratch/core/bin/bitcoin' is the launcher 'bitcoin', and neither bitcoind nor bitcoin-node is beside it"
run 77 "$tpcheck" doctor --bitcoind="$scratch/core/bin/bitcoin"
check "the same from doctor" says "^FAIL  bitcoind .* is the launcher 'bitcoin'"
cp "$bitcoind" "$scratch/core/bin/bitcoind"
run 0 "$tpcheck" run --bitcoind="$scratch/core/bin/bitcoin" validation.block_connected.generate
check "the node that the launcher starts is checked" says "^checking $scratch/core/bin/bitcoind"
run 0 "$tpcheck" doctor --bitcoind="$scratch/core/bin/bitcoin"
check "and named by doctor" says "^ok    bitcoind  *$scratch/core/bin/bitcoind\$"
run 0 "$tpcheck" trace --bitcoind="$scratch/core/bin/bitcoin" --duration=0.1
check "and traced" complains "attached to [0-9]* tracepoints"
# One that cannot start: doctor reports what run would trip over.
run 0 "$tpcheck" doctor --bitcoind="$bitcoind"
check "it starts" says '^ok    start  .*version v'
if [ "$(id -u)" = 0 ]; then
	cp "$bitcoind" "$scratch/private"
	chmod 700 "$scratch/private"
	run 77 "$tpcheck" doctor --bitcoind="$scratch/private"
	check "a file of mode 700" says "^FAIL  start .*failed to start '$scratch/private' as user 'nobody': execve: Permission denied; the user must be able to execute it (chmod a+rx"
	check "the end" says 'but that bitcoind cannot be checked: see above'
	mkdir -m 700 "$scratch/closed"
	run 77 env TMPDIR="$scratch/closed" "$tpcheck" doctor --bitcoind="$bitcoind"
	check "a TMPDIR that bitcoind's user cannot enter" says "^FAIL  start .*user 'nobody' cannot enter '$scratch/closed/tpcheck-node-.*'; set TMPDIR"
	check "no folder is left there" rmdir "$scratch/closed"
	run 77 env TMPDIR="$scratch/none" "$tpcheck" doctor --bitcoind="$bitcoind"
	check "a TMPDIR that does not exist" says "^FAIL  start .*failed to make a datadir in '$scratch/none': No such file"
	ls -A / "$HOME" >"$scratch/before"
	run 0 "$tpcheck" doctor --bitcoind="$scratch/private" --user=root
	ls -A / "$HOME" >"$scratch/after"
	check "nothing is created" cmp "$scratch/before" "$scratch/after"
fi
# The same needed library under a name of the same length that does not exist.
LC_ALL=C sed 's/libstdc++\.so\.6/libstdc++.so.0/g' "$bitcoind" >"$scratch/lacking"
chmod 755 "$scratch/lacking"
if ! cmp -s "$bitcoind" "$scratch/lacking"; then
	run 77 "$tpcheck" doctor --bitcoind="$scratch/lacking"
	check "a missing library" says "^FAIL  start .* cannot run: .*status 127: .*libstdc++.so.0: cannot open shared object file.*; install that library"
fi
# A program with tracepoints of others.
LC_ALL=C sed 's/misbehaving_connection/misbehavingXconnection/g; s/utxocache\x00flush/utxocache\x00flusX/g' "$2/strange_specimen" >"$scratch/strange"
chmod 755 "$scratch/strange"
run 99 "$tpcheck" run --bitcoind="$scratch/strange" validation.block_connected.generate
check "another program" says "none of the tracepoints in this program is Bitcoin Core's; give the path of a bitcoind"
# Nothing is written through symbolic links, because tpcheck may be root.
mkdir "$scratch/linked"
echo precious >"$scratch/precious"
ln -s "$scratch" "$scratch/linked/validation.block_connected.generate"
run 1 "$tpcheck" run --bitcoind="$scratch/nowhere" --artifacts="$scratch/linked" validation.block_connected.generate
check "a link is not followed" [ ! -e "$scratch/findings.json" ]
check "and the artifacts are kept beside it" [ -s "$scratch/linked/validation.block_connected.generate.2/findings.json" ]
run 2 "$tpcheck" run --bitcoind="$bitcoind" --artifacts="$scratch/precious" validation.block_connected.generate
check "a folder that is a file" complains "$scratch/precious"
if command -v objcopy >/dev/null; then
	objcopy --remove-section .note.stapsdt "$bitcoind" "$scratch/bare"
	chmod 755 "$scratch/bare"
	run 77 "$tpcheck" run --bitcoind="$scratch/bare"
	check "no tracepoints at all: the remedy" says 'WITH_USDT=ON'
	run 99 "$tpcheck" run --bitcoind="$scratch/bare" --require
	# The debug information alone is no verdict; what debuggers and packagers leave behind is.
	objcopy --only-keep-debug "$bitcoind" "$scratch/bitcoind.dbg"
	chmod 755 "$scratch/bitcoind.dbg"
	only_debug='it has only the debug information of a program, not its code'
	run 99 "$tpcheck" run --bitcoind="$scratch/bitcoind.dbg" validation.block_connected.generate
	check "debug information only: run" says "$only_debug"
	run 99 "$tpcheck" run --bitcoind="$scratch/bitcoind.dbg" --report=json="$scratch/many.json"
	check "one reason for all is printed once" [ "$(grep -c "$only_debug" "$scratch/out")" = 1 ]
	check "in few lines" [ "$(wc -l <"$scratch/out")" -lt 12 ]
	check "with the number of the others" says '^\.\.\. and 1[0-9][0-9] more scenarios, up to .*, for the same reason$'
	check "JSON has all" json '[.scenarios[] | select(.reason | test("debug information"))] | length == '"$("$tpcheck" run --list | wc -l)" "$scratch/many.json"
	run 77 "$tpcheck" doctor --bitcoind="$scratch/bitcoind.dbg"
	check "debug information only: doctor" says "$only_debug"
	run 99 "$tpcheck" trace --bitcoind="$scratch/bitcoind.dbg" --duration=1
	check "debug information only: trace" complains "$only_debug"
	strip -o "$scratch/stripped" "$bitcoind"
	chmod 755 "$scratch/stripped"
	run 0 "$tpcheck" run --bitcoind="$scratch/stripped" validation.block_connected.generate
fi
head -c 1000000 "$bitcoind" >"$scratch/cut"
chmod 755 "$scratch/cut"
run 99 "$tpcheck" run --bitcoind="$scratch/cut" validation.block_connected.generate
check "a truncated binary" says "$scratch/cut"
printf '\177ELF' >"$scratch/stub"
chmod 755 "$scratch/stub"
run 99 "$tpcheck" run --bitcoind="$scratch/stub" validation.block_connected.generate
rm -rf "$scratch/tmp"/tpcheck-*
check "nothing else left behind" left_nothing "$scratch/tmp"
finish

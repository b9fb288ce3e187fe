#!/bin/sh
# tpcheck trace: options, what it prints for the specimen and for a strange program, how it ends. Then a real bitcoind.
#	trace_test.sh <tpcheck> <strange specimen>
. "$(dirname "$0")/lib.sh"
strange=$2
copy_bitcoind
unset BITCOIND

# Wrong usage.
run 2 "$tpcheck" trace
check "no process" complains 'no process given'
run 2 "$tpcheck" trace --pid=1 --pid-file=x
check "two processes" complains 'exclude one another'
run 2 "$tpcheck" trace --pid=0
check "an invalid PID" complains 'pid=0'
run 2 "$tpcheck" trace --pid=1 --count=0
check "an invalid count" complains 'count=0'
run 2 "$tpcheck" trace --pid=1 --duration=1x
check "an invalid duration" complains 'duration=1x'
run 2 "$tpcheck" trace --pid=1 --duration=-1
check "an invalid duration" complains 'duration=-1'
run 2 "$tpcheck" trace --pid=1 --payload=32769
check "a payload that is too large" complains 'payload=32769'
run 2 "$tpcheck" trace --pid=1 --by=size
check "--by without --stats" complains 'need --stats'
run 2 "$tpcheck" trace --pid=1 --stats --by=size,
check "an empty name" complains 'by takes'
run 2 "$tpcheck" trace --pid=1 --format=xml
check "unknown format" complains 'format=xml'
run 2 "$tpcheck" trace --pid=1 -- -regtest
check "arguments without a bitcoind" complains "'-regtest'"
run 2 "$tpcheck" trace --bitcoind=x -- -daemonwait
check "a node in the background" complains 'would put bitcoind in the background'
run 2 "$tpcheck" trace --pid=1 --user=root
check "a user without a bitcoind" complains 'user needs --bitcoind'

if ! can_trace; then
	skip_part "the parts that trace: $("$tpcheck" doctor | tail -n 1)"
	finish
fi
run 2 "$tpcheck" trace --pid=2147483647
check "an unused PID" complains 'process 2147483647'
run 2 "$tpcheck" trace --bitcoind="$scratch/none"
check "a bitcoind that does not exist" complains "$scratch/none"
cp /bin/sleep "$scratch/plain"
"$scratch/plain" 60 &
plain=$!
until [ "$(readlink /proc/$plain/exe)" = "$scratch/plain" ]; do :; done
run 77 "$tpcheck" trace --pid=$plain
check "a process without tracepoints" complains 'no tracepoints'
kill $plain

# wait_for FILE PATTERN [COUNT]: waits until that many lines match, at most 20 s.
wait_for() {
	tries=0
	until [ "$(grep -c -e "$2" "$1" 2>/dev/null || :)" -ge "${3:-1}" ]; do
		tries=$((tries + 1))
		if [ $tries -gt 1000 ]; then
			failures=$((failures + 1))
			echo "FAILED: '$2' did not appear"
			sed 's/^/  /' "$1" | head -n 12
			return
		fi
		sleep 0.02
	done
}

# The specimen, which gets commands through descriptor 3.
mkfifo "$scratch/in"
begin_specimen() {
	"$@" <"$scratch/in" >"$scratch/answers" 3>&- &
	specimen=$!
	exec 3>"$scratch/in"
	said=0
}
send() {
	echo "$1" >&3
	said=$((said + 1))
	wait_for "$scratch/answers" done $said
}
end_specimen() {
	exec 3>&-
	wait $specimen 2>/dev/null
}
# trace ARGUMENT...: starts a trace in the background; returns once it has attached.
trace() {
	# Old output would mislead wait_for, because a background job truncates its files late.
	: >"$scratch/err"
	"$tpcheck" trace "$@" >"$scratch/out" 2>"$scratch/err" 3>&- &
	tracer=$!
	wait_for "$scratch/err" 'attached to'
}
# ends CODE: waits for the trace to end with that code.
ends() {
	wait $tracer
	got=$?
	check "exit code $got, want $1" [ $got = "$1" ]
}

begin_specimen "$(dirname "$tpcheck")/tpcheck-full" __specimen
send 'burst 0'

end_specimen

# A PID that is not the node's: what it is, and the node below it.
cp "$(dirname "$tpcheck")/tpcheck-full" "$scratch/node"
begin_specimen sh -c '"$0" __specimen; :' "$scratch/node"
send 'burst 0'
trace --pid=$specimen --count=1
node=$(sed -n "s/^tpcheck trace: process $specimen runs '.*', which is not Bitcoin Core and has no tracepoints; tracing process \([0-9]*\) ('.*\/node'), which it started\$/\1/p" "$scratch/err")
check "a shell, whose child is traced" [ -n "$node" ]
check "the child is attached to" complains "attached to 20 tracepoints of process $node\$"
send 'round 0'
ends 0
# The number of a thread; the kernel gives the next process another one.
trace --pid=$node
threaded=$tracer
thread=$(ls /proc/$threaded/task | grep -vx $threaded | head -n 1)
check "tpcheck trace has several threads" [ -n "$thread" ]
trace --pid="$thread"
check "a thread" complains "trace: $thread is a thread of process $threaded\$"
check "its process is attached to" complains "attached to 20 tracepoints of process $threaded\$"
kill -INT $tracer
ends 0
tracer=$threaded
kill -INT $tracer
ends 0
run 2 timeout 60 "$tpcheck" trace --pid=$specimen 'nonsense:*'
check "a pattern that the child's tracepoints do not match" complains "no tracepoint of the binary matches 'nonsense:\*'; it has .*utxocache:spent"
end_specimen
# A node that has none: why.
if command -v objcopy >/dev/null; then
	objcopy --remove-section .note.stapsdt "$scratch/node" "$scratch/removed" 2>/dev/null
	begin_specimen "$scratch/removed" __specimen
	send 'burst 0'
	run 77 timeout 60 "$tpcheck" trace --pid=$specimen
	check "a node whose tracepoints were removed" complains "process $specimen runs '$scratch/removed': '$scratch/removed' has no tracepoints: it was built with them, but its section .note.stapsdt was removed"
	end_specimen
fi
# Two nodes: which one is for the caller to say.
begin_specimen sh -c 'exec 4<&0; "$0" __specimen <&4 & "$0" __specimen; :' "$scratch/node"
await sh -c "[ \$(pgrep -f -c '^$scratch/node __specimen') = 2 ]"
run 77 timeout 20 "$tpcheck" trace --pid=$specimen
check "two children" complains "; use the PID of one of those that it started: process [0-9]* ('$scratch/node'), [0-9]* ('$scratch/node')\$"
end_specimen
await sh -c "! pgrep -f '^$scratch/node __specimen'"
# A child with one documented tracepoint, the first of its notes, beside one without any.
perl -0777 -pe 's/(\0misbehaving_connectio)n\0/$1 . ($others++ ? "X" : "n") . "\0"/ge; s/\0flush\0/\0flusX\0/g' "$strange" >"$scratch/one"
chmod 755 "$scratch/one"
begin_specimen sh -c 'sleep 600 & "$0"; kill $!' "$scratch/one"
wait_for "$scratch/answers" ready
trace --pid=$specimen --count=1
check "the child with one tracepoint is traced" complains "; tracing process [0-9]* ('$scratch/one'), which it started\$"
check "it is attached to" complains "attached to 1 tracepoint of process "
send go
ends 0
end_specimen
# The loader, asked to run a program; valgrind.
loader=$(ldd "$tpcheck" | sed -n 's/^[[:space:]]*\(\/[^ ]*\/ld[^ ]*\) .*/\1/p')
"$loader" /bin/sleep 60 &
held=$!
await sh -c "readlink /proc/$held/exe | grep -q '/ld'"
run 77 timeout 20 "$tpcheck" trace --pid=$held
check "the loader" complains "process $held is the loader '/.*', asked to run '/bin/sleep'"
kill $held
if command -v valgrind >/dev/null; then
	valgrind --quiet --log-file=/dev/null /bin/sleep 60 &
	held=$!
	await sh -c "readlink /proc/$held/exe | grep -q valgrind/"
	run 77 timeout 20 "$tpcheck" trace --pid=$held
	check "valgrind" complains "process $held runs '/bin/sleep' under valgrind"
	kill $held
fi
# A process that has ended, whose parent does not wait for it.
mkfifo "$scratch/end"
sh -c 'cat "$1" & echo $! >"$0"; exec sleep 60' "$scratch/ended" "$scratch/end" &
held=$!
await grep -q sleep /proc/$held/comm
: >"$scratch/end"
await sh -c "grep -q '^State:.Z' /proc/\$(cat '$scratch/ended')/status"
run 2 timeout 20 "$tpcheck" trace --pid="$(cat "$scratch/ended")"
check "a process that has ended" complains "process $(cat "$scratch/ended") has ended ('.*'); only its parent, process $held, has not noticed yet"
kill $held
if [ "$(cat /proc/2/comm 2>/dev/null)" = kthreadd ]; then
	run 77 timeout 20 "$tpcheck" trace --pid=2
	check "a thread of the kernel" complains "process 2 is a thread of the kernel ('kthreadd')"
fi
# The number in a container.
number=$(($(cat /proc/sys/kernel/pid_max) - 10))
if [ "$(id -u)" = 0 ] && [ ! -e /proc/$number ] &&
	[ "$(unshare --pid --fork --kill-child sh -c 'echo $(($0 - 1)) >/proc/sys/kernel/ns_last_pid && sh -c "echo \$\$"; :' $number 2>/dev/null)" = $number ]; then
	begin_specimen unshare --pid --fork --kill-child sh -c 'echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid; "$0" __specimen; :' "$scratch/node" $number
	send 'burst 0'
	run 2 timeout 20 "$tpcheck" trace --pid=$number
	check "the number in a container" complains "there is no process $number; in a container, $number is the number of process \([0-9]*\) ('$scratch/node'): use --pid=\1\$"
	end_specimen
else
	echo "not tried: the number of a process in a container"
fi

begin_specimen "$(dirname "$tpcheck")/tpcheck-full" __specimen
send 'burst 0'

# Lines: each argument with its unit.
trace --pid=$specimen --count=20 --payload=4
send 'round 0'
ends 0
check "20 lines" [ "$(wc -l <"$scratch/out")" = 20 ]
check "a message" says '^[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\.[0-9]\{6\} net:inbound_message peer_id=1001 address=t0a2 connection_type=t0a3 message_type=t0a4 size=100 B payload=001f3e5d<cut after 4 bytes>$'
check "a block" says ' validation:block_connected hash=120b04fdf6efe8e1dad3ccc5beb7b0a9a29b948d867f78716a635c554e474039 height=1114 transactions=2115 inputs=1116 sigops=1117 duration=1118 ns$'
check "a bool" says ' utxocache:add .* value=1148 sat is_coinbase=false$'
check "a summary" complains '20 events in [0-9.]* s, none lost'
trace --pid=$specimen --count=3
send 'round 0'
ends 0
check "no payload unless asked for" [ "$(grep -c payload "$scratch/out" || :)" = 0 ]
check "exactly three lines" [ "$(wc -l <"$scratch/out")" = 3 ]

# JSON, with the least and the greatest values: each line is an object.
for round in 0 1 2 3; do
	trace --pid=$specimen --count=40 --format=json --payload=32768
	send "round $round"
	ends 0
	check "40 objects" json -s 'length == 40 and all(.time_ns > 1600000000000000000 and .tid > 0 and (.args | type == "object"))' "$scratch/out"
	check "all tracepoints of the contract" json -s '[.[].tracepoint] | unique | length == 20' "$scratch/out"
	check "in order" json -s '[.[].time_ns] | . == sort' "$scratch/out"
done
check "long values are cut, and listed as cut" json -s 'any(.tracepoint == "net:inbound_message" and .cut == ["address", "connection_type", "message_type", "payload"] and (.args.payload | length) == 65536 and .args.size == 37089)' "$scratch/out"

# Chosen tracepoints.
trace --pid=$specimen --count=4 --format=json 'net:*_message' utxocache:flush
check "the number of tracepoints" complains 'attached to 3 tracepoints'
send 'round 0'
ends 0
check "only these" json -s '[.[].tracepoint] == ["net:inbound_message", "net:outbound_message", "utxocache:flush", "net:inbound_message"]' "$scratch/out"
run 2 "$tpcheck" trace --pid=$specimen 'utxocache:spend'
check "a misspelt tracepoint" complains "matches 'utxocache:spend'; it has .*utxocache:spent"

# Conditions: what jq finds among all events.
trace --pid=$specimen --count=160 --format=json
for round in 0 1 2 3; do send "round $round"; done
ends 0
cp "$scratch/out" "$scratch/all"
where() {
	trace --pid=$specimen --format=json "$@"
	for round in 0 1 2 3; do send "round $round"; done
	kill -INT $tracer
	ends 0
	for file in all out; do
		jq -c "select($filter) | del(.time_ns, .tid)" "$scratch/$file" >"$scratch/$file.filtered"
		[ $file = all ] || jq -c 'del(.time_ns, .tid)' "$scratch/$file" >"$scratch/out.whole"
	done
	check "$* shows something" [ -s "$scratch/out.whole" ]
	check "$* shows what it should" cmp -s "$scratch/all.filtered" "$scratch/out.whole"
}
for method in auto ptrace; do
	filter='.args.peer_id == 1001' where --attach=$method --where=peer_id=1001
	filter='(.args | has("size")) and .args.size > 100' where --attach=$method --where='size>100'
	filter='(.args | has("fee") and has("vsize")) and .args.fee < 0 and .args.vsize != -2147483390' where --attach=$method --where='fee<0' --where='vsize!=-2147483390'
	filter='(.args | has("reason")) and .args.reason != ""' where --attach=$method --where='reason!='
	filter='(.args.address // "" | test("^t.a2$")) and .args.network > 2036' where --attach=$method --where='address~t?a2' --where='network>2036'
done
check "what was filtered out is counted" complains '6 events in [0-9.]* s, 26 others filtered out, none lost'
run 2 "$tpcheck" trace --pid=1 --where='peer id=1'
check "a condition of a wrong form" complains "where: 'peer id=1' is not of the form NAME=VALUE"
run 2 "$tpcheck" trace --pid=1 $(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do echo --where=a=$i; done)
check "too many conditions" complains 'where can be repeated up to 16 times'
run 2 "$tpcheck" trace --pid=$specimen --where=peerid=1 'net:closed*'
check "an argument that is not there" complains "^tpcheck trace: --where='peerid=1': no selected tracepoint has an argument 'peerid'; they have peer_id, address, connection_type, network, established\$"
run 2 "$tpcheck" trace --pid=$specimen --where=peer_id=x
check "a value of another type" complains "^tpcheck trace: --where='peer_id=x': peer_id of net:[a-z_]* is a whole number, not 'x'\$"
run 2 "$tpcheck" trace --pid=$specimen --where=is_coinbase==maybe
check "a value that is no bool" complains "^tpcheck trace: --where='is_coinbase==maybe': is_coinbase of utxocache:[a-z]* is true or false, not 'maybe'\$"
run 2 "$tpcheck" trace --pid=$specimen --where='address<x'
check "an operator that does not suit" complains "address of net:[a-z_]* is a string: compare it by = != ~"
run 2 "$tpcheck" trace --pid=$specimen --where=peer_id=1 --where=coins=1
check "arguments of different tracepoints" complains 'no selected tracepoint has all the arguments'
# Names that no tracepoint has would leave statistics empty or undivided for ever.
for name in by=foo by=message_type,foo of=foo of=txid of=size,txid 'by=size --where=vout=1'; do
	for format in text openmetrics; do
		run 2 timeout 20 "$tpcheck" trace --pid=$specimen --stats --format=$format --$name
		check "--$name, $format" complains "^tpcheck trace: --[bo][yf]=[a-z]*: .*\(they have\|these can be measured:\) .*vout"
	done
done
trace --pid=$specimen --where=peer_id=1001 --stats --format=json
send 'round 0'
kill -INT $tracer
ends 0
check "in statistics" json '.events == 2 and .filtered == 12 and .lost == 0' "$scratch/out"

# Statistics.
trace --pid=$specimen --count=200000 --stats
send 'burst 200000'
ends 0
check "a table" says '^utxocache:add  200000 '
check "the last table has no current rate" sh -c "! grep -q now/s '$scratch/out'"
trace --pid=$specimen --count=80 --stats --format=json --by=message_type --of=size,duration
send 'round 0'
send 'round 0'
ends 0
check "one object" [ "$(wc -l <"$scratch/out")" = 1 ]
check "by message type" json '.events == 80 and .lost == 0 and ([.stats[] | select(.by.message_type == "t0a4")][0] | .count == 4 and .args.size.median == 100 and .args.size.sum == 400)' "$scratch/out"
trace --pid=$specimen --duration=1.3 --stats --format=json --interval=0.5
send 'burst 10'
ends 0
check "every half second, and at the end" json -s 'length == 3 and ([.[].events] == [10, 10, 10]) and .[1].stats[0].interval_count == 0' "$scratch/out"

# On a terminal the table is updated in place every second.
if command -v script >/dev/null; then
	: >"$scratch/typescript"
	script -qfec "exec '$tpcheck' trace --pid=$specimen --stats --duration=3.5" "$scratch/typescript" >/dev/null 2>&1 3>&- </dev/null &
	tracer=$!
	wait_for "$scratch/typescript" 'attached to'
	send 'burst 12'
	wait_for "$scratch/typescript" 'now/s' 2
	ends 0
	check "in place of the previous table" grep -q "$(printf '\033\[3A\r\033\[J')[0-9:.]*  12 events in" "$scratch/typescript"
	check "the last table has no current rate" sh -c "grep 'sum/s' '$scratch/typescript' | tail -n 1 | grep -qv now/s"
else
	skip_part "the table on a terminal: no script(1)"
fi

# Ends.
trace --pid=$specimen --duration=0.3
ends 0
check "the duration is kept" complains '0 events in 0\.[3-9] s, none lost'
trace --pid=$specimen
send 'burst 1000'
kill -INT $tracer
ends 0
check "an interrupt loses nothing" [ "$(wc -l <"$scratch/out")" = 1000 ]
check "and sums up" complains '1000 events in'
for signal in TERM HUP USR1 QUIT; do
	trace --pid=$specimen
	send 'burst 10'
	kill -$signal $tracer
	ends 0
	check "SIG$signal loses nothing" complains ' 10 events in'
done
# What is ignored stays so, as under nohup.
trap '' HUP
trace --pid=$specimen --count=20
trap - HUP
send 'burst 10'
kill -HUP $tracer
send 'burst 10'
ends 0
check "SIGHUP is ignored if it was" complains ' 20 events in'
mkfifo "$scratch/pipe"
head -n 3 <"$scratch/pipe" >"$scratch/head" &
reader=$!
: >"$scratch/err"
"$tpcheck" trace --pid=$specimen >"$scratch/pipe" 2>"$scratch/err" 3>&- &
tracer=$!
wait_for "$scratch/err" 'attached to'
send 'burst 10'
wait $reader
# No later event fails to be written.
ends 0
check "three lines for the reader" [ "$(wc -l <"$scratch/head")" = 3 ]
check "no message about a closed pipe" [ "$(wc -l <"$scratch/err")" = 1 ]
# A reader that does not read.
exec 8<>"$scratch/pipe"
: >"$scratch/err"
"$tpcheck" trace --pid=$specimen >"$scratch/pipe" 2>"$scratch/err" 3>&- 8>&- &
tracer=$!
wait_for "$scratch/err" 'attached to'
send 'burst 20000'
kill -TERM $tracer
ends 99
# A line of which only a part fitted counts as not shown.
fitted=$(perl -MFcntl -e 'fcntl(STDIN, F_SETFL, O_NONBLOCK); $lines += $part =~ tr/\n// while sysread(STDIN, $part, 65536); print $lines' <&8)
exec 8>&-
check "the number of unread events" complains "20000 events in .* s, none lost; $((20000 - fitted)) of these were not shown, because nobody read them"
: >"$scratch/err"
"$tpcheck" trace --pid=$specimen >/dev/full 2>"$scratch/err" 3>&- &
tracer=$!
wait_for "$scratch/err" 'attached to'
send 'burst 10'
ends 99
check "a full disk" complains 'failed to write to standard output: No space left'

# Losses: rings that are far too small.
trace --pid=$specimen --ring=1 --duration=60
send 'burst 1000000'
kill -INT $tracer
ends 99
check "losses are reported when they happen" complains 'lost [1-9][0-9]* events\{0,1\} (so far'
lost=$(sed -n 's/.* events in .* s, \([0-9]*\) lost$/\1/p' "$scratch/err")
check "and at the end, every single one" [ $((lost + $(wc -l <"$scratch/out"))) = 1000000 ]

# follow ARGUMENT...: starts a trace by a PID file, which then names a specimen until that ends.
follow() {
	: >"$scratch/err"
	rm "$scratch/pid"
	"$tpcheck" trace --pid-file="$scratch/pid" "$@" >"$scratch/out" 2>"$scratch/err" &
	tracer=$!
	wait_for "$scratch/err" "waiting for a PID there"
	begin_specimen "$(dirname "$tpcheck")/tpcheck-full" __specimen
	send 'burst 0'
	echo $specimen >"$scratch/pid"
	wait_for "$scratch/err" "attached to 20 tracepoints of process $specimen"
	end_specimen
}
# A PID file, with restarts.
end_specimen
: >"$scratch/err"
"$tpcheck" trace --pid-file="$scratch/pid" --format=json >"$scratch/out" 2>"$scratch/err" &
tracer=$!
wait_for "$scratch/err" "^tpcheck trace: node: there is no file '$scratch/pid'; waiting for a PID there\$"
for i in 1 2 3; do
	begin_specimen "$(dirname "$tpcheck")/tpcheck-full" __specimen
	send 'burst 0'
	echo $specimen >"$scratch/pid"
	wait_for "$scratch/err" "attached to 20 tracepoints of process $specimen"
	send "burst 7"
	end_specimen
	wait_for "$scratch/err" "process $specimen ended; waiting for a new PID in"
done
# A different program with the same PID file.
begin_specimen "$strange"
wait_for "$scratch/answers" ready
echo $specimen >"$scratch/pid"
wait_for "$scratch/err" "attached to 2 tracepoints of process $specimen"
send go
end_specimen
wait_for "$scratch/err" "process $specimen ended"
kill -INT $tracer
ends 0
check "the events of all processes" json -s 'length == 24 and ([.[].pid] | unique | length == 4)' "$scratch/out"
check "counts continue" complains '24 events in'
# A later program may lack an argument that statistics name.
follow --stats --by=vout --of=value
begin_specimen "$strange"
wait_for "$scratch/answers" ready
echo $specimen >"$scratch/pid"
wait_for "$scratch/err" "attached to 2 tracepoints of process $specimen"
end_specimen
wait_for "$scratch/err" "process $specimen ended"
kill -INT $tracer
ends 0
# If a process cannot be traced, the trace waits for its end, and fails at the end.
follow
"$scratch/plain" 60 &
plain=$!
echo $plain >"$scratch/pid"
wait_for "$scratch/err" "process $plain cannot be traced: .*no tracepoints"
kill $plain
kill -INT $tracer
ends 99

# Who kills the keeper takes out the probes: what happens from then on is not observed.
begin_specimen "$(dirname "$tpcheck")/tpcheck-full" __specimen
send 'burst 0'
for method in multi perf tracefs; do
	"$tpcheck" selftest --attach=$method >/dev/null 2>&1 || continue
	trace --pid=$specimen --attach=$method --duration=5
	send 'burst 100'
	kill -KILL "$(pgrep -P $tracer -x usdt-keeper)"
	send 'burst 1000'
	ends 99
	check "$method: the keeper was killed" complains 'keeper: the process [0-9]* (usdt-keeper) was killed'
done
end_specimen

# Undocumented tracepoints.
begin_specimen "$strange"
wait_for "$scratch/answers" ready
run 2 timeout 20 "$tpcheck" trace --pid=$specimen --stats --by=arg1
check "a name of a tracepoint that is not selected" complains "by=arg1: no selected tracepoint has an argument 'arg1'; they have "
trace --pid=$specimen --format=json --count=4 '*'
check "a note where notes and documentation differ" complains 'note: utxocache:flush has 6 arguments'
send go
ends 0
check "values by width and sign" json -s '.[2].tracepoint == "strange:thing" and .[2].args.arg1 == -1 and .[2].args.arg2 == 65535 and .[2].args.arg3 == -5 and .[2].args.arg5 == 7' "$scratch/out"
check "values as found in the binary" json -s '.[3].args == {"duration": -7, "mode": -2, "coins": 3, "memory": 4, "for_prune": 9, "arg6": 11}' "$scratch/out"
check "what cannot be read" json -s '.[1].args.reason == null and (.[1].errors.reason | test("not readable at 0x8: Bad address"))' "$scratch/out"
check "no control characters" [ -z "$(LC_ALL=C tr -d '\n\040-\176' <"$scratch/out" | LC_ALL=C tr -d '\357\277\275')" ]
trace --pid=$specimen --count=4 '*'
send go
ends 0
check "a likely address is also shown as hex" says ' strange:thing arg1=-2 arg2=65535 arg3=-5 arg4=[0-9]* (0x[0-9a-f]*) arg5=7$'
check "a hostile string" says " net:misbehaving_connection peer_id=2 reason='\\\\x1b\[31mred\\\\x1b\]0;title\\\\x07\\\\xc2\\\\x9b2J\\\\x0anext\\\\xff \\\\'quoted\\\\' \\\\\\\\'\$"
check "no control characters" [ -z "$(LC_ALL=C tr -d '\n\040-\176' <"$scratch/out")" ]
trace --pid=$specimen --stats --by=arg1 --of=arg2 --count=4 '*'
send go
ends 0
check "names that only the binary has" says '^strange:thing .* arg2 '
end_specimen

# On a real bitcoind.
if [ ! -x "$bitcoind" ]; then
	skip_part "the parts with a bitcoind: set BITCOIND, or put one into PATH"
	finish
fi
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR
alive() { pgrep -f -- "-datadir=$scratch/" >/dev/null; }
not_alive() { ! alive; }
trace --bitcoind="$bitcoind"
check "a private regtest" complains "bitcoin-cli -regtest -datadir=$scratch/tmp/tpcheck-node-"
check "bitcoind runs" alive
kill -INT $tracer
ends 0
check "bitcoind ends" not_alive
check "nothing left behind" left_nothing "$scratch/tmp"
trace --bitcoind="$bitcoind"
kill -KILL "$(pgrep -f -- "-datadir=$scratch/tmp")"
ends 99
check "it reports the signal" complains 'was killed by signal 9'
check "nothing left behind" left_nothing "$scratch/tmp"
mkdir -m 777 "$scratch/data"
run 0 "$tpcheck" trace --bitcoind="$bitcoind" --duration=1 utxocache:flush -- -regtest "-datadir=$scratch/data" -listen=0 -connect=0 -server=0
check "with the given arguments" [ -s "$scratch/data/regtest/debug.log" ]
check "it shut down cleanly" grep -q 'Shutdown done' "$scratch/data/regtest/debug.log"
check "no bitcoind left" not_alive
run 99 "$tpcheck" trace --bitcoind="$bitcoind" -- -regtest "-datadir=$scratch/nowhere"
check "the exit status of bitcoind" complains 'exited with status 1'
check "and its last output" complains "Specified data directory \"$scratch/nowhere\" does not exist"
: >"$scratch/err"
"$tpcheck" trace --bitcoind="$bitcoind" >"$scratch/out" 2>"$scratch/err" &
tracer=$!
wait_for "$scratch/err" 'attached to'
kill -KILL $tracer
wait $tracer 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do alive && sleep 0.2; done
check "no bitcoind outlives a killed tpcheck" not_alive
rm -rf "$scratch/tmp"/tpcheck-*
finish

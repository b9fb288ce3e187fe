#!/bin/sh
# tpcheck trace of several processes: by their PIDs, by a program's name, by a control group; they come and go.
#	many_test.sh <tpcheck>
. "$(dirname "$0")/lib.sh"
if ! can_trace; then
	skip_part "several processes: $("$tpcheck" doctor | tail -n 1)"
	finish
fi
node=$scratch/tpcheck-node$$
cp "$(dirname "$tpcheck")/tpcheck-full" "$node"
mkdir "$scratch/tmp"

# start N: the specimen N, which gets commands through descriptor N; its PID is in pid_N.
start() {
	rm -f "$scratch/in$1"
	mkfifo "$scratch/in$1"
	"$node" __specimen <"$scratch/in$1" >"$scratch/answers$1" 4>&- 5>&- 6>&- &
	eval "pid_$1=$! said_$1=0 exec_$1=yes"
	eval "exec $1>'$scratch/in$1'"
	send $1 'burst 0'
}
# send N COMMAND: without waiting for an answer if COMMAND ends with '&'.
send() {
	echo "${2%&}" >&$1
	eval "said_$1=\$((said_$1 + 1)) said=\$said_$1"
	case $2 in *'&') return ;; esac
	answered $1
}
answered() {
	eval "said=\$said_$1"
	await sh -c "[ \$(grep -c done '$scratch/answers$1') -ge $said ]"
}
stop() {
	eval "exec $1>&-; wait \$pid_$1"
}
# trace COUNT ARGUMENT...: a trace in the background, which has attached to that many processes.
trace() {
	want_cnt=$1
	shift
	: >"$scratch/err"
	TMPDIR=$scratch/tmp "$tpcheck" trace "$@" >"$scratch/out" 2>"$scratch/err" 4>&- 5>&- 6>&- &
	tracer=$!
	attached $want_cnt
}
attached() { await sh -c "[ \$(grep -c 'attached to' '$scratch/err') -ge $1 ]"; }
ends() {
	[ "$2" != by-itself ] && kill -INT $tracer
	wait $tracer
	got=$?
	check "exit code $got, want $1" [ $got = "$1" ]
}

start 4
start 5
for method in auto ptrace; do
	# The list that pidof prints; order by the clock, whatever process an event is of.
	# On a busy machine one may be over before the other begins, or a thread be held up so long that its event is late, which
	# tpcheck says: then again.
	is_mixed() { json -s '[.[].pid] as $p | [range(1; length) | select($p[.] != $p[. - 1])] | length > 10' "$scratch/out"; }
	for try in 1 2 3 4 5 6 7 8 9 10; do
		trace 2 --attach=$method --format=json --pid="$pid_4 $pid_5" utxocache:add
		send 4 'storm 5000&'
		send 5 'storm 5000&'
		answered 4
		answered 5
		ends 0
		! is_mixed || complains 'out of order' || break
	done
	check "$method: every event" json -s 'length == 40000' "$scratch/out"
	check "$method: of both" json -s 'group_by(.pid) | map(length) == [20000, 20000]' "$scratch/out"
	# The two last digits are lost in jq's numbers, which is no disorder.
	check "$method: in order" json -s '[.[].time_ns] | . == sort' "$scratch/out"
	check "$method: both at the same time, after $try tries" is_mixed
	check "$method: the losses of each" complains "process $pid_5: 20000 events, none lost"
	check "$method: and of all" complains '40000 events in [0-9.]* s, none lost'
	# In text lines, the process comes second.
	trace 2 --attach=$method --pid=$pid_4,$pid_5 --where=vout=1 utxocache:add
	send 4 'burst 3'
	send 5 'burst 2'
	ends 0
	check "$method: the process" says "^[0-9:.]\{15\} $pid_4 utxocache:add txid="
	check "$method: the other one" says "^[0-9:.]\{15\} $pid_5 utxocache:add txid="
	check "$method: conditions" [ "$(wc -l <"$scratch/out")" = 2 ]
	check "$method: what was filtered out" complains '2 events in [0-9.]* s, 3 others filtered out, none lost'
done
# Other ways to write it; the same process twice is one.
for arguments in "--pid=$pid_4 --pid=$pid_5" "-p $pid_4 -p $pid_5" "--pid=$pid_4 $pid_5" "--pid=$pid_4,$pid_5,$pid_4"; do
	trace 2 $arguments utxocache:add
	ends 0
	check "$arguments" [ "$(grep -c 'attached to 1 tracepoint' "$scratch/err")" = 2 ]
done
trace 1 --pid=$pid_4,$pid_4 utxocache:add
send 4 'burst 1'
ends 0
check "one process needs no column" says '^[0-9:.]* utxocache:add'
run 2 "$tpcheck" trace --pid=$pid_4,2147483647
check "one that does not exist" complains 'there is no process 2147483647'
run 2 "$tpcheck" trace --pid=$pid_4,$pid_5 nonsense:x
check "a tracepoint that does not exist" complains "no tracepoint of the binary matches 'nonsense:x'"

# Losses are those of a process. Small rings, and only one of them fires much.
trace 2 --pid=$pid_4,$pid_5 --ring=1 utxocache:add
send 4 'burst 500000'
send 5 'burst 2'
ends 99
check "a loss names the process" complains "process $pid_4: lost [1-9][0-9]* event"
check "the other one lost nothing" complains "process $pid_5: 2 events, none lost"

# Statistics: divided by process if that is asked for, and in metrics.
trace 2 --pid=$pid_4,$pid_5 --stats --format=json --by=pid utxocache:add
send 4 'burst 3'
send 5 'burst 2'
ends 0
check "statistics by process" json "[.stats[] | {(.by.pid | tostring): .count}] | add == {\"$pid_4\": 3, \"$pid_5\": 2}" "$scratch/out"
trace 2 --pid=$pid_4,$pid_5 --stats --format=openmetrics utxocache:add
send 4 'burst 3'
send 5 'burst 2'
ends 0
check "metrics by process" says "^tpcheck_events_total{tracepoint=\"utxocache:add\",pid=\"$pid_5\"} 2\$"

# The tracer of one is killed: what it had recorded is shown, and the other one's trace goes on.
tracer_of() { sed -n 's/^TracerPid:[^0-9]*//p' "/proc/$1/status"; }
trace 2 --attach=ptrace --pid=$pid_4,$pid_5 --format=json utxocache:add
send 4 'burst 7'
kill -KILL "$(tracer_of $pid_4)"
await complains "process $pid_4 is no longer traced: 7 events, none lost"
send 5 'burst 2'
ends 99
check "a tracer that was killed" complains "process $pid_4 is no longer traced: 7 events, none lost"
check "and all the events" json -s 'length == 9' "$scratch/out"

# They end: the trace goes on until the last one has.
trace 2 --pid=$pid_4,$pid_5 --format=json utxocache:add
send 4 'burst 3'
stop 4
await complains "process $pid_4 ended: 3 events, none lost"
send 5 'burst 2'
stop 5
ends 0 by-itself
check "all events until the ends" json -s 'length == 5' "$scratch/out"

# By name: nodes come and go.
name=${node##*/}
for method in auto ptrace; do
	: >"$scratch/err"
	TMPDIR=$scratch/tmp "$tpcheck" trace --attach=$method --name=$name --format=json utxocache:add >"$scratch/out" 2>"$scratch/err" 4>&- 5>&- 6>&- &
	tracer=$!
	await complains "no process of the name '$name' has tracepoints; waiting for one"
	start 4
	attached 1
	send 4 'burst 1'
	start 5
	start 6
	attached 3
	send 5 'burst 2'
	send 6 'burst 3'
	stop 5
	await complains "process $pid_5 ended: 2 events, none lost"
	start 5
	attached 4
	send 5 'burst 4'
	send 4 'burst 1'
	ends 0
	check "$method: the events of all" json -s 'group_by(.pid) | map(length) | sort == [2, 2, 3, 4]' "$scratch/out"
	check "$method: a summary of each" [ "$(grep -c ' events, none lost$' "$scratch/err")" = 4 ]
	stop 4
	stop 5
	stop 6
done
# A process of that name that cannot be traced is reported once, and the trace goes on.
cp /bin/sleep "$scratch/other"
mkdir "$scratch/plain" && cp /bin/sleep "$scratch/plain/$name"
start 4
trace 1 --name=$name utxocache:add
"$scratch/plain/$name" 60 &
plain=$!
await complains "process $plain cannot be traced: "
send 4 'burst 1'
kill $plain
stop 4
await complains "process $pid_4 ended: 1 event, none lost"
ends 99
check "reported once" [ "$(grep -c 'cannot be traced' "$scratch/err")" = 1 ]
check "nothing left behind" left_nothing "$scratch/tmp"

# A control group.
group=
other=
trap 'exec 4>&- 5>&- 6>&-; kill $other 2>/dev/null; [ -z "$group" ] || await rmdir "$group"; rm -rf "$scratch"' EXIT
for root in /sys/fs/cgroup /sys/fs/cgroup/pids /sys/fs/cgroup/unified; do
	[ -z "$group" ] && mkdir "$root/tpcheck-test-$$" 2>/dev/null || continue
	group=$root/tpcheck-test-$$
	# There may be an ordinary folder.
	[ -e "$group/cgroup.procs" ] || { rmdir "$group"; group=; }
done
if [ -n "$group" ]; then
	start 4
	start 5
	: >"$scratch/err"
	"$tpcheck" trace --cgroup="$group" --format=json utxocache:add >"$scratch/out" 2>"$scratch/err" 4>&- 5>&- &
	tracer=$!
	await complains "no process of the control group '$group' has tracepoints; waiting"
	# One without tracepoints is no concern of the trace.
	"$scratch/other" 60 &
	other=$!
	echo $other >"$group/cgroup.procs"
	echo $pid_4 >"$group/cgroup.procs"
	attached 1
	send 4 'burst 2'
	send 5 'burst 1'
	ends 0
	check "only the processes of the group" json -s "length == 2 and all(.pid == $pid_4)" "$scratch/out"
	check "others are not reported" sh -c "! grep -q $other '$scratch/err'"
	kill $other
	wait $other 2>/dev/null
	# However many processes the group has: the specimen is not among the first.
	echo $pid_4 >"${group%/*}/cgroup.procs"
	sh -c "echo \$\$ >'$group/cgroup.procs'; i=0; while [ \$i -lt 400 ]; do '$scratch/other' 600 & i=\$((i + 1)); done; wait" 4>&- 5>&- &
	await sh -c "[ \$(wc -l <'$group/cgroup.procs') -ge 401 ]"
	other=$(cat "$group/cgroup.procs")
	start 6
	echo $pid_6 >"$group/cgroup.procs"
	trace 1 --cgroup="$group" --format=json utxocache:add
	send 6 'burst 2'
	ends 0
	check "one of many processes" json -s "length == 2 and all(.pid == $pid_6)" "$scratch/out"
	kill $other 2>/dev/null
	stop 6
	stop 4
	stop 5
	await rmdir "$group"
	group=
else
	skip_part "a control group: none can be made here"
fi
finish

#!/bin/sh
# Events of tracefs that a tpcheck left, when it and its keeper were killed, are removed by the next one, whatever way to
# attach that uses, if any. Those of a tpcheck that runs, and those of others, stay.
#	sweep_test.sh <tpcheck>
events=/sys/kernel/tracing/uprobe_events
# With PIDs of its own: any other tpcheck would remove them, too.
if [ $$ != 1 ]; then
	unshare --mount --pid true 2>/dev/null || { echo "SKIP: no PID namespace can be made"; exit 77; }
	exec unshare --pid --fork --kill-child "$0" "$@"
fi
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/lib.sh"
mount -t proc proc /proc && { [ -e $events ] || mount -t tracefs tracefs /sys/kernel/tracing; } || {
	echo "SKIP: tracefs cannot be mounted"
	exit 77
}
unset BITCOIND
if ! "$tpcheck" selftest --attach=tracefs >"$scratch/out" 2>&1; then
	echo "SKIP: $(grep -m 1 SKIP "$scratch/out")"
	exit 77
fi
# A copy: the kernel may keep traps in the file of a process whose keeper was killed.
cp "$(dirname "$tpcheck")/tpcheck-full" "$scratch/specimen"
mkdir "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR

# start NAME: a specimen, and a tpcheck that traces it; sets specimen and tracer.
start() {
	mkfifo "$scratch/$1.in"
	"$scratch/specimen" __specimen <"$scratch/$1.in" >/dev/null &
	specimen=$!
	# Opened for both: no reader is waited for. It stays open until the test ends.
	eval "exec $2<>'$scratch/$1.in'"
	await test "/proc/$specimen/exe" -ef "$scratch/specimen"
	"$tpcheck" trace --pid=$specimen --attach=tracefs >/dev/null 2>"$scratch/$1.err" &
	tracer=$!
	await grep -q 'attached to' "$scratch/$1.err"
}
namespace=$(stat -Lc %i /proc/self/ns/pid)
has_events() { grep -q "tpcheck_${namespace}_.*/proc/$1/exe" $events; }
lacks_events() { ! has_events "$1"; }
start dead 3
dead=$specimen
check "events while it runs" has_events $dead
killed=$tracer
start live 4
live=$specimen
keeper=$(pgrep -P $killed -x usdt-keeper)
check "a keeper" [ -n "$keeper" ]
kill -KILL "$keeper" $killed
wait $killed 2>/dev/null
# The kernel takes a while to close what the keeper held, and refuses to remove an event until then.
await sh -c "! [ -e /proc/$keeper ] || grep -q '^State:.Z' /proc/$keeper/status"
check "its events stay" has_events $dead
# leave NAME: an event of a process that has ended, whose PID another one has got.
leave() { echo "p:tpcheck_${namespace}_$$_1/$1 $scratch/specimen:0x1000" >>$events; }
none_left() { ! grep -q "tpcheck_${namespace}_$$_1/" $events; }
# One that only looks like ours.
echo "p:tpcheck_mine$namespace/e0_0 $scratch/specimen:0x1000" >>$events
# More than are read at a time.
for number in $(seq 100); do
	leave "e1_$number"
done
can_attach ptrace || skip_part "ptrace does not work here"
check "the events of the dead one are removed" lacks_events $dead
check "also if its PID was reused" none_left
while read -r code command; do
	leave e0_0
	# shellcheck disable=SC2086
	run "$code" "$tpcheck" $command
	check "they are removed by $command" none_left
done <<END2
0 selftest --attach=multi
2 run --attach=ptrace --bitcoind=$scratch/none
2 trace --attach=ptrace --pid=1999999999
END2
check "those of one that runs stay" has_events $live
check "and what only looks like ours" grep -q "tpcheck_mine$namespace" $events
echo "-:tpcheck_mine$namespace/e0_0" >>$events
kill -INT $tracer
wait $tracer
check "exit code of the one that runs" [ $? = 0 ]
check "its events are removed" lacks_events $live
check "nothing left behind" left_nothing "$scratch/tmp"
kill $dead $live
finish

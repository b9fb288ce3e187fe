#!/bin/sh
# Folders, and events of tracefs, that a tpcheck left when it and its keeper were killed are removed by the next one,
# whatever way to attach that uses, if any. Events of a tpcheck that runs, and those of others, stay.
#	sweep_test.sh <tpcheck> <folder of the tests' programs>
events=/sys/kernel/tracing/uprobe_events
# With PIDs of its own: any other tpcheck would remove them, too.
if [ $$ != 1 ]; then
	unshare --mount --pid true 2>/dev/null || { echo "SKIP: no PID namespace can be made"; exit 77; }
	exec unshare --pid --fork --kill-child "$0" "$@"
fi
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/lib.sh"
mount -t proc proc /proc || { echo "SKIP: /proc cannot be mounted"; exit 77; }
unset BITCOIND
mkdir "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR

# Folders. A script that leaves one as a killed tpcheck does, and prints its path; $0 is the path but for the end.
# shellcheck disable=SC2016
leave='folder=$(mktemp -d "$0XXXXXX") && >"$folder/file" && umask 077 &&
	stat -c "tpcheck folder %d %i" "$folder" >"$folder.lock" && echo "$folder"'
is_gone() { [ -n "$1" ] && ! [ -e "$1" ] && ! [ -e "$1.lock" ]; }
for prefix in tpcheck-node- tpcheck-headers-; do
	folder=$(sh -c "$leave" "$TMPDIR/$prefix")
	run 2 "$tpcheck" trace --pid=1999999999
	check "$prefix is removed from TMPDIR" is_gone "$folder"
done
memory=/dev/shm
if [ -d $memory ] && mount -t tmpfs -o size=1m,mode=1777 none $memory 2>/dev/null; then
	folder=$(sh -c "$leave" $memory/tpcheck-node-)
	run 2 "$tpcheck" trace --pid=1999999999
	check "$memory is left alone with TMPDIR" [ -e "$folder" ]
	run 2 env -u TMPDIR "$tpcheck" trace --pid=1999999999
	check "tpcheck-node- is removed from $memory" is_gone "$folder"
	umount $memory
else
	skip_part "nodes in memory: nothing can be mounted"
fi
# Wherever an ordinary user's headers are: the message of a failure names the place.
if "$tpcheck" doctor | grep -q '^ok  *attach: multi'; then
	built=$tpcheck
	install_for_everybody
	cp "$2/refuse" "$scratch/refuse"
	mkdir -p "$scratch/own/tmp"
	chown "$uid" "$scratch/own/tmp"
	cd "$scratch/own" || exit 99
	as_user() {
		setpriv --reuid="$uid" --regid="$group" --clear-groups --inh-caps=+bpf,+perfmon \
			--ambient-caps=+bpf,+perfmon env TMPDIR="$user_tmpdir" "$@"
	}
	for user_tmpdir in "$scratch/own/tmp" tmp; do
		run 99 as_user "$scratch/refuse" 73 37 "$tpcheck" selftest --attach=multi
		place=$(sed -n "s/.*failed to lock a file in '\(.*\)': No locks.*/\1/p" "$scratch/out" | head -n 1)
		check "where the headers are with TMPDIR=$user_tmpdir" [ "${place#/}" != "$place" ]
		folder=$(as_user sh -c "$leave" "$place/tpcheck-headers-")
		run 2 as_user "$tpcheck" trace --pid=1999999999
		check "they are removed from there" is_gone "$folder"
		rm -rf "$folder" "$folder.lock"
	done
	cd / || exit 99
	tpcheck=$built
else
	skip_part "an ordinary user's headers: no uprobe_multi link"
fi

# Events of tracefs.
[ -e $events ] || mount -t tracefs tracefs /sys/kernel/tracing || {
	skip_part "tracefs cannot be mounted"
	finish
}
if ! "$tpcheck" selftest --attach=tracefs >"$scratch/out" 2>&1; then
	skip_part "$(grep -m 1 SKIP "$scratch/out")"
	finish
fi
# A copy: the kernel may keep traps in the file of a process whose keeper was killed.
cp "$(dirname "$tpcheck")/tpcheck-full" "$scratch/specimen"

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

#!/bin/sh
# The lines about tracefs in the table in doc/privileges.md, as an ordinary user: by capability, then by group, and what
# happens with one privilege less. Nothing stays defined in tracefs.
#	tracefs_test.sh <tpcheck>
if [ "$(id -u)" != 0 ]; then
	echo "SKIP: not root; only root can become an ordinary user with chosen capabilities"
	exit 77
fi
# In its own PID namespace, so that events that others left do not count.
if [ $$ != 1 ]; then
	unshare --pid --fork --kill-child true 2>/dev/null || { echo "SKIP: no PID namespace can be made"; exit 77; }
	exec unshare --pid --fork --kill-child "$0" "$@"
fi
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/lib.sh"
mount -t proc proc /proc || { echo "SKIP: /proc cannot be mounted"; exit 77; }
copy_bitcoind
if ! command -v setpriv >/dev/null; then
	echo "SKIP: no setpriv (package util-linux)"
	exit 77
fi
install_for_everybody
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR
unset BITCOIND
cd / || exit 99

# The machine has only one tracefs, so its options are restored however the test ends.
was_options=
clean_up() {
	[ -z "$was_options" ] || in_tracefs "$was_options" "$was_mode" true
	umount -l "$scratch/tracefs" 2>/dev/null
	rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 99' HUP INT TERM
# in_tracefs OPTIONS MODE COMMAND...: in a mount namespace with tracefs, with these modes of its folder and uprobe_events.
in_tracefs() {
	unshare --mount sh -c '
		options=$1 mode=$2
		shift 2
		mount -t tracefs tracefs /sys/kernel/tracing &&
			mount -o "remount,$options" /sys/kernel/tracing &&
			chmod "$mode" /sys/kernel/tracing/uprobe_events && "$@"' sh "$@"
}
# traced OPTIONS MODE CAPABILITIES ARGUMENTS...: tpcheck with tracefs as there, and as an ordinary user with that ambient
# set, in a group of its own.
traced() {
	options=$1 mode=$2 caps=$3
	shift 3
	in_tracefs "$options" "$mode" setpriv --reuid="$uid" --regid="$uid" --groups="$group" "--inh-caps=$caps" \
		"--ambient-caps=$caps" "$tpcheck" "$@" --attach=tracefs
}

if ! can_trace; then
	skip_part "not even root can trace here: $("$tpcheck" doctor | tail -n 1)"
	finish
fi
mkdir "$scratch/tracefs"
if ! mount -t tracefs tracefs "$scratch/tracefs" 2>/dev/null; then
	skip_part "tracefs cannot be mounted here"
	finish
fi
# Others may do the same at this time. The lock is on the file system itself.
exec 7<"$scratch/tracefs"
flock 7
events=$scratch/tracefs/uprobe_events
modes() { stat -c '%g %a' "$scratch/tracefs" "$events" | tr '\n' ' '; }
was=$(modes)
# shellcheck disable=SC2086 # four words
set -- $was
was_options=gid=$1,mode=$2 was_mode=$4

ours="tpcheck_$(stat -Lc %i /proc/self/ns/pid)_"
is_defined() { grep -q "^p:$ours" "$events"; }
none_defined() { ! is_defined; }
echo "p:${ours}1_1/e0_0 $full:0x1000" >>"$events"
check "an event of ours would be found" is_defined
echo "-:${ours}1_1/e0_0" >>"$events"

# OPTIONS MODE CAPABILITIES CODE TEXT, one per line; the output has TEXT.
all_pass='5 passed, 0 failed, 0 skipped, 0 errors'
while IFS='|' read -r options mode caps code text; do
	run "$code" traced "$options" "$mode" "$caps" selftest
	check "tracefs with $options and $mode, $caps: $text" says "$text"
	check "no event stays defined" none_defined
done <<END
gid=0,mode=700|g-w|+bpf,+perfmon|77|attach: tracefs: Permission denied; needs its uprobe_events to be writable
gid=0,mode=700|g-w|+bpf,+perfmon,+dac_override|0|$all_pass
gid=$group,mode=750|g-w|+bpf,+perfmon|77|attach: tracefs: Permission denied; needs its uprobe_events to be writable
gid=0,mode=750|g+w|+bpf,+perfmon|77|attach: tracefs: Permission denied
gid=$group,mode=750|g+w|+bpf|77|but not CAP_PERFMON
gid=$group,mode=750|g+w|+perfmon|77|but not CAP_BPF
gid=$group,mode=750|g+w|+bpf,+perfmon|0|$all_pass
END
if [ -x "$bitcoind" ]; then
	run 0 traced "gid=$group,mode=750" g+w +bpf,+perfmon run --bitcoind="$bitcoind" 'utxocache.spent.*'
	check "a bitcoind is checked through tracefs" says '^[1-9][0-9]* passed, 0 failed, 0 skipped, 0 errors'
	check "no event stays defined after it" none_defined
fi
in_tracefs "$was_options" "$was_mode" true
check "tracefs is as it was" [ "$(modes)" = "$was" ]
was_options=
finish

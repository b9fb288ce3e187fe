#!/bin/sh
# What is missing is named, with a remedy that helps, and nothing is left behind: no /proc, no tracefs, a working
# directory that is gone, few descriptors, full disks, a loopback device that is down, scripts in place of bitcoind.
refuse=$2
# Much of it is about compiling.
compiles_anew=yes
. "$(dirname "$0")/lib.sh"
tpcheck=$(readlink -f "$tpcheck")
refuse=$(readlink -f "$refuse")
full=${tpcheck%/*}/tpcheck-full
mkdir -m 1777 "$scratch/tmp"
export TMPDIR="$scratch/tmp"
bitcoind=${BITCOIND:-$(command -v bitcoind)}
unset BITCOIND
case $bitcoind in
*/*) bitcoind=$(readlink -f "$bitcoind") ;;
esac

says_once() { [ "$(grep -c -e "$1" "$scratch/out")" = 1 ]; }
complains_once() { [ "$(grep -c -e "$1" "$scratch/err")" = 1 ]; }
says_not() { ! grep -q -e "$1" "$scratch/out" "$scratch/err"; }
nothing_left() { left_nothing "$scratch/tmp"; }
# shellcheck disable=SC2120
not_here() {
	[ "$failures" = 0 ] || finish
	skip_part "$*"
	finish
}

# Without privileges: usage, and scripts.
printf '#!/bin/sh\n# %s\nset -e\nexec nice -n 5 %s "$@"\n' "not /usr/bin/bitcoind" "$scratch/bitcoind-real" >"$scratch/wrapper"
printf '#!/bin/sh\n\tls\n\texec "${0%%/*}/b\033[1mitcoind" "$@"\n' >"$scratch/relative"
cp "$full" "$scratch/bitcoind-real"
chmod 755 "$scratch/wrapper" "$scratch/relative"
advice="it is a script, not an ELF file; give the program that it runs: $scratch/bitcoind-real\$"
run 99 "$tpcheck" abi "$scratch/wrapper"
check "abi: which program to give" complains "$advice"
run 99 "$tpcheck" abi "$scratch/relative"
check "abi: the line that starts it" complains 'give the program that it runs (its line: exec "${0%/\*}/b?\[1mitcoind" "$@")$'
run 77 "$tpcheck" doctor --bitcoind="$scratch/wrapper"
check "doctor: which program to give" says "$advice"
run 99 "$tpcheck" run --bitcoind="$scratch/wrapper" 'utxocache.spent.*'
check "run: which program to give, once" says_once "$advice"
check "nothing left behind" nothing_left
for user in 4294967295 4294967296 99999999999999999999; do
	run 2 "$tpcheck" run --user=$user 'utxocache.spent.*'
	check "no user has the number $user" complains "user=$user is not a user of this machine"
done

# deep SIZE TEXT: a path below $scratch of about so many bytes, whose components repeat the text.
deep() {
	deep_path=$scratch
	while [ ${#deep_path} -lt "$1" ]; do
		deep_path=$deep_path/$(printf "$2%.0s" $(seq 25))
	done
	printf %s "$deep_path"
}
# However long a path is, the reason stands in the message, and the remedy; the path's beginning and end do, too.
for size in 1900 2200 3900; do
	for text in deeper 'de ep ' "it'd go"; do
		path=$(deep $size "$text")/last
		while IFS='|' read -r code command reason; do
			# shellcheck disable=SC2086
			run "$code" "$tpcheck" $command"$path"
			cat "$scratch/err" >>"$scratch/out"
			check "$size bytes, $command: the reason" says "$reason"
			check "$size bytes, $command: the beginning of the path" says "$scratch/"
			check "$size bytes, $command: the end of the path" says "/last"
		done <<-END
			99|abi |': No such file or directory$
			99|diff $full |': No such file or directory$
			2|run --bitcoind=|': No such file or directory; give the path of a bitcoind$
			2|trace --bitcoind=|': No such file or directory; give the path of a bitcoind$
			77|doctor --bitcoind=|': No such file or directory; give the path of a bitcoind$
			2|run --bitcoind=$full --report=json=|' for the json report: No such file or directory; name a file in a folder that exists and is writable$
			2|selftest --output=|' for the text report: No such file or directory; name a file in a folder that exists and is writable$
			2|run --bitcoind=$full --artifacts=/proc|' for artifacts: No such file or directory; choose another place$
		END
	done
done
# As does one that stands between two long paths.
path=$(deep 2200 deeper)
mkdir -p "$path/bin"
cp "$full" "$path/bin/bitcoind"
run 2 "$tpcheck" run --bitcoind="$path"
check "a reason between two long paths" complains "deeper': it is a directory; give the path of the program, which may be .*deeper/bin/bitcoind$"

if [ "$(id -u)" != 0 ] || ! unshare --mount --net true 2>/dev/null; then
	not_here "the parts that change the machine for tpcheck: only root can (unshare)"
fi
# in_mounts SCRIPT ARGUMENT...: runs it by the shell, with $0 = tpcheck, in mounts of its own.
in_mounts() {
	script=$1
	shift
	unshare --mount --propagation=private sh -c "$script" "$tpcheck" "$@"
}

# No /proc: nothing of the working directory is executed.
mkdir "$scratch/trap"
printf '#!/bin/sh\n: >"%s"\n' "$scratch/trapped" >"$scratch/trap/tpcheck-full"
chmod 755 "$scratch/trap/tpcheck-full"
cp "$scratch/trap/tpcheck-full" "$scratch/trap/bitcoind"
for command in run list 'trace --pid=1' doctor; do
	# shellcheck disable=SC2086
	run 99 in_mounts 'mount -t tmpfs none /proc && cd "$1" && shift && exec "$0" "$@"' "$scratch/trap" $command
	check "no /proc, $command: reported" complains_once '/proc is not mounted; mount it'
	check "no /proc, $command: tpcheck-full of the working directory is not executed" [ ! -e "$scratch/trapped" ]
done
run 0 in_mounts 'mount -t tmpfs none /proc && exec "$0" abi "$1"' "$full"
run 77 in_mounts 'mount -t tmpfs none /proc && exec "$1" selftest' "$full"
check "no /proc, tpcheck-full itself" says_once '^    proc: /proc is not mounted; mount it'
run 77 in_mounts 'mount -t tmpfs none /proc && exec "$1" doctor' "$full"
check "no /proc, doctor" says '^FAIL  proc  .*is not mounted'
check "no /proc: nothing left behind" nothing_left

if ! "$tpcheck" selftest >/dev/null 2>&1; then
	not_here "the parts that trace: $("$tpcheck" doctor | tail -n 1)"
fi

run 99 "$tpcheck" trace --bitcoind="$scratch/wrapper" --duration=1
check "trace: which program to give" complains_once "$advice"
# A program that has tracepoints, but is no node. Nothing was waited for in the scenario.
run 99 "$tpcheck" run --bitcoind="$full" --artifacts="$scratch/kept" net.inbound_message.v2
check "no node: the reason" says_once '^    node: failed to start bitcoind: '

# The working directory.
long=$scratch/$(printf 'x%.0s' $(seq 100))/$(printf 'y%.0s' $(seq 100))/$(printf 'z%.0s' $(seq 100))
mkdir -p "$long" "$scratch/gone" "$scratch/closed"
chmod 700 "$scratch/closed"
from_gone='cd "$1" && rmdir "$1" && shift && exec "$0" "$@"'
run 0 sh -c 'cd "$1" && shift && exec "$0" "$@"' "$tpcheck" "$long" selftest
check "a long working directory" says '^5 passed'
run 0 sh -c "$from_gone" "$tpcheck" "$scratch/gone" selftest
check "a deleted working directory" says '^5 passed'
# setpriv changes the user after the working directory was entered.
as="setpriv --reuid=12345 --regid=12345 --clear-groups --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon"
cp "$tpcheck" "$full" "${full%/*}/tpcheck-bcc.so" "$scratch/"
if sh -c "cd / && $as $scratch/tpcheck selftest" >/dev/null 2>&1; then
	run 0 sh -c "cd '$scratch/closed' && exec $as $scratch/tpcheck selftest"
	check "a working directory that may not be entered" says '^5 passed'
else
	skip_part "a working directory that may not be entered: this kernel lets no ordinary user trace"
fi
# Relative paths still count from the working directory.
mkdir "$scratch/here" "$scratch/here/tree"
run 0 sh -c 'cd "$1" && exec "$0" selftest --report=json=report.json' "$tpcheck" "$scratch/here"
check "a relative path" [ -s "$scratch/here/report.json" ]
mkdir -p "$scratch/here/tree/include/linux"
echo '#error of the relative tree' >"$scratch/here/tree/include/linux/kconfig.h"
# shellcheck disable=SC2086
run 99 sh -c "cd '$scratch/here' && exec $as env BCC_KERNEL_SOURCE=tree '$scratch/tpcheck' selftest --headers=system"
check "a relative kernel tree" says 'of the relative tree'
check "what the compiler says is followed by the remedy in the same line" sh -c "! grep -q '^ *;' '$scratch/out'"

# No tracefs.
no_tracefs='for at in /sys/kernel/debug/tracing /sys/kernel/debug /sys/kernel/tracing; do
	while umount "$at" 2>/dev/null; do :; done
done
exec "$0" "$@"'
run 77 in_mounts "$no_tracefs" selftest --attach=tracefs
check "no tracefs, selftest: reported once" says_once 'attach: tracefs: not mounted: mount -t tracefs'
run 77 in_mounts "$no_tracefs" trace --attach=tracefs --pid=$$
check "no tracefs, trace of a process without tracepoints" complains 'has no tracepoints\|not mounted'

# Few descriptors.
for limit in 8 10 12 16 20; do
	for method in multi perf; do
		run 77 prlimit --nofile=$limit:$limit "$tpcheck" selftest --attach=$method
		check "$limit descriptors: the limit is named" says_once "^    open files: only [0-9]* more can be opened, .*; the limit is $limit: raise it (ulimit -n"
		check "$limit descriptors: nothing else is blamed" says_not 'CAP_PERFMON\|ulimit -l'
		check "$limit descriptors: nothing left behind" nothing_left
	done
done
# Most of them were inherited.
for left in 4 5 6 8 10 12; do
	# shellcheck disable=SC2016
	run 77 perl -e '$^F = 1000; open($f[$_], "<", "/dev/null") for 1..shift; exec @ARGV' $((57 - left)) prlimit --nofile=60:60 "$tpcheck" selftest --attach=multi
	check "$left descriptors are left: the limit is named" says_once "^    open files: only [0-9]* more can be opened, .*; the limit is 60: raise it (ulimit -n"
	check "$left descriptors are left: nothing left behind" nothing_left
done
run 77 prlimit --nofile=10:10 "$tpcheck" doctor
# By ptrace fewer are enough.
check "doctor: the limit is named" says '^\(Needed\|  for BPF, .*\): open files: only [0-9]* more .* limit is 10'
run 0 prlimit --nofile=10:4096 "$tpcheck" selftest
# Where the limit is met later: EMFILE from bpf, and from perf_event_open.
while read -r number method; do
	run 77 "$refuse" $number 24 "$tpcheck" selftest --attach=$method
	check "the limit is met in system call $number" says_once 'Too many open files; at most [0-9]* files may be open here: raise the limit (ulimit -n'
	check "nothing else is blamed" says_not 'CAP_PERFMON'
	check "nothing left behind" nothing_left
done <<END
321 multi
298 perf
END

# perf_event_open refused: a uprobe_multi link does without it.
if can_attach multi; then
	run 0 "$refuse" 298 1 "$tpcheck" selftest --attach=multi
fi
# bpf refused: doctor and run say the same.
run 77 "$refuse" 321 1 "$tpcheck" selftest --attach=multi
check "bpf refused" says 'bpf maps: Operation not permitted'
if can_attach ptrace; then
	run 0 "$refuse" 321 1 "$tpcheck" selftest
	check "bpf refused: by ptrace, and why" says '^observed by ptrace, because BPF cannot be used here: bpf maps: Operation not permitted'
	run 77 "$refuse" 321 1 "$tpcheck" doctor
	check "doctor: the method, and why" says '^Method: ptrace, because BPF cannot be used: bpf maps: Operation not permitted'
	check "doctor: what BPF requires" says '^  for BPF, .*: system calls that something forbids'
	check "doctor: BPF is not required" says '^no    bpf rings'
fi
# As does a profile that forbids ptrace as well (system call 101).
run 77 "$refuse" 321 1 "$refuse" 101 1 "$tpcheck" selftest
check "both refused" says_once 'attach: ptrace: .*Operation not permitted; .*seccomp profile forbids it: allow it .*; nor by BPF: bpf maps: Operation not permitted'
run 77 "$refuse" 321 1 "$refuse" 101 1 "$tpcheck" doctor
check "doctor: what is needed" says '^Needed: one of these, the nearest first$'
check "doctor: for ptrace" says '^  for ptrace: .*seccomp profile forbids it'
check "doctor: for BPF" says '^  for BPF: system calls that something forbids'
check "doctor: no contradiction" says_not 'nothing more'
check "doctor: the verdict" says '^tpcheck cannot run here. .*; nor by BPF: bpf maps'

# Limits and disks.
# The limit is on this script's files too, so tpcheck writes to a pipe.
prlimit --fsize=500 "$tpcheck" selftest 2>&1 | cat >"$scratch/out"
check "a limit on files: the headers" says_once "tpcheck-headers-.*File too large; a file may have at most 500 bytes here: raise the limit (ulimit -f"
for format in json junit tap; do
	PATH=/usr/bin:/bin prlimit --fsize=1500 "$tpcheck" run --report=$format="$scratch/report" 2>&1 | cat >"$scratch/out"
	check "a limit on files: the $format report" says_once "report': File too large; a file may have at most 1500 bytes here"
done
check "a limit on files: nothing left behind" nothing_left
small='mkdir -p "$1" && mount -t tmpfs -o size=8k,mode=1777 none "$1" && TMPDIR=$1 && export TMPDIR && shift && "$0" "$@"
code=$?
find "$TMPDIR" -mindepth 1
exit $code'
run 99 in_mounts "$small" "$scratch/small" selftest
check "a full disk: the folder" says_once "below '$scratch/small/tpcheck-headers-.*No space left on device; make room there, or set TMPDIR"
check "a full disk: nothing left behind" says_not "^$scratch/small/"
small=$(echo "$small" | sed 's/size=8k/size=8k,nr_inodes=1/')
run 99 in_mounts "$small" "$scratch/small" selftest
check "a disk without room for a folder" says_once "failed to make a folder in '$scratch/small': No space left on device; make room there, or set TMPDIR"
# Locks (system call 73) that a file system lacks.
run 99 "$refuse" 73 37 "$tpcheck" selftest
check "no locks" says "failed to lock a file in '$scratch/tmp': No locks available; set TMPDIR to a file system with locks"
check "no locks: nothing left behind" nothing_left

[ -x "$bitcoind" ] || not_here "the parts with a bitcoind: there is none; set BITCOIND, or put one into PATH"
some='utxocache.spent.*'

# The working directory, with a bitcoind.
mkdir "$scratch/gone"
run 0 sh -c "$from_gone" "$tpcheck" "$scratch/gone" run --bitcoind="$bitcoind" "$some"
check "a deleted working directory: run" says '^[1-9][0-9]* passed, 0 failed, 0 skipped'
run 0 sh -c 'cd "$1" && shift && exec "$0" "$@"' "$tpcheck" "$long" run --bitcoind="$bitcoind" "$some"
check "a long working directory: run" says '^[1-9][0-9]* passed, 0 failed, 0 skipped'
# A datadir whose path bitcoind's user can use, from a working directory that it cannot enter.
mkdir "$scratch/gone"
mkdir -m 700 "$scratch/datadir"
chown nobody "$scratch/datadir"
for from in closed gone; do
	case $from in
	closed) enter='cd "$1" && shift && exec "$0" "$@"' ;;
	gone) enter=$from_gone ;;
	esac
	run 0 sh -c "$enter" "$tpcheck" "$scratch/$from" trace --bitcoind="$bitcoind" --user=nobody --duration=0.2 -- \
		-regtest -datadir="$scratch/datadir" -listen=0 -connect=0 -server=0
	check "trace starts bitcoind from a directory that is $from" complains '^tpcheck trace: attached to'
done

# No tracefs, with a bitcoind.
run 77 in_mounts "$no_tracefs" run --bitcoind="$bitcoind" --attach=tracefs "$some"
check "no tracefs, run: the reason" says_once 'attach: tracefs: not mounted: mount -t tracefs'
check "no tracefs, run: nothing was started" says_not 'kept:\|repeat with'
check "no tracefs, run: each scenario is a skip" says '^0 passed, 0 failed, [1-9][0-9]* skipped, 0 errors'
run 77 in_mounts "$no_tracefs" trace --bitcoind="$bitcoind" --attach=tracefs --duration=1
check "no tracefs, trace: reported once" complains_once 'attach: tracefs: not mounted: mount -t tracefs'
check "no tracefs, trace: nothing was started" says_not 'started bitcoind'

# A file system with noexec.
noexec='mount -t tmpfs -o noexec none "$1" && cp "$2" "$1/bitcoind" && chmod 755 "$1/bitcoind" && shift 2 && exec "$0" "$@"'
mkdir "$scratch/noexec"
for command in run doctor 'trace --duration=1'; do
	case $command in
	doctor) code=77 ;;
	*) code=2 ;;
	esac
	# shellcheck disable=SC2086
	run $code in_mounts "$noexec" "$scratch/noexec" "$bitcoind" $command --bitcoind="$scratch/noexec/bitcoind"
	cat "$scratch/err" >>"$scratch/out"
	check "noexec, $command" says 'its file system is mounted with noexec: copy it'
	check "noexec, $command: no chmod" says_not 'chmod'
done

# A disk that is full for bitcoind.
run 99 in_mounts "$(echo "$small" | sed 's/size=8k,nr_inodes=1/size=2m/')" "$scratch/small" run --bitcoind="$bitcoind" --artifacts="$scratch/kept" --jobs=1 utxocache.spent.inputs utxocache.spent.chain
check "a full disk: bitcoind's datadir" says_once "; make room in '$scratch/small/tpcheck-node-.*, or set TMPDIR"
check "a full disk, bitcoind: nothing left behind" says_not "^$scratch/small/"

# The loopback device is down.
run 77 unshare --net "$tpcheck" run --bitcoind="$bitcoind" "$some"
check "no loopback: run" says_once 'the loopback device is down; bring it up: ip link set lo up'
run 77 unshare --net "$tpcheck" doctor --bitcoind="$bitcoind"
check "no loopback: doctor" says '^FAIL  loopback  .*ip link set lo up'
check "no loopback: doctor's verdict" says 'no bitcoind can be reached'
run 77 unshare --net "$tpcheck" trace --bitcoind="$bitcoind" --duration=1
check "no loopback: trace" complains_once 'ip link set lo up'
run 0 "$tpcheck" doctor --bitcoind="$bitcoind"
check "the loopback device is up" says '^ok    loopback'

# Another tracer, without semaphores, on the same file; a copy, so that nobody else is disturbed.
cp "$bitcoind" "$scratch/traced"
address=$("$tpcheck" abi --format=json "$scratch/traced" | jq -r '[.tracepoints[] | select(.tracepoint == "utxocache:spent")][0].locations[0].address')
offset=$(readelf -lW "$scratch/traced" | awk '$1 == "LOAD" && / R E / { print $2, $3, $6 }' | while read -r at from size; do
	[ $((address)) -lt $((from)) ] || [ $((address)) -ge $((from + size)) ] || echo $((address - from + at))
done)
# with_tracefs COMMAND...: where tracefs is mounted, which it may be already.
with_tracefs() {
	# shellcheck disable=SC2016
	unshare --mount --propagation=private sh -c 'mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"' sh "$@"
}
event=reasons_$$/other
# shellcheck disable=SC2016
release='cd /sys/kernel/tracing && echo 0 >"events/$0/enable"; echo "-:$0" >>uprobe_events'
# shellcheck disable=SC2016
with_tracefs sh -c 'cd /sys/kernel/tracing && echo "p:$0 $1:$2" >>uprobe_events && echo 1 >"events/$0/enable"' "$event" "$scratch/traced" "$offset"
check "another tracer is attached" [ $? = 0 ]
trap 'with_tracefs sh -c "$release" "$event" 2>/dev/null; rm -rf "$scratch"' EXIT
for method in multi perf tracefs; do
	run 99 with_tracefs "$tpcheck" run --bitcoind="$scratch/traced" --attach=$method utxocache.spent.inputs
	check "another tracer, $method" says 'is another tracer attached to the same file'
	check "another tracer, $method: nothing else is blamed" says_not 'the right to write'
done
with_tracefs sh -c "$release" "$event"
run 0 with_tracefs "$tpcheck" run --bitcoind="$scratch/traced" --attach=tracefs utxocache.spent.inputs
rm -rf "$scratch/tmp"/tpcheck-??????
check "nothing left behind" nothing_left
finish

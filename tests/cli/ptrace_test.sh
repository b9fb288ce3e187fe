#!/bin/sh
# The table of ptrace in doc/privileges.md: who may, without any privilege; what excludes it, and that the reason and doctor
# then name it with a remedy, the nearest first; that the method and why it is not BPF are reported everywhere.
refuse=$2
. "$(dirname "$0")/lib.sh"
refuse=$(readlink -f "$refuse")
unset BITCOIND
copy_bitcoind
if ! can_attach ptrace; then
	skip_part "ptrace: $(sed -n 's/^    //p' "$scratch/out")"
	finish
fi
all_pass='5 passed, 0 failed, 0 skipped, 0 errors'
by_ptrace='observed by ptrace, because BPF cannot be used here: '
ptrace_number=101 bpf_number=321
says_not() { ! grep -q -e "$1" "$scratch/out" "$scratch/err"; }
# in_order FIRST SECOND: both are lines of the output, in this order.
in_order() {
	[ "$(grep -n -m 1 -e "$1" "$scratch/out" | cut -d: -f1)" -lt "$(grep -n -m 1 -e "$2" "$scratch/out" | cut -d: -f1)" ]
}

# Named, whoever runs it.
run 0 "$tpcheck" selftest --attach=ptrace --report=json="$scratch/named.json"
check "--attach=ptrace" says "$all_pass"
check "a method that was asked for has no reason" says_not "$by_ptrace"
check "JSON: the method, and no reason" json '.attach == "ptrace" and .attach_why == null' "$scratch/named.json"

# A profile that refuses bpf(): every report has the method and the reason.
run 0 "$refuse" $bpf_number 1 "$tpcheck" selftest --report=json="$scratch/why.json" --report=tap="$scratch/why.tap" \
	--report=junit="$scratch/why.xml" --report=github="$scratch/why.log"
check "the text" says "^$by_ptrace"
check "JSON" json '.attach == "ptrace" and (.attach_why | length > 20)' "$scratch/why.json"
why=$(jq -r .attach_why "$scratch/why.json")
check "the text has the whole reason" grep -qxF "$by_ptrace$why" "$scratch/out"
check "TAP: the method" grep -qxF "# attach: ptrace" "$scratch/why.tap"
check "TAP: the reason" grep -qxF "# attach_why: $why" "$scratch/why.tap"
check "JUnit: the method" grep -qF '<property name="attach" value="ptrace"/>' "$scratch/why.xml"
check "JUnit: the reason" grep -qF '<property name="attach_why" value="' "$scratch/why.xml"
check "GitHub: the reason" grep -qxF "$by_ptrace$why" "$scratch/why.log"
# What was asked for is not replaced.
run 77 "$refuse" $bpf_number 1 "$tpcheck" selftest --attach=multi
check "--attach=multi does not fall back" says_not "$by_ptrace"
check "but names the way out" says '; ptrace works here: leave --attach out, or use --attach=ptrace$'
run 77 "$refuse" $bpf_number 1 "$refuse" $ptrace_number 1 "$tpcheck" selftest --attach=multi
check "unless there is none" says_not 'works here'

# trace says it where it begins, once.
run 77 "$refuse" $ptrace_number 1 "$refuse" $bpf_number 1 "$tpcheck" trace --pid=$$ --attach=ptrace
if [ -x "$bitcoind" ]; then
	run 0 "$refuse" $bpf_number 1 "$tpcheck" trace --bitcoind="$bitcoind" --duration=0.1
	check "trace: the method and the reason" complains '^tpcheck trace: attached to 20 tracepoints of process [0-9]* by ptrace, because BPF cannot be used here: '
	run 0 "$tpcheck" trace --bitcoind="$bitcoind" --duration=0.1 --attach=ptrace
	check "trace: the method" complains '^tpcheck trace: attached to 20 tracepoints of process [0-9]* by ptrace$'
fi

# doctor.
"$refuse" $bpf_number 1 "$tpcheck" doctor >"$scratch/out" 2>&1
check "doctor: ptrace works" says '^ok    attach: ptrace'
check "doctor: BPF is not required" says_not '^FAIL  \(user\|bpf\|perf\|attach\)'
check "doctor: the method and the reason" says '^Method: ptrace, because BPF cannot be used: '
check "doctor: nothing more is needed" says "^Needed: nothing more .* what has a 'no' above is for BPF$"
check "doctor: what was not tried is not ok" says '^-     locked memory   not tried'
check "doctor: what BPF would need" says '^  for BPF, which most consumers use and which is faster: '

# Neither works.
neither() { "$refuse" $bpf_number 1 "$refuse" $ptrace_number 1 "$@"; }
run 77 neither "$tpcheck" selftest
check "neither: the profile is named, with a remedy" says "^    attach: ptrace: ptrace(PTRACE_SEIZE): .*the container's seccomp profile forbids it: allow it .*; nor by BPF: "
run 77 neither "$tpcheck" doctor
check "neither, doctor" says '^no    attach: ptrace'
check "neither, doctor: alternatives" says '^Needed: one of these, the nearest first$'
check "neither, doctor: ptrace first" in_order '^  for ptrace: .*seccomp profile' '^  for BPF: '
check "neither, doctor: no contradiction" says_not 'nothing more\|^Method'
check "neither, doctor: the verdict" says '^tpcheck cannot run here. attach: ptrace: .*; nor by BPF: '
if [ -x "$bitcoind" ]; then
	run 77 neither "$tpcheck" run --bitcoind="$bitcoind" 'utxocache.spent.*'
	check "neither, run" says '^    attach: ptrace: .*; nor by BPF: '
	check "neither, run: each is a skip" says '^0 passed, 0 failed, [1-9][0-9]* skipped, 0 errors'
	run 99 neither "$tpcheck" run --bitcoind="$bitcoind" --require 'utxocache.spent.*'
fi
run 77 "$refuse" $ptrace_number 1 "$tpcheck" selftest --attach=ptrace
check "--attach=ptrace: only its reason" says '^    attach: ptrace: .*seccomp profile'
check "--attach=ptrace: not BPF's" says_not 'nor by BPF'

# Few descriptors: a verdict, or the limit is named, and nothing else is blamed.
for limit in 6 7 8 9 10 11 12 16; do
	prlimit --nofile=$limit:$limit "$tpcheck" selftest >"$scratch/out" 2>"$scratch/err"
	code=$?
	check "$limit descriptors: 0 or 77, not $code" [ $code = 0 -o $code = 77 ]
	check "$limit descriptors: the limit is named" says "open files: only [0-9]* more can be opened, .*; the limit is $limit: raise it (ulimit -n"
	check "$limit descriptors: nothing else is blamed" says_not 'seccomp profile\|ulimit -u\|cpus:'
done

# Another tracer, which follows what it traces.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	run 77 strace -f -qq -o /dev/null "$tpcheck" selftest --attach=ptrace
	check "strace -f is named" says 'process [0-9]* traces tpcheck and what it starts: run tpcheck without that'
else
	echo "not tried: strace, which there is not"
fi
if command -v valgrind >/dev/null; then
	valgrind -q "${tpcheck%/*}/tpcheck-full" doctor >"$scratch/out" 2>/dev/null
	check "valgrind, doctor" says '^Needed: valgrind: running under it'
	check "valgrind, doctor: once" [ "$(grep -c '^tpcheck cannot run here. valgrind: running under it' "$scratch/out")" = 1 ]
	check "valgrind, doctor: neither" says_not 'nor by'
fi

if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
	skip_part "other users: only root can become one (setpriv)"
	finish
fi

# With an ordinary user.
install_for_everybody
cp "$refuse" "$scratch/refuse" && chmod 755 "$scratch/refuse"
refuse=$scratch/refuse
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR
cd / || exit 99
user="setpriv --reuid=$uid --regid=$uid --clear-groups"
contained="$user --no-new-privs --bounding-set=-all"

# With kernel.yama.ptrace_scope as given, as far as tpcheck can see.
# shellcheck disable=SC2016
with_yama() {
	unshare --mount --propagation=private sh -c 'mount -t tmpfs none /proc/sys/kernel && mkdir /proc/sys/kernel/yama &&
		echo "$1" >/proc/sys/kernel/yama/ptrace_scope && chmod -R a+rX /proc/sys/kernel && shift && exec "$@"' sh "$@"
}
# WHO SCOPE CODE TEXT: selftest by whom, where ptrace is refused as yama would do it.
while IFS='|' read -r who scope code text; do
	# shellcheck disable=SC2086
	run "$code" with_yama "$scope" $who "$refuse" $ptrace_number 1 "$refuse" $bpf_number 1 "$tpcheck" selftest
	check "yama $scope: $text" says "$text"
done <<END
$user|3|77|^    user: .*; nor by ptrace: attach: ptrace: .*ptrace_scope is 3, which forbids ptrace until the next boot: boot with 0 or 1
$user|2|77|^    attach: ptrace: .*ptrace_scope is 2: set it to 1 or 0 (sysctl), or give tpcheck CAP_SYS_PTRACE; nor by BPF: user:
|2|77|^    attach: ptrace: .*seccomp profile forbids it
$user|1|77|^    attach: ptrace: .*seccomp profile forbids it
END
run 77 with_yama 3 $user "$refuse" $ptrace_number 1 "$tpcheck" doctor
check "yama 3, doctor: BPF is nearer" in_order "^  for BPF: CAP_BPF and CAP_PERFMON for user $uid" '^  for ptrace: .*until the next boot'
run 77 with_yama 2 $user "$refuse" $ptrace_number 1 "$tpcheck" doctor
check "yama 2, doctor: ptrace is nearer" in_order '^  for ptrace: .*ptrace_scope is 2' "^  for BPF: CAP_BPF and CAP_PERFMON for user $uid"

# COMMAND: no privilege is needed.
while IFS='|' read -r what command; do
	# shellcheck disable=SC2086
	run 0 $command "$tpcheck" selftest
	check "$what: selftest" says "$all_pass"
	check "$what: the method" says "^$by_ptrace"
	[ -x "$bitcoind" ] || continue
	# shellcheck disable=SC2086
	run 0 $command "$tpcheck" run --bitcoind="$bitcoind" 'utxocache.spent.*'
	check "$what: run" says '^[1-9][0-9]* passed, 0 failed, 0 skipped, 0 errors'
	check "$what: run, the method" says "^$by_ptrace"
	# shellcheck disable=SC2086
	run 0 $command "$tpcheck" doctor --bitcoind="$bitcoind"
	check "$what: doctor" says '^This machine can check that bitcoind: tpcheck run'
done <<END
an ordinary user|$user
an ordinary user who can gain nothing|$contained
an ordinary user whose profile refuses unshare|$user $refuse 272 1
root without CAP_SYS_PTRACE and BPF|setpriv --bounding-set=-sys_ptrace,-bpf,-perfmon,-sys_admin
root with CAP_SYS_PTRACE, without BPF|setpriv --bounding-set=-bpf,-perfmon,-sys_admin
root without any capability|setpriv --bounding-set=-all
END
if [ -x "$bitcoind" ]; then
	run 0 setpriv --bounding-set=-sys_ptrace,-bpf,-perfmon,-sys_admin "$tpcheck" run --bitcoind="$bitcoind" utxocache.spent.inputs
	check "root without CAP_SYS_PTRACE: bitcoind's user is named" says "^bitcoind runs as 'root', .*: without CAP_SYS_PTRACE"
	run 0 $contained "$tpcheck" run --bitcoind="$bitcoind" --format=json
	check "an ordinary user: everything, or all but what needs a network namespace" json '(.scenarios | length > 100) and (.scenarios
		| all(.outcome == "pass" or (.outcome == "skip" and (.reason | contains("no network namespace")))))' "$scratch/out"
fi
check "nothing left behind" left_nothing "$scratch/tmp"
finish

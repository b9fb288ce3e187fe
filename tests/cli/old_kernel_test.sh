#!/bin/sh
# On kernels before 5.11, where maps count as locked memory, before 6.0, where probes may miss hits, and before 6.6, where
# there is no uprobe_multi link: a module shows tpcheck what bpf() answers there. With real ones: tools/vm.sh.
module=$2
refuse=$3
. "$(dirname "$0")/lib.sh"
full=$(readlink -f "$(dirname "$tpcheck")/tpcheck-full")
module=$(readlink -f "$module")
refuse=$(readlink -f "$refuse")
copy_bitcoind
mkdir -m 1777 "$scratch/tmp"
export TMPDIR="$scratch/tmp"
unset BITCOIND
if [ "$(id -u)" != 0 ]; then
	echo "SKIP: not root, who can trace everywhere"
	exit 77
fi
if ! can "$tpcheck" selftest --attach=perf; then
	echo "SKIP: the specimen cannot be traced by BPF: $(sed -n 's/^    //p' "$scratch/out" | head -n 1)"
	exit 77
fi
# on_kernel RELEASE COMMAND...: as on a kernel of that release. (tpcheck removes LD_PRELOAD before it starts tpcheck-full.)
on_kernel() {
	release=$1
	shift
	env OLD_KERNEL="$release" LD_PRELOAD="$module" "$@"
}
says_once() { [ "$(grep -c -e "$1" "$scratch/out")" = 1 ]; }
says_not() { ! grep -q -e "$1" "$scratch/out" "$scratch/err"; }
# limit_of PID: its limits of locked memory, soft and hard.
limit_of() { awk '/^Max locked memory/ { print $4, $5 }' "/proc/$1/limits"; }

may_raise() { setpriv --dump | grep -q '^Capability bounding set:.*sys_resource'; }
hard=$(limit_of $$ | cut -d ' ' -f 2)
if [ "$hard" != unlimited ] && [ "$hard" -lt 8388608 ] && may_raise; then
	prlimit --pid=$$ --memlock=:8388608
	hard=8388608
fi
# With little memory to lock, and without the capability to raise that limit.
limited="prlimit --memlock=65536:65536 setpriv --bounding-set=-sys_resource"

# shellcheck disable=SC2086
run 77 on_kernel 5.10 $limited "$full" selftest --attach=perf
check "selftest by BPF: skipped because of the limit" says_once '^    locked memory: .*, and the limit is 64 KiB: raise it (as root: ulimit -l unlimited'
# shellcheck disable=SC2086
run 0 on_kernel 5.10 $limited "$full" selftest
check "selftest: by ptrace, because of the limit" says_once '^observed by ptrace, .*: locked memory: '
# Where ptrace (101) is refused too.
# shellcheck disable=SC2086
run 77 on_kernel 5.10 $limited "$refuse" 101 1 "$full" doctor
check "doctor: the limit" says_once '^FAIL  locked memory   .* and the limit is 64 KiB: raise it'
check "doctor: the same is needed" says_once '^  for BPF: locked memory: .*CAP_SYS_RESOURCE'
check "doctor: and the verdict" says_once '^tpcheck cannot run here. attach: ptrace: .*; nor by BPF: locked memory: '
check "doctor: no system call is blamed" says_not 'system calls that something forbids'
run 0 on_kernel 5.10 prlimit --memlock=65536: setpriv --bounding-set=-sys_resource "$full" selftest --attach=perf
check "the limit is raised to the hard one" says '^5 passed'
if may_raise; then
	run 0 on_kernel 5.10 prlimit --memlock=65536:65536 "$full" selftest --attach=perf
	check "with CAP_SYS_RESOURCE the limit is lifted" says '^5 passed'
fi
# shellcheck disable=SC2086
run 0 $limited "$full" selftest --attach=perf
check "newer kernels do not count maps" says '^5 passed'

for method in multi perf; do
	run 77 on_kernel 5.19 "$full" selftest --attach=$method
	check "selftest, $method: skipped" says_once '^    hits: this kernel is older than 6.0 and preemptible'
done
run 0 on_kernel 5.19 "$full" selftest
check "selftest: by ptrace, because hits may be missed" says_once '^observed by ptrace, .*: hits: this kernel is older'
run 77 on_kernel 5.19 "$refuse" 101 1 "$full" doctor
check "doctor: hits may be missed" says_once '^FAIL  hits  .*older than 6.0 and preemptible'
check "doctor: the same is needed" says_once '^  for BPF: hits: '
run 77 on_kernel 5.10 "$full" doctor
check "doctor: no hit is missed where nothing is preempted" says '^ok    hits .*not preemptible'

# Without the link, an event for each probe; without CAP_SYS_ADMIN these are made by tracefs.
run 77 on_kernel 6.1 "$full" selftest --attach=multi
check "no link: what it requires, and what works" says_once '^    attach: multi: Invalid argument; needs Linux 6.6 or newer; .*; another way of BPF works here'
run 0 on_kernel 6.1 "$full" selftest --report=json="$scratch/report.json"
check "no link: selftest passes" says '^5 passed'
check "no link: by perf events" json '.attach == "perf"' "$scratch/report.json"
if ! unshare --mount mount -t tracefs tracefs /sys/kernel/tracing; then
	skip_part "tracefs: it cannot be mounted here"
else
	# shellcheck disable=SC2016
	run 0 on_kernel 6.1 unshare --mount sh -c 'mount -t tracefs tracefs /sys/kernel/tracing && exec "$@"' sh \
		setpriv --bounding-set=-sys_admin "$full" selftest --report=json="$scratch/report.json"
	check "no link, no CAP_SYS_ADMIN: selftest passes" says '^5 passed'
	check "no link, no CAP_SYS_ADMIN: by tracefs" json '.attach == "tracefs"' "$scratch/report.json"
fi

if ! can_check_bitcoind; then
	skip_part "what bitcoind inherits: no bitcoind; set BITCOIND, or put one into PATH"
	finish
fi
# has_node: sets node to a bitcoind of our tpcheck's.
has_node() { node=$(pgrep -P $pid -x bitcoind) && [ "$(readlink "/proc/$node/exe")" = "$bitcoind" ]; }
mkdir -m 700 "$scratch/datadir"
chown nobody "$scratch/datadir"
env OLD_KERNEL=5.10 LD_PRELOAD="$module" prlimit --memlock=65536: \
	"$full" trace --attach=perf --bitcoind="$bitcoind" --user=nobody -- -regtest -datadir="$scratch/datadir" -listen=0 -connect=0 -server=0 >"$scratch/out" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid; rm -rf "$scratch"' EXIT
await has_node
check "bitcoind's limit is what it was" [ "$(limit_of "$node")" = "65536 $hard" ]
! may_raise || hard=unlimited
check "tpcheck's own limit is raised" [ "$(limit_of $pid)" = "$hard $hard" ]
finish

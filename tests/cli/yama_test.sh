#!/bin/sh
# Where kernel.yama.ptrace_scope is 1, as Ubuntu has it, what tpcheck starts can be traced by ptrace: a module shows tpcheck
# what ptrace() answers there.
module=$2
. "$(dirname "$0")/lib.sh"
full=$(readlink -f "$(dirname "$tpcheck")/tpcheck-full")
module=$(readlink -f "$module")
copy_bitcoind
mkdir -m 1777 "$scratch/tmp"
export TMPDIR="$scratch/tmp"
unset BITCOIND
if ! can "$tpcheck" selftest --attach=ptrace; then
	echo "SKIP: ptrace does not work here: $(sed -n 's/^    //p' "$scratch/out" | head -n 1)"
	exit 77
fi
# with_yama COMMAND...: tpcheck-full, because tpcheck removes LD_PRELOAD before it starts it.
with_yama() { env LD_PRELOAD="$module" "$@"; }

run 0 with_yama "$full" selftest --attach=ptrace
check "the specimen can be traced" says '^5 passed'

if ! can_check_bitcoind; then
	skip_part "a bitcoind: there is none; set BITCOIND, or put one into PATH"
	finish
fi
run 0 with_yama "$full" run --bitcoind="$bitcoind" --attach=ptrace utxocache.spent.inputs
check "a node can be traced" says '^1 passed'
finish

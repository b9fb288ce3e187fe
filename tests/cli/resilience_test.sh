#!/bin/sh
# A bitcoind that keeps what it documents, and differs in what it does not: what it logs, and its defaults. That is no
# contract finding, and whatever cannot be checked is reported once.
. "$(dirname "$0")/lib.sh"
reword=$2
copy_bitcoind
if [ ! -x "$bitcoind" ]; then
	echo "SKIP: no bitcoind: set BITCOIND, or put one into PATH"
	exit 77
fi
if ! can_check_bitcoind; then
	skip_part "$(tail -n 1 "$scratch/out")"
	finish
fi
unset BITCOIND
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR
cp "$reword" "$scratch/reword.so"
chmod 644 "$scratch/reword.so"

# with WORDS ARGUMENTS...: runs with these words of the log replaced; a report goes to $scratch/report.json.
with() {
	words=$1
	shift
	"$tpcheck" run --bitcoind="$bitcoind" --env="LD_PRELOAD=$scratch/reword.so" --env="REWORD=$words" --timeout=20 \
		--artifacts="$scratch/artifacts" --report=json="$scratch/report.json" "$@"
}
details() { jq '[.scenarios[].findings[] | select(.kind == "detail")] | length' "$scratch/report.json"; }
others() { jq '[.scenarios[].findings[] | select(.kind != "detail")] | length' "$scratch/report.json"; }
errors() { jq '[.scenarios[] | select(.outcome == "error")] | length' "$scratch/report.json"; }

# The library alone changes nothing.
run 0 with '' 'validation.block_connected.*' 'utxocache.flush.*'

# Each kind of line.
run 1 with 'Sanity checks|Fork checks|Verify|Write undo data|Index writing' 'validation.block_connected.*' 'utxocache.*'
check "no errors" [ "$(errors)" = 0 ]
check "nothing but one detail" [ "$(details) $(others)" = "1 0" ]
failed() { jq -r '.scenarios[] | select(.outcome == "fail").name' "$scratch/report.json"; }
in_parallel=$(failed)
run 1 with 'Sanity checks|Fork checks|Verify|Write undo data|Index writing' --jobs=1 'validation.block_connected.*' 'utxocache.*'
check "the same scenario reports it when they run one after the other" [ "$(failed)" = "$in_parallel" ]
check "a folder is kept for that scenario, and for no other" \
	[ "$(ls "$scratch/artifacts")" = "$(printf '%s\n' "$in_parallel" "$in_parallel.2")" ]
check "the detail names the line" says "\[detail\] this bitcoind's debug.log does not have the line '- Sanity checks: ...'"
run 0 with 'Sanity checks|Fork checks|Verify|Write undo data|Index writing' --details=warn 'validation.block_connected.*'
run 1 with 'UpdateTip|write coins cache|Cache size' 'utxocache.flush.*'
check "no errors" [ "$(errors)" = 0 ]
check "three details; the third is of the block in flush.periodic" [ "$(details) $(others)" = "3 0" ]
check "what only the log can show is skipped" says "^SKIP  utxocache.flush.if_needed"
check "the reason" says "does not show the size of the cache, or when it is flushed"
run 1 with 'exceeds total space' 'utxocache.flush.if_needed'
check "one detail about the size" [ "$(details) $(others) $(errors)" = "1 0 0" ]
run 0 with 'Socket connected|Coin Selection|Using at most' 'net.closed_connection.stop' 'coin_selection.*' 'net.outbound_connection.many'
if "$tpcheck" list scenarios | grep -q net.misbehaving_connection.reasons; then
	with 'Misbehaving' 'net.misbehaving_connection.*' >"$scratch/out" 2>"$scratch/err"
	skipped=$(jq .summary.skipped "$scratch/report.json")
	check "no errors, nothing but one detail, unless the tracepoint came later" \
		[ "$(details) $(others) $(errors) $skipped" = "1 0 0 0" -o "$skipped" -gt 1 ]
fi

# Defaults: what a scenario depends on is given to the node.
defaults='-mempoolexpiry=72 -permitbaremultisig=0 -minrelaytxfee=0.00003 -incrementalrelayfee=0.00002 -dustrelayfee=0.00001 -maxconnections=50 -addresstype=legacy -spendzeroconfchange=0'
run 0 "$tpcheck" run --bitcoind="$bitcoind" --env="LD_PRELOAD=$scratch/reword.so" --env="ARGS_FIRST=$defaults" \
	'mempool.*' 'coin_selection.*' net.inbound_message.tx
# Fewer slots than are asked for.
with 'Using at most' --env=ARGS_LAST=-maxconnections=150 'net.evicted_inbound_connection.*' >"$scratch/out" 2>"$scratch/err"
check "the number of slots is found out" [ "$(details) $(others) $(errors)" = "0 0 0" ]
check "nothing left behind" left_nothing "$scratch/tmp"
finish

#!/bin/sh
# A bitcoind that keeps what it documents, and differs in what it does not: what it logs, and its defaults. That is no
# contract finding, and whatever cannot be checked is reported once.
. "$(dirname "$0")/lib.sh"
reword=$2
inject=$3
late=$4
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
cp "$inject" "$scratch/inject.so"
cp "$late" "$scratch/late.so"
chmod 644 "$scratch/reword.so" "$scratch/inject.so" "$scratch/late.so"

# with WORDS ARGUMENTS...: runs with these words of the log replaced; a report goes to $scratch/report.json, and what the
# node logged to $scratch/log/copy.
mkdir -m 1777 "$scratch/log"
with() {
	words=$1
	shift
	rm -f "$scratch/log/copy"
	"$tpcheck" run --bitcoind="$bitcoind" --env="LD_PRELOAD=$scratch/reword.so" --env="REWORD=$words" \
		--env="REWORD_COPY=$scratch/log/copy" --timeout=20 \
		--artifacts="$scratch/artifacts" --report=json="$scratch/report.json" "$@"
}
details() { jq '[.scenarios[].findings[] | select(.kind == "detail")] | length' "$scratch/report.json"; }
others() { jq '[.scenarios[].findings[] | select(.kind != "detail")] | length' "$scratch/report.json"; }
errors() { jq '[.scenarios[] | select(.outcome == "error")] | length' "$scratch/report.json"; }
outcome() { jq -r ".scenarios[] | select(.name == \"$1\").outcome" "$scratch/report.json"; }
# reworded WORDS...: the log had these words, and has them no longer.
reworded() {
	for words; do
		grep -q "$(printf '%s' "$words" | tr '[:lower:]' '[:upper:]')" "$scratch/log/copy" && ! grep -q "$words" "$scratch/log/copy" || return
	done
}
# given ARGUMENT...: the node had these.
given() {
	for argument; do
		argument=${argument#-}
		grep -q "Command-line arg: ${argument%%=*}=\"${argument#*=}\"" "$scratch/log/copy" || return
	done
}
release_is() { json ".release == \"master\" or (.release | ltrimstr(\"v\") | tonumber) >= $1" "$scratch/report.json"; }

# The library alone changes nothing.
run 0 with '' 'validation.block_connected.*' 'utxocache.flush.*'

# Each kind of line.
run 1 with 'Sanity checks|Fork checks|Verify|Write undo data|Index writing' 'validation.block_connected.*' 'utxocache.*'
check "the words were replaced" reworded 'Sanity checks' 'Fork checks' 'Verify' 'Write undo data'
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
check "the words were replaced" reworded 'UpdateTip' 'write coins cache'
check "no errors" [ "$(errors)" = 0 ]
check "three details; the third is of the block in flush.periodic" [ "$(details) $(others)" = "3 0" ]
check "what only the log can show is skipped" says "^SKIP  utxocache.flush.if_needed"
check "the reason" says "does not show the size of the cache, or when it is flushed"
run 1 with 'exceeds total space' 'utxocache.flush.if_needed'
check "the words were replaced" reworded 'exceeds total space'
check "one detail about the size" [ "$(details) $(others) $(errors)" = "1 0 0" ]
run 0 with 'Socket connected|Coin Selection|Using at most' 'net.closed_connection.stop' 'coin_selection.*' 'net.outbound_connection.many'
check "the words were replaced" reworded 'Using at most'
[ "$(outcome coin_selection.selected_coins.manual)" = skip ] || check "the wallet's as well" reworded 'Coin Selection'
! release_is 31 || check "those of private broadcasts as well" reworded 'Socket connected'
with 'Misbehaving' 'net.misbehaving_connection.*' >"$scratch/out" 2>"$scratch/err"
if release_is 29; then
	check "the words were replaced" reworded 'Misbehaving'
	check "no errors, nothing but one detail" [ "$(details) $(others) $(errors) $(jq .summary.skipped "$scratch/report.json")" = "1 0 0 0" ]
else
	check "the tracepoint came later" [ "$(jq '.summary.skipped - (.scenarios | length)' "$scratch/report.json")" = 0 ]
fi

# Nodes that in addition exit with a status of their own: what is reported once does not hide it. The variable makes nodes
# be stopped instead of killed.
with_exit() {
	text=$1
	shift
	with 'Sanity checks|Fork checks|Verify|Write undo data|Index writing' --env="INJECT_EXIT=$text" \
		--env=LD_PRELOAD="$scratch/reword.so:$scratch/inject.so" --env=LSAN_OPTIONS=verbosity=0 --jobs=1 "$@" \
		'validation.block_connected.*'
}
ended() { jq -r '.scenarios[] | select(.reason // "" | test("failed to stop bitcoind: .*exited with status 23")).outcome' "$scratch/report.json"; }
run 99 with_exit 'good-bye' --details=warn
check "each node's exit is an error" [ "$(ended | sort -u)" = error ]
exits=$(ended | wc -l)
run 1 with_exit 'good-bye'
check "no node is replaced because of what its log does not say" [ "$(ended | wc -l)" = "$exits" ]

# Defaults: what a scenario depends on is given to the node.
defaults='-mempoolexpiry=72 -permitbaremultisig=0 -minrelaytxfee=0.00003 -incrementalrelayfee=0.00002 -dustrelayfee=0.00001 -maxconnections=50 -addresstype=legacy -spendzeroconfchange=0'
run 0 with '' --env="ARGS_FIRST=$defaults" 'mempool.*' 'coin_selection.*' net.inbound_message.tx
# shellcheck disable=SC2086 # one argument each
check "it had these defaults" given $defaults
# Fewer slots than are asked for.
if release_is 29; then
	run 0 with 'Using at most' --env=ARGS_LAST=-maxconnections=150 net.evicted_inbound_connection.full
	check "the words were replaced" reworded 'Using at most'
	check "it had fewer slots" given -maxconnections=150
	check "the number of slots is found out" [ "$(outcome net.evicted_inbound_connection.full) $(details) $(others)" = "pass 0 0" ]
fi

# A bitcoind that is slow to answer by the v2 transport is not taken for one of v1, and called again during a scenario.
if release_is 27; then
	run 0 with '' --env=LD_PRELOAD="$scratch/reword.so:$scratch/late.so" --env=ACCEPT_LATE_MS=150 --env=V2_LATE_MS=500 \
		--env=ARGS_LAST=-debug=net net.inbound_message.v2
	check "it was called by v2" grep -q 'start sending v2 handshake' "$scratch/log/copy"
	check "it is not called by v1" [ "$(grep -c 'retrying with v1' "$scratch/log/copy")" = 0 ]
fi

# A bitcoind that loses its processor for seconds at the worst moment (LATE): the order of events is as before, and nobody
# waits in vain.
late() {
	rm -f "$scratch/log/late"
	run 0 with '' --env=LD_PRELOAD="$scratch/late.so" --env="LATE=$1" --env=LATE_DONE="$scratch/log/late" "$2"
	check "it was late" [ -e "$scratch/log/late" ]
}
late 'recv b-net getheaders 3500' net.inbound_message.requests
# v23 sends it before the scenario begins.
! release_is 25 || late 'send b-msghand sendheaders 2500' net.inbound_message.block
late 'recv b-i2paccept AgkQFx4lLDM6QUhP 1100' net.inbound_connection.peers
! release_is 31 || late 'recv b-net getdata 3500' net.closed_connection.stop

# What a scenario needs of the node, and does not get, is named.
if release_is 28; then
	with '' --env=ARGS_LAST=-dbcrashratio=0 utxocache.spent.replayed >"$scratch/out" 2>"$scratch/err"
	check "no crash" says 'SKIP  utxocache.spent.replayed'
	check "the reason" says '-dbcrashratio=1 did not end this bitcoind while it wrote its coins'
fi
with '' --env=ARGS_LAST=-dustrelayfee=10 utxocache.uncache.tried >"$scratch/out" 2>"$scratch/err"
check "why one of two transactions is not allowed" says "testmempoolaccept of a transaction: want it allowed, got 'dust'"
# A system that keeps what a peer does not read.
buffers='ip link set lo up && echo "4096 67108864 134217728" >/proc/sys/net/ipv4/tcp_wmem && exec "$@"'
if unshare --net sh -c "$buffers" sh true 2>/dev/null; then
	unshare --net sh -c "$buffers" sh "$tpcheck" run --bitcoind="$bitcoind" net.outbound_message.unread >"$scratch/out" 2>"$scratch/err"
	check "no message waits" says 'SKIP  net.outbound_message.unread'
	check "the reason" says 'the system kept them (see net.ipv4.tcp_wmem)'
else
	skip_part "the system's buffers: only root can change them (unshare, ip)"
fi
check "nothing left behind" left_nothing "$scratch/tmp"
finish

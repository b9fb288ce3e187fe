#!/bin/sh
# Which scenarios run, and in which order, changes nothing: alone, among a few and in the whole suite in another order,
# a scenario has the same outcome and compares the same events and kinds of values.
. "$(dirname "$0")/lib.sh"
copy_bitcoind
if [ ! -x "$bitcoind" ]; then
	echo "SKIP: no bitcoind: set BITCOIND, or put one into PATH"
	exit 77
fi
unset BITCOIND
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR

# By ptrace: it needs no compiler, and so next to no time.
run_json() { "$tpcheck" run --bitcoind="$bitcoind" --attach=ptrace --format=json --output="$@" >"$scratch/out" 2>"$scratch/err"; }

# Scenarios of several nodes, with coins and peers that others take as well, or that empty the cache, restart the node,
# end it, or need what a new node has.
sample='
validation.block_connected.generate
net.inbound_message.requests
net.outbound_message.announcements
net.misbehaving_connection.peers
utxocache.add.outputs
utxocache.spent.inputs
utxocache.uncache.rejected
utxocache.flush.gettxoutsetinfo
validation.block_connected.verifychain
validation.block_connected.download
mempool.added.loaded
net.closed_connection.remote'

# What was compared, a line for each scenario. The node chooses the position of change at random.
compared() {
	jq -c '.scenarios[] | [.name, .outcome, (.checked | if . == null then null else
		[.events, .arguments], (.tracepoints | map([.tracepoint, .events, (.values | del(.change_position))]))
		end)]' "$@" | sort
}
same_for() {
	compared "$1" >"$scratch/want"
	compared "$2" | grep -F -f "$scratch/names" >"$scratch/got"
	diff "$scratch/want" "$scratch/got" >"$scratch/out"
}

# checked.txt has, for a master, how many events and arguments each scenario checks at least: one that checks less would
# pass, too. Those whose number depends on this machine's networks or on chance are not in it. lists "NAME EVENTS
# ARGUMENTS" of those that passed.
lists() { jq -r '.scenarios[] | select(.outcome == "pass") | "\(.name) \(.checked.events) \(.checked.arguments)"' "$1"; }
no_less_than_listed() {
	lists "$1" | awk -v list="$(dirname "$0")/checked.txt" '
		BEGIN { while ((getline line <list) > 0) { split(line, word, " "); events[word[1]] = word[2]; arguments[word[1]] = word[3] } }
		$1 in events { known++ }
		$1 in events && ($2 < events[$1] || $3 < arguments[$1]) {
			print $1 ": " $2 " events and " $3 " arguments, not " events[$1] " and " arguments[$1]; less++ }
		END { print known + 0 " are listed; a change on purpose belongs into checked.txt"; exit less || known < 100 }' >"$scratch/out"
}

# An order in which those that end their node come before others that share it.
ends_first() {
	"$tpcheck" run --list --shuffle="$1" >"$scratch/order"
	awk '/^(mempool.added.loaded|utxocache.spent.replayed)$/ { ends++ }
		/^validation.block_connected.(reindex|reindex_chainstate|verifychain)$/ && ends == 2 { after++ }
		END { exit after != 3 }' "$scratch/order"
}
seed=1
until ends_first $seed || [ $seed = 500 ]; do
	seed=$((seed + 1))
done
check "--shuffle=$seed: those that end their node come first" ends_first $seed
run_json "$scratch/all" --shuffle=$seed
code=$?
if [ $code = 77 ]; then
	skip_part "$(jq -r '.scenarios[0].reason' "$scratch/all")"
	finish
fi
check "all in another order: exit code $code" [ $code = 0 ]
check "a master knows our snapshot" json '.release != "master" or (.scenarios[] | select(.name == "validation.block_connected.snapshot").outcome) == "pass"' "$scratch/all"
[ "$(jq -r .release "$scratch/all")" != master ] || [ "$(jq .summary.skipped "$scratch/all")" != 0 ] ||
	check "no scenario checks less than it did" no_less_than_listed "$scratch/all"
check "headers, and two pings at once" json '.scenarios[] | select(.name == "net.inbound_message.headers").checked.tracepoints[] | select(.tracepoint == "net:inbound_message").events == 3' "$scratch/all"
check "all were run, in another order" json -s '(.[0].scenarios | map(.name)) as $names | ($names | length) > 100 and $names != ($names | sort)' "$scratch/all"
"$tpcheck" run --list >"$scratch/names"
check "the order is not the usual one" [ "$(jq -r '.scenarios[].name' "$scratch/all")" != "$(cat "$scratch/names")" ]
check "and the same scenarios" [ "$(jq -r '.scenarios[].name' "$scratch/all" | sort)" = "$(sort "$scratch/names")" ]
check "the number is reported, and gives the same order" \
	[ "$("$tpcheck" run --list --shuffle=$seed)" = "$(jq -r '.scenarios[].name' "$scratch/all")" ]

# shellcheck disable=SC2086 # one pattern each
run_json "$scratch/some" $sample
check "some in the usual order: exit code $?" [ "$(jq '.summary.failed + .summary.errors' "$scratch/some")" = 0 ]
jq -r '.scenarios[] | "\"\(.name)\""' "$scratch/some" >"$scratch/names"
check "some among others compare the same" same_for "$scratch/some" "$scratch/all"

for scenario in $sample; do
	run_json "$scratch/one" "$scenario"
	check "$scenario alone: exit code $?" [ "$(jq '.summary.failed + .summary.errors' "$scratch/one")" = 0 ]
	echo "\"$scenario\"" >"$scratch/names"
	check "$scenario alone compares the same as among all" same_for "$scratch/one" "$scratch/all"
done
check "nothing left behind" left_nothing "$scratch/tmp"
finish

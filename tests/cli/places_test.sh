#!/bin/sh
# Conditions as on CI systems: folder names with blanks and non-ASCII characters, a small stack, no HOME, no terminal, a
# read-only installation. A pass writes nothing to stderr and leaves nothing behind.
. "$(dirname "$0")/lib.sh"
odd="$scratch/scratch_ ₿🧪_"
mkdir -p "$odd/bin" "$odd/node"
mkdir -m 1777 "$odd/tmp"
cp "$tpcheck" "${tpcheck%/*}/tpcheck-full" "$odd/bin/"
chmod -R a-w "$odd/bin"
copy_bitcoind
unset BITCOIND
like_ci() { env -u HOME TMPDIR="$odd/tmp" sh -c 'ulimit -s 512; exec "$@"' like_ci "$@"; }

run 0 like_ci "$odd/bin/tpcheck" list scenarios
check "nothing on stderr" quiet
if ! can_trace; then
	skip_part "the parts that trace: $("$tpcheck" doctor | tail -n 1)"
	finish
fi
run 0 like_ci "$odd/bin/tpcheck" selftest
check "nothing on stderr" quiet
check "nothing left behind" left_nothing "$odd/tmp"
if [ ! -x "$bitcoind" ]; then
	skip_part "the parts with a bitcoind: there is none; set BITCOIND, or put one into PATH"
	finish
fi
cp "$bitcoind" "$odd/node/"
run 0 like_ci "$odd/bin/tpcheck" run --bitcoind="$odd/node/bitcoind" --require
check "nothing on stderr" quiet
check "nothing left behind" left_nothing "$odd/tmp"

# Without TMPDIR the nodes are in memory, if that has room. Which folder was used shows in when it was changed last.
memory=/dev/shm
if [ "$(id -u)" = 0 ] && [ -d $memory ] && mount -t tmpfs -o size=2g,mode=1777 none $memory 2>/dev/null; then
	changed() { stat -c %y "$1"; }
	run_one() { run 0 env "$@" "$tpcheck" run --bitcoind="$bitcoind" utxocache.spent.chain; }
	before=$(changed $memory)
	run_one TMPDIR="$odd/tmp"
	check "TMPDIR is obeyed" [ "$(changed $memory)" = "$before" ]
	run_one -u TMPDIR
	check "nodes are in memory" [ "$(changed $memory)" != "$before" ]
	check "nothing left behind" left_nothing $memory
	mount -o remount,size=500m $memory
	before=$(changed $memory)
	run_one -u TMPDIR
	check "nodes are not in too little memory" [ "$(changed $memory)" = "$before" ]
	mount -o remount,size=2g,mode=0777 $memory
	chmod 0777 $memory
	before=$(changed $memory)
	run_one -u TMPDIR
	check "nor where others can replace them" [ "$(changed $memory)" = "$before" ]
	umount $memory
else
	skip_part "nodes in memory: not root, or nothing can be mounted"
fi
cd "$odd" || exit 99
run 0 like_ci bin/tpcheck run --bitcoind=node/bitcoind 'utxocache.spent.*'
check "with relative paths" says '^[1-9][0-9]* passed, 0 failed, 0 skipped'

# Artifacts go into such a folder, too, and the command to repeat can be copied.
LC_ALL=C sed 's/utxocache\x00spent\x00/utxocache\x00spenX\x00/' "$bitcoind" >"$odd/node/renamed"
chmod 755 "$odd/node/renamed"
run 1 like_ci "$odd/bin/tpcheck" run --bitcoind="$odd/node/renamed" --artifacts="$odd/kept" utxocache.spent.chain
check "findings are kept there" [ -s "$odd/kept/utxocache.spent.chain/findings.json" ]
again=$(sed -n 's/^ *repeat with: //p' "$scratch/out")
run 1 like_ci sh -c "$again"
check "the printed command repeats it" says '^FAIL  utxocache.spent.chain'
finish

#!/bin/sh
# Installs to a folder of its own, configures another project with what is there, and runs that project's tests.
#
#	foreign_test.sh <tpcheck> <build folder> <cmake> <ctest>
build=$2
cmake=$3
ctest=$4
. "$(dirname "$0")/../cli/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
copy_bitcoind
unset BITCOIND DESTDIR
PATH=$scratch/bin:/usr/bin:/bin
export PATH
mkdir "$scratch/bin"
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR

# configure NAME OPTION...: configures the project in a new folder.
configure() {
	name=$1
	shift
	"$cmake" -S "$here/foreign" -B "$scratch/$name" -DCMAKE_PREFIX_PATH="$scratch/prefix" "$@"
}
# tests NAME: JSON of its tests into $scratch/NAME.json.
tests() { "$ctest" --test-dir "$scratch/$1" --show-only=json-v1 >"$scratch/$1.json"; }

run 0 "$cmake" --install "$build" --prefix "$scratch/installed"
# What is installed may be moved as a whole.
mv "$scratch/installed" "$scratch/prefix"
check "the files" [ -s "$scratch/prefix/share/cmake/tpcheck/TpcheckTests.cmake" ]

# All of them, with the properties that CTest needs.
run 0 configure all
tests all
scenarios=$("$tpcheck" run --list | wc -l)
check "one test for each scenario" json "([.tests[] | select(.name | startswith(\"tpcheck.\"))] | length) == $scenarios" "$scratch/all.json"
property() { json "[.tests[] | select(.name | startswith(\"tpcheck.\")) | .properties[] | select(.name == \"$1\") | .value] | length == $scenarios and all($2)" "$scratch/all.json"; }
check "skip code" property SKIP_RETURN_CODE '. == 77'
check "lock" property RESOURCE_LOCK '. == ["tpcheck"]'
check "timeout" property TIMEOUT '. == 120'
check "labels" property LABELS 'length == 2 and any(. == "tpcheck")'
check "the installed program is run" json ".tests[] | select(.name == \"tpcheck.utxocache.spent.chain\") |
	.command == [\"$scratch/prefix/bin/tpcheck\", \"run\", \"--timeout=60\", \"utxocache.spent.chain\"]" "$scratch/all.json"
run 0 configure some "-DMORE=PATTERN;utxocache.spent.*;net.misbehaving*;TIMEOUT;7;ARGS;--details=warn;--require;LAUNCHER;env;A=b;LOCK;mine" -DJUDGED=bin/bitcoind
tests some
check "only what matches" json '[.tests[].name | select(startswith("tpcheck."))] | length > 2 and all(test("^tpcheck.(utxocache.spent|net.misbehaving)"))' "$scratch/some.json"
check "arguments" json ".tests[] | select(.name == \"tpcheck.utxocache.spent.chain\") | .command | (.[0] | test(\"/env\$\")) and
	.[1:] == [\"A=b\", \"$scratch/prefix/bin/tpcheck\", \"run\", \"--bitcoind=$scratch/some/bin/bitcoind\", \"--timeout=7\",
	\"--details=warn\", \"--require\", \"utxocache.spent.chain\"]" "$scratch/some.json"
check "limits" json '.tests[] | select(.name == "tpcheck.utxocache.spent.chain") | .properties | map({(.name): .value}) | add |
	.TIMEOUT == 67 and .RESOURCE_LOCK == ["mine"] and .LABELS == ["tpcheck", "utxocache"]' "$scratch/some.json"

# Mistakes are reported when CMake runs.
run 1 configure wrong1 "-DMORE=PATTERN;no.such.*"
check "a pattern that matches nothing" complains "no scenario matches 'no.such"
run 1 configure wrong2 "-DMORE=TIMEOUT;soon"
check "no number" complains "TIMEOUT 'soon' is not a whole number"
run 1 configure wrong3 "-DMORE=BITCOIN;path"
check "a word that it does not know" complains 'BITCOIN'
run 1 configure wrong4 "-DMORE=TPCHECK;$scratch/nowhere/tpcheck"
check "a program that is not there" complains "$scratch/nowhere/tpcheck"

# Without a bitcoind: skipped, not passed.
run 0 configure none "-DMORE=PATTERN;utxocache.spent.*"
run 0 "$ctest" --test-dir "$scratch/none" -L tpcheck
cnt=$("$tpcheck" run --list 'utxocache.spent.*' | wc -l)
check "all are skipped" [ "$(grep -c '\*\*\*Skipped' "$scratch/out")" = "$cnt" ]

if can_check_bitcoind; then
	run 0 configure good "-DMORE=PATTERN;utxocache.spent.*" -DJUDGED="$bitcoind" -DAS_TARGET=ON
	run 0 "$ctest" --test-dir "$scratch/good" -L utxocache -j 4
	check "a bitcoind named by a target: all pass" [ "$(grep -c ' Passed ' "$scratch/out")" = "$cnt" ]
	LC_ALL=C sed 's/utxocache\x00spent\x00/utxocache\x00spenX\x00/' "$bitcoind" >"$scratch/renamed"
	chmod 755 "$scratch/renamed"
	run 0 configure bad "-DMORE=PATTERN;utxocache.spent.chain;utxocache.add.outputs;ARGS;--artifacts=$scratch/kept" -DJUDGED="$scratch/renamed"
	run 8 "$ctest" --test-dir "$scratch/bad" --output-on-failure
	check "what is broken fails" says 'tpcheck.utxocache.spent.chain *(Failed)'
	check "with the reason" says 'utxocache:spent is not in the binary'
	check "and that alone" says '67% tests passed, 1 tests failed out of 3'
else
	skip_part "with a bitcoind: none that can be checked here: set BITCOIND, or put one into PATH"
fi
check "nothing left behind" left_nothing "$scratch/tmp"
finish

#!/bin/sh
# A real bitcoind that behaves like one with sanitizers, with a library that prints their reports: all machine formats,
# exit codes, --env, and the hint about variables that are not passed on.
#
#	sanitizer_test.sh <tpcheck> <inject.so>
inject=$2
. "$(dirname "$0")/lib.sh"
copy_bitcoind
if [ ! -x "$bitcoind" ]; then
	echo "SKIP: no bitcoind: set BITCOIND, or put one into PATH"
	exit 77
fi
unset BITCOIND
cp "$2" "$scratch/inject.so" && chmod 755 "$scratch/inject.so" || exit 99
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR
preload=--env=LD_PRELOAD=$scratch/inject.so
leak='==9==ERROR: LeakSanitizer: detected memory leaks
    #0 0x1 in malloc (/b/bitcoind+0x1)
    #1 0x2 in node::Leak() src/node/leak.cpp:4:1
SUMMARY: AddressSanitizer: 303 byte(s) leaked in 3 allocation(s).
'
message='LeakSanitizer: 303 byte(s) leaked in 3 allocation(s), the first in node::Leak() src/node/leak.cpp:4:1'
fault='==9==ERROR: AddressSanitizer: heap-use-after-free on address 0x1
    #0 0x2 in Coin::Use() src/coins.cpp:4:1
SUMMARY: AddressSanitizer: heap-use-after-free src/coins.cpp:4:1 in Coin::Use()
'

# What is missing or set in the caller's environment.
not_says() { ! says "$1"; }
run 0 env LSAN_OPTIONS=x LD_LIBRARY_PATH=/nowhere "$tpcheck" run --list
check "no hint without a failure" quiet

if can_check_bitcoind; then
	# Leaks, which are reported when the node exits, in each format.
	set -- --bitcoind="$bitcoind" "$preload" --env=LSAN_OPTIONS=verbosity=0 --env="INJECT_EXIT=$leak"
	for format in json tap junit github; do
		set -- "$@" --report $format="$scratch/report.$format"
	done
	run 1 "$tpcheck" run "$@" --artifacts="$scratch/kept" utxocache.spent.inputs utxocache.spent.chain
	check "the last scenario of the node fails" says '^FAIL  utxocache.spent.chain'
	check "the other passes" says '^PASS  utxocache.spent.inputs'
	check "message" says "\[sanitizer\] $message; reported when the node exited, after 2 scenarios"
	check "the report" says '#1 0x2 in node::Leak() src/node/leak.cpp:4:1'
	check "the repeat command has the variables" says "repeat with: .* --env=LSAN_OPTIONS=verbosity=0 .*--env='INJECT_EXIT="
	check "JSON" json ".scenarios[1] | .outcome == \"fail\" and .findings[0].kind == \"sanitizer\" and (.findings[0].message | startswith(\"$message\"))" "$scratch/report.json"
	for format in tap junit github; do
		check "$format" grep -q '303 byte(s) leaked in 3 allocation(s), the first in node' "$scratch/report.$format"
	done
	check "JUnit's type" grep -q '<failure .*type="sanitizer"' "$scratch/report.junit"
	check "GitHub's level" grep -q '^::error .*LeakSanitizer' "$scratch/report.github"
	check "the whole report is kept" grep -q '303 byte(s) leaked' "$scratch/kept/utxocache.spent.chain/output.txt"
	check "nothing left behind" left_nothing "$scratch/tmp"

	# Details only warn; this does not.
	run 1 "$tpcheck" run --bitcoind="$bitcoind" "$preload" --env=ASAN_OPTIONS=x=1 --env="INJECT_EXIT=$leak" \
		--details=warn --artifacts="$scratch/warn" utxocache.spent.chain

	# Where only the name of what is preloaded says that there is a sanitizer.
	cp "$scratch/inject.so" "$scratch/libasan.so"
	run 1 "$tpcheck" run --bitcoind="$bitcoind" --env=LD_PRELOAD="$scratch/libasan.so" \
		--env="INJECT_EXIT=$(printf '%s' "$leak" | sed 's,/b/bitcoind,/b/libasan.so,')
" --artifacts="$scratch/preloaded" utxocache.spent.chain
	check "found by its name" says "\[sanitizer\] $message"

	# A node that a sanitizer ends at its start.
	run 1 "$tpcheck" run --bitcoind="$bitcoind" "$preload" --env=INJECT_FAIL=1 --env="INJECT_START=$fault" \
		--artifacts="$scratch/start" utxocache.spent.chain
	check "why it did not start" says 'exited with status 1'
	check "the report" says '\[sanitizer\] AddressSanitizer: heap-use-after-free in Coin::Use() src/coins.cpp:4:1'

	# The hint, for what is set, not passed on and not given.
	run 99 env LD_LIBRARY_PATH=/nowhere UBSAN_OPTIONS=a=1 TSAN_OPTIONS=a=1 OTHER=1 "$tpcheck" run --bitcoind="$bitcoind" \
		"$preload" --env=INJECT_FAIL=1 --env=TSAN_OPTIONS=a=1 --artifacts="$scratch/hint" utxocache.spent.chain
	check "a hint" says 'status 1 and left no output; LD_LIBRARY_PATH is not passed on to bitcoind, use --env=LD_LIBRARY_PATH=...; UBSAN_OPTIONS is not passed on'
	check "not for what is given" not_says 'TSAN_OPTIONS is not'
	check "not for others" not_says 'OTHER'
	run 99 "$tpcheck" run --bitcoind="$bitcoind" "$preload" --env=INJECT_FAIL=1 --artifacts="$scratch/none" utxocache.spent.chain
	check "no hint without such a variable" not_says 'not passed on'

	# trace
	run 99 "$tpcheck" trace --bitcoind="$bitcoind" "$preload" --env="INJECT_EXIT=$leak" --duration=2
	check "trace on a private regtest" complains "$message"
	run 99 "$tpcheck" trace --bitcoind="$bitcoind" --duration=5 --env=A=B "$preload" --env="INJECT_START=$fault" \
		--env=INJECT_FAIL=1 -- -regtest -datadir="$scratch/tmp"
	check "trace with arguments" complains 'AddressSanitizer: heap-use-after-free in Coin::Use() src/coins.cpp:4:1'
	run 99 env ASAN_OPTIONS=a=1 "$tpcheck" trace --bitcoind="$bitcoind" --duration=5 "$preload" --env=INJECT_FAIL=1 \
		-- -regtest -datadir="$scratch/tmp"
	check "the hint" complains 'ASAN_OPTIONS is not passed on to bitcoind'
	# A process that is just ending has no program any more. That is no fault.
	LD_PRELOAD=$scratch/inject.so INJECT_LINGER=2000 "$bitcoind" &
	lingering=$!
	await sh -c "! readlink /proc/$lingering/exe"
	echo $lingering >"$scratch/pid"
	"$tpcheck" trace --pid-file="$scratch/pid" 2>"$scratch/err" &
	tracer=$!
	await grep -q "process $lingering ended; waiting for a new PID" "$scratch/err"
	kill -INT $tracer
	wait $tracer
	check "one that is just ending has ended" [ $? = 0 ]
else
	skip_part "$(tail -n 1 "$scratch/out")"
fi
finish

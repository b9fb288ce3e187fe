#!/bin/sh
# The unit tests, selftest and the scenarios with AddressSanitizer and UndefinedBehaviorSanitizer. Skipped if the compiler does
# not have them, or if, after the unit tests, there is no bitcoind or tpcheck may not trace.
#
#	sanitize_test.sh <root of the source tree> <build folder> <cmake> <ctest> <C compiler> <option of cmake>...
set -u
source=$1
build=$2/sanitized
cmake=$3
ctest=$4
cc=$5
shift 5
mkdir -p "$build" || exit 99

echo 'int main(void) { return 0; }' | "$cc" -fsanitize=address,undefined -o "$build/trial" -x c - 2>"$build.log" &&
	"$build/trial" 2>>"$build.log" || {
	echo "SKIP: $cc makes no programs with AddressSanitizer and UndefinedBehaviorSanitizer here: $(head -n 1 "$build.log")"
	exit 77
}
"$(dirname "$0")/unit_test.sh" "$build" "" "$cmake" "$ctest" -S "$source" "$@" -DSANITIZE=ON || exit
"$cmake" --build "$build" --parallel "$(nproc)" --target tpcheck >"$build.log" 2>&1 || {
	cat "$build.log"
	echo "failed to build tpcheck"
	exit 1
}

failed=
skipped=
# try ARGUMENT...: of tpcheck, which exits with 77 where it may not trace; sanitizers have other exit codes.
try() {
	"$build/tpcheck" "$@" >"$build.log" 2>&1
	code=$?
	case $code in
	0) ;;
	77) skipped="tpcheck $*: $(head -n 1 "$build.log")" ;;
	*)
		sed '/^PASS /d' "$build.log"
		echo "failed with exit code $code: tpcheck $*"
		failed=yes
		;;
	esac
	tail -n 1 "$build.log"
}
bitcoind=${BITCOIND:-$(command -v bitcoind)}
for method in auto ptrace; do
	try selftest --attach=$method --no-cache
	[ ! -x "$bitcoind" ] || try run --attach=$method --no-cache
done
[ -z "$failed" ] || exit 1
[ -x "$bitcoind" ] || skipped="the scenarios: set BITCOIND, or put one into PATH"
[ -z "$skipped" ] || {
	echo "SKIP: $skipped"
	exit 77
}

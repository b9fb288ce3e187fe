#!/bin/sh
# The unit tests, selftest and, with a bitcoind, the scenarios with AddressSanitizer and UndefinedBehaviorSanitizer. Skipped if
# the compiler does not have them.
#
#	sanitize_test.sh <root of the source tree> <build folder> <cmake> <ctest> <C compiler> <option of cmake>...
set -u
source=$1
build=$2/sanitized
cmake=$3
ctest=$4
cc=$5
shift 5

echo 'int main(void) { return 0; }' | "$cc" -fsanitize=address,undefined -o /dev/null -x c - 2>/dev/null || {
	echo "SKIP: $cc has no AddressSanitizer and UndefinedBehaviorSanitizer; install them (Fedora: libasan libubsan)"
	exit 77
}
"$(dirname "$0")/unit_test.sh" "$build" "" "$cmake" "$ctest" -S "$source" "$@" -DSANITIZE=ON || exit
"$cmake" --build "$build" --parallel "$(nproc)" --target tpcheck >"$build.log" 2>&1 || {
	cat "$build.log"
	exit 1
}

# try COMMAND...: 77 is what tpcheck exits with where it may not trace; sanitizers have other codes.
failed=
try() {
	"$build/tpcheck" "$@" >"$build.log" 2>&1
	code=$?
	if [ $code != 0 ] && [ $code != 77 ]; then
		cat "$build.log"
		echo "failed with exit code $code: tpcheck $*"
		failed=yes
	fi
	tail -n 1 "$build.log"
}
for method in auto ptrace; do
	try selftest --attach=$method
	[ -z "${BITCOIND:-$(command -v bitcoind)}" ] || try run --attach=$method
done
[ -z "$failed" ]

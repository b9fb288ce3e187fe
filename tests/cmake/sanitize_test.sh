#!/bin/sh
# The unit tests with AddressSanitizer and UndefinedBehaviorSanitizer. Skipped if the compiler does not have them.
#
#	sanitize_test.sh <root of the source tree> <build folder> <cmake> <ctest> <C compiler> <option of cmake>...
set -u
source=$1
build=$2
cmake=$3
ctest=$4
cc=$5
shift 5

echo 'int main(void) { return 0; }' | "$cc" -fsanitize=address,undefined -o /dev/null -x c - 2>/dev/null || {
	echo "SKIP: $cc has no AddressSanitizer and UndefinedBehaviorSanitizer; install them (Fedora: libasan libubsan)"
	exit 77
}
exec "$(dirname "$0")/unit_test.sh" "$build/sanitized" "" "$cmake" "$ctest" -S "$source" "$@" -DSANITIZE=ON

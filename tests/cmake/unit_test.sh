#!/bin/sh
# The unit tests of another build, in a folder of its own; those with a label that matches <excluded> are left out.
#
#	unit_test.sh <folder> <excluded, or nothing> <cmake> <ctest> <option of cmake>...
set -u
build=$1
excluded=$2
cmake=$3
ctest=$4
shift 4

# step COMMAND...: its output is shown only if it fails.
step() {
	"$@" >"$build.log" 2>&1 || {
		cat "$build.log"
		echo "failed: $*"
		exit 1
	}
}

jobs=$(nproc)
step "$cmake" -B "$build" "$@" -DBUILD_TESTING=ON
step "$cmake" --build "$build" --parallel "$jobs" --target unit_tests
step "$ctest" --test-dir "$build" --no-tests=error --output-on-failure --parallel "$jobs" --label-regex unit \
	${excluded:+--label-exclude "$excluded"}
sed -n '/tests passed/p' "$build.log"

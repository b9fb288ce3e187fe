#!/bin/sh
# Installs what building and testing need (Debian, Ubuntu), builds tpcheck in build/ and runs all tests. Those that need
# a real bitcoind use the one in $BITCOIND or PATH, and are skipped if there is none; with --require a skip counts as a
# failure. Ends with "N passed, N failed, N skipped".
set -eu
export LC_ALL=C
unset CDPATH
require=
for argument in "$@"; do
	shift
	if [ "$argument" = --require ]; then
		require=yes
	else
		set -- "$@" "$argument"
	fi
done
case ${BITCOIND-} in
"" | /*) ;;
*) BITCOIND=$PWD/$BITCOIND && export BITCOIND ;;
esac
root=$(cd "$(dirname "$0")" && pwd)
cd "$root"
. tools/setup.sh
setup_packages $BUILD_PACKAGES $TEST_PACKAGES || exit 99
setup_optional $FUZZ_PACKAGES
setup_optional $FORMAT_PACKAGES
setup_optional $INSTALL_PACKAGES
setup_optional $METRICS_PACKAGES
setup_optional $CROSS_PACKAGES
setup_sysroot
# Another compiler may know other warnings: they are errors only in CI.
werror=OFF
[ "${CI-}" = true ] && werror=ON
setup_build -DBUILD_TESTING=ON "-DWERROR=$werror" || exit 99
# What tests that were killed left (tests/own_files.sh).
as_root rm -rf build/own-*
set +e
as_root env LC_ALL=C ${TMPDIR:+"TMPDIR=$TMPDIR"} ${FUZZ_SECONDS:+"FUZZ_SECONDS=$FUZZ_SECONDS"} ctest --test-dir build --parallel "$(nproc)" --output-on-failure --no-tests=error "$@" 2>&1 | tee build/ctest.log
echo
# Why a test was skipped.
for name in $(sed -n 's/^ *[0-9]*\/[0-9]* *Test *#[0-9]*: *\([^ ]*\) .*\*\*\*Skipped.*/\1/p' build/ctest.log); do
	printf 'SKIPPED %s: ' "$name"
	awk -v name="$name" '$2 == "Testing:" { here = $3 == name } here && sub(/^SKIP: /, "") { print; exit }' build/Testing/Temporary/LastTest.log
done
total=$(sed -n 's/.*tests passed, .* tests failed out of \([0-9]*\)$/\1/p; s/.*% tests passed, .* out of \([0-9]*\)$/\1/p' build/ctest.log | tail -n 1)
failed=$(sed -n 's/.*% tests passed, \([0-9]*\) tests failed.*/\1/p' build/ctest.log | tail -n 1)
skipped=$(grep -c '\*\*\*Skipped' build/ctest.log)
if [ -z "$total" ] || [ -z "$failed" ]; then
	echo "the tests did not finish" >&2
	exit 99
fi
echo "$((total - failed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && { [ -z "$require" ] || [ "$skipped" = 0 ]; }

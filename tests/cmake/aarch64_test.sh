#!/bin/sh
# The unit tests, cross-compiled for aarch64 and run by QEMU's user emulation. Skipped if the compiler, the libraries or QEMU
# is missing. What QEMU emulates is the processor, not the kernel: tests of the label "kernel" are left out.
#
#	aarch64_test.sh <root of the source tree> <build folder> <cmake> <ctest> <sysroot> <option of cmake>...
set -u
source=$1
build=$2
cmake=$3
ctest=$4
sysroot=$5
shift 5

skip() {
	echo "SKIP: $*"
	exit 77
}

for tool in aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu aarch64-linux-gnu-g++:g++-aarch64-linux-gnu; do
	command -v "${tool%:*}" >/dev/null || skip "there is no ${tool%:*} to cross-compile for aarch64; install the package ${tool#*:}"
done
command -v qemu-aarch64 >/dev/null || command -v qemu-aarch64-static >/dev/null ||
	skip "there is no qemu-aarch64 to run programs for aarch64; install the package qemu-user-static"
[ -e "$sysroot/usr/lib/aarch64-linux-gnu/libbcc.so" ] ||
	skip "there are no libraries for aarch64 in '$sysroot'; run tools/sysroot.sh $sysroot"

exec "$(dirname "$0")/unit_test.sh" "$build/arm64" kernel "$cmake" "$ctest" -S "$source" "$@" \
	--toolchain "$source/cmake/aarch64-linux-gnu.cmake" -DCMAKE_SYSROOT="$sysroot" -DWERROR=ON

#!/bin/sh
# Makes a sysroot: a folder with the libraries and headers that tpcheck is built with, for another machine. Nothing is
# installed here, and root is not needed.
#
#	tools/sysroot.sh [OPTION...] DIR        DIR is new, or empty
#
#	--arch=ARCH      the machine's architecture, as Debian calls it (default: arm64)
#	--suite=SUITE    the release (default: the one that runs here)
#	--mirror=URL     the archive (default: the first one that apt uses here)
#	--cache=DIR      where the package lists are kept (default: a temporary folder)
#
# Then, with the packages g++-aarch64-linux-gnu and qemu-user-static:
#	cmake -S . -B build-arm64 --toolchain cmake/aarch64-linux-gnu.cmake -DCMAKE_SYSROOT=DIR
#	cmake --build build-arm64 && ctest --test-dir build-arm64 -L unit
set -eu
unset CDPATH
root=$(cd "$(dirname "$0")/.." && pwd)
arch=arm64
suite=
mirror=
cache=

fail() {
	echo "sysroot.sh: $*" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--arch=?*) arch=${1#*=} ;;
	--suite=?*) suite=${1#*=} ;;
	--mirror=?*) mirror=${1#*=} ;;
	--cache=?*) cache=${1#*=} ;;
	--help) exec sed -n '2,/^set -eu/{/^set -eu/q;s/^# \{0,1\}//p;}' "$0" ;;
	-*) fail "unknown option '$1'; see --help" ;;
	*) break ;;
	esac
	shift
done
[ $# = 1 ] || fail "which folder? see --help"
[ ! -e "$1" ] || [ -z "$(ls -A "$1")" ] || fail "'$1' is not empty"
for tool in apt-get:apt dpkg-deb:dpkg realpath:coreutils; do
	command -v "${tool%:*}" >/dev/null || fail "there is no ${tool%:*}; install the package ${tool#*:}"
done
# shellcheck source=tools/setup.sh
. "$root/tools/setup.sh"
# shellcheck source=tools/debian.sh
. "$root/tools/debian.sh"
[ -n "$suite" ] || suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
[ -n "$mirror" ] || mirror=$(archive_here)
[ -n "$mirror" ] || fail "apt has no archive here; name one by --mirror"
work=$(mktemp -d "${TMPDIR:-/tmp}/tpcheck-sysroot-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 99' INT TERM HUP
[ -n "$cache" ] || cache=$work/cache
mkdir -p "$1" "$cache"
sysroot=$(cd "$1" && pwd)
cache=$(cd "$cache" && pwd)

# Of what builds and tests tpcheck, what is for the machine rather than runs here.
packages=
for package in $BUILD_PACKAGES $TEST_PACKAGES; do
	case $package in lib*-perl) ;; lib*-dev | systemtap-sdt-dev) packages="${packages:+$packages, }$package" ;; esac
done
use_archive "$suite" "$mirror"
unpack_packages "$sysroot" "$packages"

# Links to absolute paths lead out of the folder.
find "$sysroot" -lname '/*' | while read -r link; do
	target=$(realpath -m --relative-to="$(dirname "$link")" "$sysroot$(readlink "$link")")
	ln -sfn "$target" "$link"
done
echo "$suite $arch" >"$sysroot/made-by-tpcheck"

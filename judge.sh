#!/bin/sh
# Installs what the build needs (Debian, Ubuntu), builds tpcheck in build/ and checks the bitcoind in $BITCOIND or PATH;
# without one, runs the built-in specimen. Arguments go to 'tpcheck run'.
set -eu
root=$(cd "$(dirname "$0")" && pwd)
. "$root/tools/setup.sh"
# Not 1, which would mean that the bitcoind is wrong.
{ setup_packages $BUILD_PACKAGES && setup_build -DBUILD_TESTING=OFF -DWERROR=OFF; } || exit 99
# By BPF where sudo allows it; without privileges tpcheck does the same by ptrace.
if [ -n "$SUDO" ] && ! sudo -n true 2>/dev/null; then
	SUDO=
fi
as_root "$root/build/tpcheck" run "$@"

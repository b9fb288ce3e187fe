#!/bin/sh
# Installs what the build needs (Debian, Ubuntu), builds tpcheck in build/ and judges the bitcoind that is found in
# $BITCOIND or PATH; without one, the built-in specimen. Arguments go to 'tpcheck run'.
set -eu
root=$(cd "$(dirname "$0")" && pwd)
. "$root/tools/setup.sh"
# 1 would say that the bitcoind is wrong.
{ setup_packages $BUILD_PACKAGES && setup_build -DBUILD_TESTING=OFF -DWERROR=OFF; } || exit 99
as_root "$root/build/tpcheck" run "$@"

#!/bin/sh
# Installs what the build needs (Debian, Ubuntu), builds tpcheck in build/ and judges the bitcoind that is found in
# $BITCOIND or PATH; without one, the built-in specimen. Arguments go to 'tpcheck run'.
set -eu
cd "$(dirname "$0")"
. tools/setup.sh
setup_packages $BUILD_PACKAGES
setup_build build -DBUILD_TESTING=OFF -DWERROR=OFF
as_root build/tpcheck run "$@"

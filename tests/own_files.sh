#!/bin/sh
# own_files.sh BUILD COMMAND...: runs a test with copies in place of the programs that tests trace, bitcoind among them.
# Where anybody has a uprobe in a file, the kernel takes traps that others have in it by ptrace for its own, so tests that
# run side by side would disturb one another. For root; others run the command as it is.
build=$1
shift
own_mounts=$(dirname "$0")/own_mounts.sh
if [ "$(id -u)" != 0 ] || ! "$own_mounts" --can; then
	exec "$@"
fi
copies=$(mktemp -d "$build/own-XXXXXX") || exit 99
# What the test starts must not keep the folder.
trap 'rm -rf "$copies"' EXIT
trap 'exit 99' HUP INT TERM
export copies
# shellcheck disable=SC2016 # for the inner shell
"$own_mounts" sh -c '
	build=$1
	shift
	bitcoind=$(readlink -f "${BITCOIND:-$(command -v bitcoind)}")
	for program in "$build/tpcheck-full" "$build"/tests/*specimen "$bitcoind"; do
		[ -f "$program" ] || continue
		copy=$(mktemp "$copies/XXXXXX") && cp -p "$program" "$copy" && mount --bind "$copy" "$program" || exit 99
	done
	unset copies
	exec "$@"' sh "$build" "$@"

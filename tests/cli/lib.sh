# Shared by the shell tests. A test script sources this, calls check and run, and ends with finish.
# shellcheck shell=sh

# Whatever the machine is like, a test starts with few environment variables, in the C locale, and, as root, in a mount
# namespace in which neither tracefs nor debugfs is mounted and /var/cache is empty. $left names the process and the
# namespace that it has left.
if [ "${left%% *}" != $$ ]; then
	left="$$ $(readlink /proc/self/ns/mnt)"
	case $0 in
	*/*) set -- "$0" "$@" ;;
	*) set -- "./$0" "$@" ;;
	esac
	own_mounts=$(dirname "$0")/../own_mounts.sh
	if [ "$(id -u)" = 0 ] && "$own_mounts" --can; then
		set -- "$own_mounts" "$@"
	fi
	PATH=$PATH:/usr/sbin:/sbin
	for name in left PATH HOME USER TERM TMPDIR BITCOIND CI CC CXX LD_LIBRARY_PATH ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS; do
		eval "[ -z \"\${$name+set}\" ] || set -- \"$name=\$$name\" \"\$@\""
	done
	exec env -i LC_ALL=C "$@"
fi
if [ "${left#* }" != "$(readlink /proc/self/ns/mnt)" ]; then
	for path in $(sed -n 's/^[^ ]* \([^ ]*\) \(tracefs\|debugfs\) .*/\1/p' /proc/self/mounts | sort -r); do
		umount -l "$path"
	done
	# Its own compiled programs, too: none at first, and with compiles_anew never any.
	[ ! -d /var/cache ] || mount -t tmpfs -o "mode=755${compiles_anew:+,ro}" tmpfs /var/cache
fi
unset left
umask 022

tpcheck=$1
checks=0
failures=0
skipped_part=
bitcoind=${BITCOIND:-$(command -v bitcoind)}

# make_scratch DIR: makes the test's folder there, if there is room, programs can be run from it, everybody may enter it,
# and root's tpcheck does not refuse it.
make_scratch() {
	[ -d "$1" ] && [ "$(df -Pk "$1" | awk 'NR == 2 { print $4 }')" -ge $needed_kib ] || return
	scratch=$(mktemp -d "$(cd "$1" && pwd -P)/tpcheck-clitest-XXXXXX" 2>/dev/null) || return
	chmod 755 "$scratch"
	printf '#!/bin/sh\n' >"$scratch/program" && chmod 755 "$scratch/program" && "$scratch/program" 2>/dev/null &&
		rm "$scratch/program" && is_for_everybody "${scratch%/*}" && return
	rm -rf "$scratch"
	return 1
}
is_for_everybody() {
	[ "$(id -u)" = 0 ] || return 0
	case $(stat -c '%u %A' "$1/") in
	"0 d"????????t) ;;
	"0 d"????w???? | "0 d"???????w?) return 1 ;;
	"0 d"????????x) ;;
	*) return 1 ;;
	esac
	[ -z "$1" ] || is_for_everybody "${1%/*}"
}
needed_kib=$((200000 + 10 * $(stat -L -c %s "$bitcoind" 2>/dev/null || echo 0) / 1024))
for folder in "${TMPDIR:-/tmp}" /tmp /var/tmp "$PWD" ''; do
	if [ -z "$folder" ]; then
		echo "SKIP: no folder for temporary files with $needed_kib KiB, where everybody can run programs: set TMPDIR"
		exit 77
	fi
	make_scratch "$folder" && break
done
trap 'rm -rf "$scratch"' EXIT
trap 'exit 99' HUP INT TERM

# A user and a group that nobody else has; users share limits. In a PID namespace of its own each test is process 1.
uid=$((700000000 + $$))
[ $$ != 1 ] || uid=$((800000000 + 2 * ($(stat -Lc %i /proc/self/ns/pid) - 4026531836)))
group=$((uid + 1))

# install_for_everybody: sets tpcheck and full to what everybody may run: the build folder may be closed to others.
install_for_everybody() {
	cmake --install "$(dirname "$tpcheck")" --prefix "$scratch/installed" >/dev/null || exit 99
	full=$(find "$scratch/installed" -name tpcheck-full)
	tpcheck=$scratch/installed/bin/tpcheck
	[ -x "$tpcheck" ] && [ -x "$full" ] || exit 99
}

# copy_bitcoind: sets bitcoind to a copy. Who traces the copy disturbs nobody who traces the original, and the other way
# round: the kernel sets traps in files, and all tracers of a file have to agree on its semaphores.
copy_bitcoind() {
	[ -x "$bitcoind" ] && [ -f "$bitcoind" ] || return
	mkdir "$scratch/copy" && cp "$bitcoind" "$scratch/copy/bitcoind" && chmod 755 "$scratch/copy/bitcoind" &&
		bitcoind=$scratch/copy/bitcoind || exit 99
}

# skip_part TEXT: a part of the test cannot run here, which makes the whole test a skip.
skip_part() {
	echo "SKIP: $*"
	skipped_part=yes
}

# check WHAT COMMAND...: the command must succeed.
check() {
	what=$1
	shift
	checks=$((checks + 1))
	if ! "$@"; then
		failures=$((failures + 1))
		echo "FAILED: $what"
		echo "  command: $*"
		show_output
	fi
}

# Prints the beginning of the output, except for scenarios that passed.
show_output() {
	for stream in out err; do
		sed "/^PASS /d; s/^/  $stream: /" "$scratch/$stream" 2>/dev/null | head -n 15
	done
}

# run CODE COMMAND...: the exit code must be CODE; output goes to $scratch/out and $scratch/err.
run() {
	want=$1
	shift
	checks=$((checks + 1))
	"$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	got=$?
	if [ "$got" != "$want" ]; then
		failures=$((failures + 1))
		echo "FAILED: exit code $got, want $want: $*"
		show_output
	fi
}

says() { grep -q -e "$1" "$scratch/out"; }
complains() { grep -q -e "$1" "$scratch/err"; }
quiet() { [ ! -s "$scratch/err" ]; }
one_line_complaint() { [ "$(grep -c . "$scratch/err")" -le 2 ]; }

# json [-s] FILTER FILE: jq's result must be true; with -s the filter gets the file's values as one array.
json() { [ "$(jq -r "$@" 2>&1)" = true ]; }

# left_nothing DIR: tpcheck left nothing in its TMPDIR.
left_nothing() { [ -z "$(ls -A "$1")" ] || { ls -A "$1"; false; }; }

# await COMMAND...: waits until the command succeeds; that it does not within 30 s is a failure.
await() {
	awaited=0
	until "$@" 2>/dev/null; do
		awaited=$((awaited + 1))
		if [ $awaited -gt 1500 ]; then
			checks=$((checks + 1))
			failures=$((failures + 1))
			echo "FAILED: not within 30 s: $*" >&2
			return
		fi
		sleep 0.02
	done
}

# can COMMAND...: whether it can be done here; the reason, if it cannot, goes to $scratch/out. Only 77 means that it cannot:
# everything else is a failure.
can() {
	"$@" >"$scratch/out" 2>"$scratch/err"
	code=$?
	check "'$*' ends with 0 or 77, not $code" [ $code = 0 -o $code = 77 ]
	[ $code = 0 ]
}
can_trace() { can "$tpcheck" selftest; }
can_attach() { can "$tpcheck" selftest --attach="$1"; }
can_check_bitcoind() { [ -x "$bitcoind" ] && can env BITCOIND="$bitcoind" "$tpcheck" doctor; }

finish() {
	echo "$checks checks, $failures failed"
	[ "$failures" = 0 ] || exit 1
	[ -z "$skipped_part" ] || exit 77
	exit 0
}

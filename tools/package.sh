#!/bin/sh
# Builds the Debian package in a clean chroot of each SUITE, and tries it in another one that has only the package and its
# dependencies: the programs, the place of the man page, selftest, a bitcoind, and that removing it leaves nothing behind.
# Needs root and debootstrap. A package for another architecture is cross-compiled, and tried in an emulated machine instead
# (tools/vm.sh).
#
#	tools/package.sh [OPTION...] SUITE...        for example: tools/package.sh bookworm trixie
#
#	--arch=ARCH       the architecture, as Debian calls it: this machine's (default), or arm64
#	--kernel=SUITE    the kernel of the emulated machine (default: that of SUITE)
#	--mirror=URL      the archive (default: the first one that apt uses here)
#	--debootstrap=OPTION   an option for debootstrap; for Ubuntu: --components=main,universe, and --keyring=FILE
#	--bitcoind=PATH   check this bitcoind, which is for that architecture, there; where the architecture is this machine's, its
#	                  libraries are installed by the names of this machine's packages
#	--check           run check.sh in the chroot that the package is built in
#	--into=DIR        where the packages go (default: build/packages)
#	--work=DIR        where the chroots are made (default: a new folder in TMPDIR); 2 GB for a suite
#	--keep            keep the chroots; with --work they are used again next time
#
# Mounts are made in a mount namespace and processes run in a PID namespace, so that whatever happens nothing stays mounted
# and nothing keeps running.
set -eu
unset CDPATH
root=$(cd "$(dirname "$0")/.." && pwd)
arch=
kernel=
mirror=
options=
bitcoind=
check=
into=$root/build/packages
work=
keep=

fail() {
	echo "package.sh: $*" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--arch=?*) arch=${1#*=} ;;
	--kernel=?*) kernel=${1#*=} ;;
	--mirror=?*) mirror=${1#*=} ;;
	--debootstrap=?*) options="$options ${1#*=}" ;;
	--bitcoind=?*) bitcoind=$(readlink -f "${1#*=}") ;;
	--check) check=yes ;;
	--into=?*) into=${1#*=} ;;
	--work=?*) work=${1#*=} ;;
	--keep) keep=yes ;;
	-*) fail "unknown option '$1'; options are listed at the top of $0" ;;
	*) break ;;
	esac
	shift
done
[ $# -gt 0 ] || fail "which suites? for example: tools/package.sh bookworm trixie"
[ "$(id -u)" = 0 ] || fail "chroots need root"
for suite in "$@"; do
	case $suite in *[!a-z0-9]*) fail "'$suite' is not the name of a suite" ;; esac
done
# The compiler for it, if it is not that of this machine.
compiler=
case $arch in
"" | "$(dpkg --print-architecture)") arch= ;;
arm64) compiler=aarch64-linux-gnu ;;
*) fail "packages for the architecture '$arch' are not supported" ;;
esac
[ -z "$arch" ] || [ -z "$check" ] || fail "--check is not possible for another architecture"
for tool in debootstrap unshare chroot; do
	command -v $tool >/dev/null || fail "there is no $tool; install it (Debian: apt-get install debootstrap util-linux coreutils)"
done
[ -z "$bitcoind" ] || [ -x "$bitcoind" ] || fail "'$bitcoind' cannot be executed"
[ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | head -n 1)
[ -n "$mirror" ] || fail "apt has no archive here; name one by --mirror"
# Only what this script made is removed: the folder is new, empty, or marked by an earlier run.
mark=.made-by-tpcheck-package
if [ -n "$work" ]; then
	mkdir -p "$work"
	[ -e "$work/$mark" ] || [ -z "$(ls -A "$work")" ] || fail "'$work' is not empty; name a new or an empty folder"
else
	work=$(mktemp -d "${TMPDIR:-/tmp}/tpcheck-package-XXXXXX")
fi
mkdir -p "$into"
work=$(cd "$work" && pwd)
into=$(cd "$into" && pwd)
: >"$work/$mark"

# remove_tree SUITE NAME: a chroot of ours, never across a mount.
remove_tree() {
	rm -rf --one-file-system "${work:?}/${1:?}/${2:?}"
}

clean_up() {
	for suite in $suites; do
		for name in base build clean log; do
			remove_tree "$suite" $name
		done
		rmdir "$work/$suite" 2>/dev/null || true
	done
	rm -f "$work/$mark"
	rmdir "$work" 2>/dev/null || true
}
# Not "$@": where sh is bash, a trap has the arguments of the function that it interrupts. The names were checked.
suites="$*"
[ -n "$keep" ] || trap clean_up EXIT
trap 'exit 99' INT TERM HUP

# inside CHROOT COMMAND...: runs it there, with /proc, /sys and /dev.
inside() {
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child sh -c '
		set -eu
		root=$1
		shift
		mount -t proc proc "$root/proc"
		mount --rbind /sys "$root/sys"
		mount --rbind /dev "$root/dev"
		exec env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
			${http_proxy:+"http_proxy=$http_proxy"} chroot "$root" "$@"' inside "$@"
}

# step WHAT COMMAND...: prints what is done; the output of the command goes to the log, and is shown if it fails.
step() {
	printf '%s: %s\n' "$suite" "$1"
	shift
	"$@" >"$log" 2>&1 || {
		cat "$log"
		echo "$suite: FAILED: $*"
		exit 1
	}
}

# fresh NAME: a new chroot of that name, copied from the base.
fresh() {
	remove_tree "$suite" "$1"
	cp -a "$work/$suite/base" "$work/$suite/$1"
}

make_base() {
	[ ! -e "$work/$suite/base/complete" ] || return 0
	remove_tree "$suite" base
	# shellcheck disable=SC2086
	debootstrap --variant=minbase $options "$suite" "$work/$suite/base" "$mirror" || return 1
	for file in resolv.conf hosts; do
		[ ! -e "/etc/$file" ] || cp "/etc/$file" "$work/$suite/base/etc/$file" || return 1
	done
	: >"$work/$suite/base/complete"
}

copy_source() {
	mkdir "$work/$suite/build/src"
	tar -C "$root" --exclude='./build*' --exclude=./.git -cf - . | tar -C "$work/$suite/build/src" -xf -
}

# For another architecture the libraries are that one's packages, which an ordinary machine would have to install in place of
# its own.
build_package() {
	# shellcheck disable=SC2016
	inside "$work/$suite/build" sh -euc '
		cd /src
		root=/src
		arch=$1
		compiler=$2
		. tools/setup.sh
		toolchain=
		if [ -n "$arch" ]; then
			dpkg --add-architecture "$arch"
			toolchain=--toolchain=cmake/$compiler.cmake
			packages=
			for package in $BUILD_PACKAGES; do
				case $package in
				lib*-dev | systemtap-sdt-dev) packages="$packages $package:$arch" ;;
				gcc | g++) packages="$packages $package-$compiler" ;;
				*) packages="$packages $package" ;;
				esac
			done
			BUILD_PACKAGES=$packages
		fi
		setup_packages $BUILD_PACKAGES $PACKAGE_PACKAGES
		setup_build $toolchain -DBUILD_TESTING=OFF -DWERROR=OFF
		cd build
		cpack -G DEB -B /src/packages' sh "$arch" "$compiler"
}

# In a machine that has only the package, its dependencies and what a shell needs.
try_emulated() {
	run=
	[ -z "$bitcoind" ] || run='tpcheck abi --format=json /usr/local/bin/bitcoind; tpcheck doctor; tpcheck run --require'
	env -u BITCOIND "$root/tools/vm.sh" --arch="$arch" --suite="$suite" --kernel="${kernel:-$suite}" --deb="$into/$name" \
		--bitcoind="$bitcoind" \
		"set -e
		tpcheck --version
		tpcheck selftest
		$run
		dpkg --purge tpcheck
		[ -z \"\$(find / -xdev -path '*tpcheck*' ! -name '*.deb' ! -path '/proc/*' ! -path '/sys/*')\" ]"
}

# Nothing of ours is left in the chroot.
nothing_left() {
	left=$(cd "$work/$suite/clean" && find . -xdev -path '*tpcheck*' ! -name '*.deb')
	[ -z "$left" ] || {
		echo "left behind:"
		echo "$left"
		return 1
	}
}

for suite in "$@"; do
	mkdir -p "$work/$suite"
	log=$work/$suite/log
	step "making the chroot" make_base
	fresh build
	copy_source
	step "building, with what tools/setup.sh names" build_package
	deb=$(echo "$work/$suite/build/src/packages"/*.deb)
	cp "$deb" "$into/"
	name=${deb##*/}
	if [ -n "$arch" ]; then
		step "trying $name in an emulated machine" try_emulated
		tail -n 1 "$log"
		echo "$suite: $into/$name is good"
		continue
	fi
	fresh clean
	cp "$deb" "$work/$suite/clean/"
	step "installing $name in a clean chroot" inside "$work/$suite/clean" sh -euc "
		apt-get update
		apt-get install -y --no-install-recommends /$name"
	step "tpcheck selftest, without libbcc" inside "$work/$suite/clean" tpcheck selftest --attach=ptrace
	step "installing libbcc, which it recommends" inside "$work/$suite/clean" apt-get install -y --no-install-recommends libbpfcc
	library=$(inside "$work/$suite/clean" dpkg-query -W -f '${Package} ${Version}' libbpfcc)
	step "tpcheck --version" inside "$work/$suite/clean" tpcheck --version
	step "tpcheck selftest, with $library" inside "$work/$suite/clean" tpcheck selftest
	if [ -n "$bitcoind" ]; then
		cp "$bitcoind" "$work/$suite/clean/usr/local/bin/bitcoind"
		packages=$(ldd "$bitcoind" | sed -n 's|.* => /.*/\([^ ]*\) .*|\1|p' | while read -r file; do
			dpkg-query -S "*/$file" | sed 's/:.*//' | head -n 1
		done | sort -u)
		# shellcheck disable=SC2086
		step "what bitcoind links to" inside "$work/$suite/clean" apt-get install -y --no-install-recommends $packages
		step "tpcheck abi" inside "$work/$suite/clean" tpcheck abi --format=json /usr/local/bin/bitcoind
		step "tpcheck doctor" inside "$work/$suite/clean" tpcheck doctor
		step "tpcheck run --require" inside "$work/$suite/clean" tpcheck run --require
		tail -n 1 "$log"
		rm "$work/$suite/clean/usr/local/bin/bitcoind"
	fi
	step "removing it" inside "$work/$suite/clean" apt-get purge -y tpcheck
	step "nothing is left" nothing_left
	if [ -n "$check" ]; then
		step "check.sh" inside "$work/$suite/build" sh -euc 'cd /src && ./check.sh'
		tail -n 1 "$log"
	fi
	echo "$suite: $into/$name is good"
done

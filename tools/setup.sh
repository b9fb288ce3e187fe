# Sourced by judge.sh and check.sh: packages and build.
# shellcheck shell=sh
BUILD_PACKAGES="cmake make gcc g++ libc6-dev libbpfcc-dev libelf-dev libcurl4-openssl-dev libyajl-dev libcap-ng-dev libssl-dev libmicrohttpd-dev systemtap-sdt-dev"
TEST_PACKAGES="libcmocka-dev jq procps util-linux iproute2 binutils lld perl libyaml-libyaml-perl libxml2-utils libcap2-bin"
PACKAGE_PACKAGES="dpkg-dev file"
# Without these a test, or a part of one, is skipped.
FUZZ_PACKAGES="clang libclang-rt-dev"
FORMAT_PACKAGES="clang-format-14"
METRICS_PACKAGES="curl prometheus prometheus-node-exporter"
INSTALL_PACKAGES="$PACKAGE_PACKAGES bash-completion lintian mandoc zsh"
CROSS_PACKAGES="g++-aarch64-linux-gnu qemu-user-static"

# For what only root may do; empty if we are root.
SUDO=
if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null 2>&1; then
	SUDO=sudo
fi

# as_root COMMAND...: with sudo if we are not root; sudo would drop BITCOIND and PATH.
as_root() {
	if [ -n "$SUDO" ]; then
		sudo env ${BITCOIND:+"BITCOIND=$BITCOIND"} "PATH=$PATH" "$@"
	else
		"$@"
	fi
}

# setup_elsewhere NAME...: prints how to install what these packages of Debian contain on another distribution.
setup_elsewhere() {
	# shellcheck disable=SC1090
	like=$(. "${os_release:-/etc/os-release}" 2>/dev/null && echo " $ID ${ID_LIKE-} ")
	case $like in
	*" fedora "* | *" rhel "*) column=2 install="dnf install" ;;
	*" arch "*) column=3 install="pacman -S --needed" ;;
	*" suse "* | *" opensuse "*) column=4 install="zypper install" ;;
	*" alpine "*) column=5 install="apk add" ;;
	*" nixos "*) column=6 install="nix-shell -p" ;;
	*)
		echo "setup: this is neither Debian nor Ubuntu: make sure that these packages, or their equivalents, are installed: $*" >&2
		return 0
		;;
	esac
	names=
	for package in "$@"; do
		name=$(awk -v package="$package" -v column=$column '$1 == package && $column != "-" { gsub(",", " ", $column); print $column }' "$root/tools/packages.txt")
		names="$names${name:+ $name}"
	done
	[ -z "$names" ] ||
		echo "setup: tpcheck was not tried on this distribution; make sure that its packages are installed: $install$names" >&2
	[ $column != 5 ] || echo "setup: Alpine has no package of <sys/sdt.h>; take it from SystemTap's source" >&2
}

# setup_packages NAME...: installs those that are missing.
setup_packages() {
	missing=
	command -v "${dpkg_query:-dpkg-query}" >/dev/null 2>&1 || {
		setup_elsewhere "$@"
		return 0
	}
	for package in "$@"; do
		dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed' || missing="$missing $package"
	done
	[ -z "$missing" ] && return 0
	echo "setup: installing$missing"
	if [ "$(id -u)" != 0 ] && [ -z "$SUDO" ]; then
		echo "setup: not root, and there is no sudo: as root, run apt-get install$missing" >&2
		return 1
	fi
	# shellcheck disable=SC2086
	log=$(mktemp)
	{ $SUDO apt-get update -q && $SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1 || {
		cat "$log" >&2
		rm -f "$log"
		return 1
	}
	rm -f "$log"
}

# setup_optional NAME...: the same for packages that are not essential.
setup_optional() {
	setup_packages "$@" || echo "setup: continuing without: $*" >&2
}

# setup_build OPTION...: configures and builds in $root/build, quietly unless that fails.
setup_build() {
	dir=$root/build
	mkdir -p "$dir" || return 1
	# The headers of some releases of libbpfcc (0.29, in Ubuntu 24.04) include those of LLVM.
	if grep -qs llvm/Config /usr/include/bcc/bpf_module.h; then
		setup_packages llvm-dev
	fi
	if ! [ -w "$dir" ] || { [ -e "$dir/build.log" ] && ! [ -w "$dir/build.log" ]; }; then
		echo "setup: this user cannot write to $dir, where another one has built: remove it, or build in a checkout of your own" >&2
		return 1
	fi
	echo "setup: building in $dir (the first time about a minute; the log is $dir/build.log)"
	{ cmake -S "$root" -B "$dir" "$@" && cmake --build "$dir" -j "$(nproc)"; } >"$dir/build.log" 2>&1 || {
		tail -n 40 "$dir/build.log" >&2
		return 1
	}
}

# setup_sysroot: the libraries for the unit tests of aarch64, if they can be compiled; not essential.
setup_sysroot() {
	dir=$root/build/sysroot-arm64
	command -v aarch64-linux-gnu-g++ >/dev/null 2>&1 || return 0
	[ "$(cat "$dir/packages" 2>/dev/null)" != "$BUILD_PACKAGES $TEST_PACKAGES" ] || return 0
	echo "setup: unpacking libraries for aarch64 in $dir (75 MB are downloaded)"
	rm -rf "$dir" "$dir.new"
	if "$root/tools/sysroot.sh" "$dir.new"; then
		echo "$BUILD_PACKAGES $TEST_PACKAGES" >"$dir.new/packages"
		mv "$dir.new" "$dir"
	else
		echo "setup: continuing without" >&2
	fi
}

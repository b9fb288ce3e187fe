#!/bin/sh
# Runs tpcheck, or another command, in an emulated machine with another kernel or of another architecture. It takes a minute
# or two (on arm64 many more), and neither root nor KVM. The machine's files are Debian's packages, unpacked into an initrd,
# and tpcheck from the build folder or from its package.
#
#	tools/vm.sh --kernel=bullseye                 doctor, selftest and, if there is a bitcoind, run
#	tools/vm.sh --kernel=sid --user 'tpcheck run utxocache.*; id'
#	tools/vm.sh --arch=arm64 --kernel=trixie --build=build-arm64 --bitcoind=PATH
#
# The command is a line for sh. Its output is printed, and its exit code is the script's: 2 is also wrong usage, or something
# is missing; 99 is also a machine that ended without a result.
#
#	--kernel=SUITE|FILE    the kernel of that suite's cloud images: 5.10 in bullseye, 6.1 in bookworm, 6.12 in trixie, a new
#	                       one in sid; or a vmlinuz
#	--kernel-package=NAME  the package that depends on the kernel (default: linux-image-cloud-ARCH)
#	--mirror=URL           where the kernel's suite is (default: the first archive that apt uses here)
#	--keyring=FILE         the keys of that archive (default: those of Debian and those that apt trusts here)
#	--bitcoind=PATH        put this bitcoind into the machine (default: $BITCOIND)
#	--build=DIR            where tpcheck was built for that architecture (default: build)
#	--deb=FILE             instead of that, install this package of tpcheck, with dpkg, and what it recommends
#	--copy=PATH            put this file or folder there too, with the same path; may be repeated
#	--packages=NAMES       install these packages too
#	--user                 run the command as an ordinary user without capabilities
#	--arch=ARCH            the machine's architecture, as Debian calls it: amd64 (default) or arm64
#	--suite=SUITE          the release of the machine's other packages (default: the one that runs here)
#	--kvm                  do not emulate, where /dev/kvm works
#	--timeout=SECONDS      end the machine then (default: 900; arm64: 7200)
#	--cache=DIR            where downloads and what was unpacked are kept (default: tpcheck-vm in $XDG_CACHE_HOME or
#	                       ~/.cache); remove it to get newer packages
#
# For 5.15, from Ubuntu (keys: Debian's package ubuntu-keyring):
#	tools/vm.sh --kernel=jammy --kernel-package=linux-image-virtual --mirror=URL-OF-UBUNTU \
#		--keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg
set -eu
unset CDPATH
root=$(cd "$(dirname "$0")/.." && pwd)
kernel=
kernel_package=
mirror=
keyring=
bitcoind=${BITCOIND:-}
build=$root/build
own=
copies=
packages="bash coreutils dash findutils gawk grep iproute2 libcap2-bin mount procps sed util-linux"
user=
arch=amd64
suite=
accel=tcg,thread=multi
timeout=
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/tpcheck-vm

fail() {
	echo "vm.sh: $*" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--kernel=?*) kernel=${1#*=} ;;
	--kernel-package=?*) kernel_package=${1#*=} ;;
	--mirror=?*) mirror=${1#*=} ;;
	--keyring=?*) keyring=${1#*=} ;;
	--bitcoind=*) bitcoind=${1#*=} ;;
	--build=?*) build=${1#*=} ;;
	--deb=?*) own=${1#*=} ;;
	--copy=?*) copies="$copies
$(realpath -s "${1#*=}")" ;;
	--packages=*) packages="$packages ${1#*=}" ;;
	--user) user=yes ;;
	--arch=?*) arch=${1#*=} ;;
	--suite=?*) suite=${1#*=} ;;
	--kvm) accel=kvm ;;
	--timeout=?*) timeout=${1#*=} ;;
	--cache=?*) cache=${1#*=} ;;
	--help) exec sed -n '2,/^set -eu/{/^set -eu/q;s/^# \{0,1\}//p;}' "$0" ;;
	-*) fail "unknown option '$1'; see --help" ;;
	*) break ;;
	esac
	shift
done

# What differs between architectures.
case $arch in
amd64)
	qemu="qemu-system-x86_64 -machine q35 -cpu max"
	qemu_package='qemu-system-x86'
	append="console=ttyS0 no_timer_check" # the check fails on busy machines
	machine=X86-64
	: "${timeout:=900}"
	;;
arm64)
	qemu="qemu-system-aarch64 -machine virt -cpu max,pauth-impdef=on"
	qemu_package='qemu-system-arm'
	append="console=ttyAMA0"
	machine=AArch64
	: "${timeout:=7200}"
	;;
*) fail "machines of the architecture '$arch' are not supported" ;;
esac

[ -n "$kernel" ] || fail "which kernel? for example: tools/vm.sh --kernel=bookworm; see --help"
for tool in "${qemu%% *}:$qemu_package" apt-get:apt dpkg-deb:dpkg cpio:cpio cmake:cmake readelf:binutils perl:perl-base timeout:coreutils; do
	command -v "${tool%:*}" >/dev/null || fail "there is no ${tool%:*}; install the package ${tool#*:}"
done
# fits FILE: it is a program for the machine.
fits() {
	[ -x "$1" ] || fail "'$1' cannot be executed"
	is=$(readelf -h "$1" 2>/dev/null | sed -n 's/^ *Machine: *//p')
	case $is in *"$machine") ;; *) fail "'$1' is not a program for $arch (${is:-it is not an ELF file})" ;; esac
}

if [ -n "$own" ]; then
	[ -r "$own" ] || fail "'$own' cannot be read"
	is=$(dpkg-deb -f "$own" Architecture 2>/dev/null) || fail "'$own' is not a package"
	[ "$is" = "$arch" ] || fail "'$own' is not a package for $arch ($is)"
else
	[ -x "$build/tpcheck" ] || fail "there is no tpcheck in '$build'; build it, or name the folder by --build"
	fits "$build/tpcheck"
fi
[ -z "$bitcoind" ] || fits "$bitcoind"
[ -n "$suite" ] || suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
# shellcheck source=tools/debian.sh
. "$root/tools/debian.sh"
here=$(archive_here)
[ -n "$here$mirror" ] || fail "apt has no archive here; name one by --mirror"
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/tpcheck-vm-XXXXXX")
rest=$work/rest
trap 'rm -rf "$work"' EXIT
trap 'exit 99' INT TERM HUP

# Sets vmlinuz.
find_kernel() {
	case $kernel in
	*/*)
		vmlinuz=$kernel
		[ -r "$vmlinuz" ] || fail "'$vmlinuz' cannot be read"
		return
		;;
	esac
	[ -n "$kernel_package" ] || kernel_package=linux-image-cloud-$arch
	vmlinuz=$cache/$arch-$kernel/$kernel_package.vmlinuz
	[ ! -e "$vmlinuz" ] || return 0
	use_archive "$kernel" "${mirror:-$here}" "$keyring"
	names=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
		--no-enhances "$kernel_package" 2>/dev/null | sed -n '/^linux-\(image\|binary\)-[0-9]/p' | sort -u)
	[ -n "$names" ] || fail "$kernel has no kernel by the name of $kernel_package; see --kernel-package"
	mkdir "$work/kernel"
	# shellcheck disable=SC2086
	(cd "$work/kernel" && quietly apt-get download $names)
	for deb in "$work/kernel"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work/kernel" --wildcards './*/vmlinuz*' 2>/dev/null || true
	done
	find "$work/kernel" -name 'vmlinuz*' -type f -exec mv {} "$work/vmlinuz" \;
	[ -e "$work/vmlinuz" ] || fail "there is no vmlinuz in $kernel_package and what it depends on"
	mv "$work/vmlinuz" "$vmlinuz"
	rm -r "$work/kernel"
}

# pack DIR FILE: makes the folder's archive for the kernel; everything belongs to root.
pack() {
	(cd "$1" && find . | cpio --quiet -o -H newc -R 0:0) >"$2"
}

# The packages that have the libraries of what is copied.
library_packages() {
	find "$rest" -type f \( -perm -100 -o -name '*.so*' \) -exec readelf -d {} + 2>/dev/null |
		sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' | sort -u | while read -r name; do
		[ -n "$(find "$rest" -name "$name")" ] || echo "$name"
	done >"$work/libraries"
	[ -s "$work/libraries" ] || return 0
	known=$cache/$arch-$suite/packages-$(cksum <"$work/libraries" | tr ' ' -)
	if [ ! -e "$known" ]; then
		contents=yes
		use_archive "$suite" "$here"
		contents=
		# shellcheck disable=SC2046
		packages_of $(cat "$work/libraries") >"$work/packages" 2>"$work/missing"
		[ ! -s "$work/missing" ] || fail "$(cat "$work/missing"); copy it with --copy"
		mv "$work/packages" "$known"
	fi
	cat "$known"
}

# Sets base to the archive of what comes from packages.
find_base() {
	libraries=$(library_packages)
	# shellcheck disable=SC2086
	depends=$(printf '%s\n' $packages $libraries | sort -u | paste -s -d ,)
	if [ -n "$own" ]; then
		recommended=$(dpkg-deb -f "$own" Recommends)
		depends="$depends,dpkg,diffutils,libc-bin,$(dpkg-deb -f "$own" Depends)${recommended:+,$recommended}"
	fi
	base=$cache/$arch-$suite/root-$(echo "$depends" | cksum | tr ' ' -).cpio
	[ ! -e "$base" ] || return 0
	use_archive "$suite" "$here"
	unpack_packages "$work/base" "$depends"
	# Else made when packages are configured.
	[ -e "$work/base/usr/bin/sh" ] || ln -s dash "$work/base/usr/bin/sh"
	ln -s gawk "$work/base/usr/bin/awk"
	pack "$work/base" "$work/base.cpio"
	mv "$work/base.cpio" "$base"
	rm -rf "$work/base"
}

# Makes the rest: the files that are not from packages.
make_rest() {
	mkdir -p "$rest/etc" "$rest/home/user" "$rest/root" "$rest/tmp"
	mkdir -p "$rest/usr/local/bin"
	if [ -n "$own" ]; then
		cp "$own" "$rest/tpcheck.deb"
	else
		quietly cmake --install "$build" --prefix "$rest/usr/local"
	fi
	[ -z "$bitcoind" ] || cp -L "$bitcoind" "$rest/usr/local/bin/bitcoind"
	echo "$copies" | while read -r path; do
		[ -z "$path" ] || tar -c -C / "${path#/}" | tar -x -C "$rest"
	done
	printf '%s\n' root:x:0:0::/root:/bin/sh daemon:x:1:1::/usr/sbin:/bin/false user:x:1000:1000::/home/user:/bin/sh \
		nobody:x:65534:65534::/nonexistent:/bin/false >"$rest/etc/passwd"
	printf '%s\n' root:x:0: daemon:x:1: tty:x:5: user:x:1000: nogroup:x:65534: >"$rest/etc/group"
	echo 127.0.0.1 localhost >"$rest/etc/hosts"
	printf '%s\n' "$command" >"$rest/command"
	cat >"$rest/init" <<-'END'
		#!/bin/sh
		export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8
		chmod 755 /
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t devtmpfs devtmpfs /dev
		mkdir -p /dev/pts /dev/shm /run
		mount -t devpts devpts /dev/pts
		mount -t tmpfs -o mode=1777 tmpfs /dev/shm
		mount -t tmpfs -o mode=1777 tmpfs /tmp
		mount -t tracefs tracefs /sys/kernel/tracing
		ip link set lo up
		cd /tmp
		if [ -e /tpcheck.deb ]; then
			dpkg -i /tpcheck.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; echo "vm.sh: exit code 99"; }
		fi
		become=
		if [ -e /user ]; then
			chown 1000:1000 /home/user
			export HOME=/home/user USER=user
			become="setpriv --reuid=user --regid=user --init-groups --inh-caps=-all"
		fi
		# Through a pipe, because the console is a terminal; what the command left running may hold it open.
		{ $become sh /command </dev/null 2>&1; echo "vm.sh: exit code $?"; } | sed -u '/vm\.sh: exit code/q'
		stty sane # returns once everything is printed
		echo b >/proc/sysrq-trigger
	END
	chmod 755 "$rest/init"
	[ -z "$user" ] || : >"$rest/user"
}

command=$*
if [ -z "$command" ]; then
	command="uname -srvm && tpcheck doctor && tpcheck selftest${bitcoind:+ && tpcheck run --require}"
fi
find_kernel
make_rest
find_base
pack "$rest" "$work/rest.cpio"
cat "$base" "$work/rest.cpio" >"$work/initrd"
# shellcheck disable=SC2086
timeout --foreground "$timeout" $qemu -accel $accel -smp 2 -m 3072 -display none -monitor none -serial stdio -nic none -no-reboot \
	-kernel "$vmlinuz" -initrd "$work/initrd" -append "$append quiet panic=-1 rdinit=/init" </dev/null |
	perl -e '
		$| = 1;
		while (<STDIN>) {
			s/\r+$//;
			$code = $1 if s/vm\.sh: exit code (\d+)\n//;
			print;
			last if defined $code; # the rest is about powering off
		}
		print STDERR "vm.sh: the machine ended without a result, or took too long (--timeout)\n" if !defined $code;
		exit($code // 99);'

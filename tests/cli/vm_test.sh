#!/bin/sh
# tools/vm.sh and tools/sysroot.sh: what is wrong or missing is named before anything is downloaded, and what they know about
# packages. The machines themselves are for running by hand.
. "$(dirname "$0")/lib.sh"
tools=$(readlink -f "$(dirname "$0")/../../tools")
vm=$tools/vm.sh
build=$(dirname "$tpcheck")
cache=$scratch/cache
unset BITCOIND

complains_once() { [ "$(grep -c . "$scratch/err")" = 1 ] && grep -q -e "^vm.sh: $1" "$scratch/err"; }
run 0 "$vm" --help
check "help lists each option" sh -c 'sed -n "s/^\t\(--[a-z-]*\)[=?]*.*) .*/\1/p" "$1" | grep -v -x -e --help | while read -r option; do
	grep -q -e "^[[:blank:]]*$option[= ]" "$2" || { echo "$option"; exit 1; }; done' sh "$vm" "$scratch/out"
run 2 "$vm"
check "no kernel" complains_once 'which kernel?'
run 2 "$vm" --kernel=bookworm --speed=10
check "an unknown option" complains_once "unknown option '--speed=10'"
run 2 "$vm" --kernel=bookworm --arch=vax
check "another architecture" complains_once "machines of the architecture 'vax'"

# Programs in place of those that may be missing here.
mkdir "$scratch/tools" "$scratch/built"
for tool in qemu-system-x86_64 qemu-system-aarch64 cpio cmake apt-get dpkg-deb perl timeout; do
	printf '#!/bin/sh\nexit 1\n' >"$scratch/tools/$tool"
	chmod 755 "$scratch/tools/$tool"
done
for tool in sh dirname readlink readelf sed head mkdir mktemp rm; do
	ln -s "$(command -v $tool)" "$scratch/tools/$tool"
done
# with_tools ARGUMENT...: runs it with these only.
with_tools() { env PATH="$scratch/tools" "$vm" --kernel=bookworm --cache="$cache" "$@"; }
run 2 with_tools --build="$scratch/built"
check "tpcheck is not built" complains_once "there is no tpcheck in '$scratch/built'; build it"
run 2 with_tools --build="$build" --bitcoind="$scratch/bitcoind"
check "no such bitcoind" complains_once "'$scratch/bitcoind' cannot be executed"
printf '#!/bin/sh\n' >"$scratch/script"
chmod 755 "$scratch/script"
run 2 with_tools --build="$build" --bitcoind="$scratch/script"
check "a bitcoind that is a script" complains_once "'$scratch/script' is not a program for [a-z0-9]* (it is not an ELF file)"
case $(uname -m) in
x86_64) other=arm64 is='Advanced Micro Devices X86-64' qemu=qemu-system-aarch64:qemu-system-arm ;;
*) other=amd64 is='[A-Z].*' qemu=qemu-system-x86_64:qemu-system-x86 ;;
esac
run 2 with_tools --arch=$other --build="$build"
check "a build for another architecture" complains_once "'$build/tpcheck' is not a program for $other ($is)"
run 2 with_tools --deb="$scratch/none.deb"
check "no such package" complains_once "'$scratch/none.deb' cannot be read"
run 2 with_tools --deb="$scratch/script"
check "not a package" complains_once "'$scratch/script' is not a package"
rm "$scratch/tools/${qemu%:*}"
run 2 with_tools --arch=$other --build="$build"
check "${qemu%:*} is missing" complains_once "there is no ${qemu%:*}; install the package ${qemu#*:}"
run 2 with_tools --build="$build"
check "apt has no archive" complains_once 'apt has no archive here; name one by --mirror'
for missing in qemu-system-x86_64:qemu-system-x86 cpio:cpio cmake:cmake readelf:binutils; do
	rm "$scratch/tools/${missing%:*}"
	run 2 with_tools --build="$build"
	check "${missing%:*} is missing" complains_once "there is no ${missing%:*}; install the package ${missing#*:}"
	ln -s "$(command -v ${missing%:*} || echo /bin/true)" "$scratch/tools/${missing%:*}"
done
run 2 with_tools --build="$build" --mirror=http://localhost/none --keyring="$scratch/keys"
check "no such keys" complains_once "'$scratch/keys' cannot be read"

run 0 "$tools/sysroot.sh" --help
check "sysroot.sh: help lists each option" sh -c 'sed -n "s/^\t\(--[a-z-]*\)[=?]*.*) .*/\1/p" "$1" | grep -v -x -e --help | while read -r option; do
	grep -q -e "^[[:blank:]]*$option[= ]" "$2" || { echo "$option"; exit 1; }; done' sh "$tools/sysroot.sh" "$scratch/out"
sysroot_complains() { [ "$(grep -c . "$scratch/err")" = 1 ] && grep -q -e "^sysroot.sh: $1" "$scratch/err"; }
run 2 "$tools/sysroot.sh"
check "sysroot.sh: no folder" sysroot_complains 'which folder?'
run 2 "$tools/sysroot.sh" --arch=arm64 "$scratch"
check "sysroot.sh: not an empty folder" sysroot_complains "'$scratch' is not empty"
run 2 "$tools/sysroot.sh" --root=/ "$scratch/sysroot"
check "sysroot.sh: an unknown option" sysroot_complains "unknown option '--root=/'"

# Which package has a library, from the list of an archive's files.
cat >"$scratch/Contents" <<'END'
lib/aarch64-linux-gnu/libc.so.6                         libs/libc6
lib/ld-linux-aarch64.so.1                               libs/libc6
usr/lib/aarch64-linux-gnu/libbcc.so.0                   libs/libbpfcc
usr/lib/aarch64-linux-gnu/libgcc_s.so.1                 contrib/libs/libgcc-s1,libs/libgcc-s2
usr/lib/aarch64-linux-gnu/other/libelf.so.1             libs/wrong
usr/lib/aarch64-linux-gnu/libelf.so.1                   libs/libelf1
usr/lib/debug/libelf.so.1                               debug/wrong
usr/share/doc/libbcc.so.0                               doc/wrong
END
printf '#!/bin/sh\n[ "$1" = indextargets ] && echo "%s"\n' "$scratch/Contents" >"$scratch/tools/apt-get"
printf '#!/bin/sh\n[ "$1" = cat-file ] && cat "$2"\n' >"$scratch/helper"
chmod 755 "$scratch/tools/apt-get" "$scratch/helper"
# debian COMMAND...: runs this with the functions of debian.sh.
debian() {
	mkdir -p "$scratch/work"
	# shellcheck disable=SC2016
	env PATH="$scratch/tools:$PATH" apt_helper="$scratch/helper" arch=arm64 work="$scratch/work" sh -euc '
		fail() { echo "$*" >&2; exit 2; }
		. "$0"
		"$@"' "$tools/debian.sh" "$@"
}
run 0 debian packages_of libbcc.so.0 libc.so.6 libelf.so.1 libgcc_s.so.1 ld-linux-aarch64.so.1
printf '%s\n' libbpfcc libc6 libelf1 libgcc-s1 >"$scratch/expected"
check "packages of libraries" cmp "$scratch/out" "$scratch/expected"
run 0 debian packages_of libbcc.so.0 libbcc.so.1
check "a library that no package has" grep -q -x 'libbcc.so.1: no package has this library' "$scratch/err"

# dpkg believes that an unpacked package is installed.
mkdir -p "$scratch/deb/DEBIAN" "$scratch/deb/usr/lib" "$scratch/database/info"
printf '%s\n' 'Package: libfoo' 'Version: 1.2' 'Architecture: arm64' 'Multi-Arch: same' 'Maintainer: nobody <nobody@invalid>' \
	'Description: nothing' ' Not even that.' >"$scratch/deb/DEBIAN/control"
echo 'libfoo 1 libfoo (>= 1)' >"$scratch/deb/DEBIAN/shlibs"
: >"$scratch/deb/usr/lib/libfoo.so.1"
rm "$scratch/tools/dpkg-deb"
if command -v dpkg-deb >/dev/null; then
	run 0 dpkg-deb --root-owner-group -b "$scratch/deb" "$scratch/foo.deb"
	ln -s "$(command -v dpkg-deb)" "$scratch/tools/dpkg-deb"
	run 2 env PATH="$scratch/tools:$PATH" "$vm" --kernel=bookworm --arch=amd64 --cache="$cache" --deb="$scratch/foo.deb"
	check "a package for another architecture" complains_once "'$scratch/foo.deb' is not a package for amd64 (arm64)"
	run 0 debian note_package "$scratch/database" "$scratch/foo.deb"
	run 0 dpkg-query --admindir="$scratch/database" -W -f '${Package} ${Version} ${db:Status-Status}\n' libfoo:arm64
	check "dpkg: installed" grep -q -x 'libfoo 1.2 installed' "$scratch/out"
	run 0 dpkg-query --admindir="$scratch/database" -S /usr/lib/libfoo.so.1
	check "dpkg: its files" grep -q -x 'libfoo:arm64: /usr/lib/libfoo.so.1' "$scratch/out"
	run 0 cmp "$scratch/deb/DEBIAN/shlibs" "$scratch/database/info/libfoo:arm64.shlibs"
fi
finish

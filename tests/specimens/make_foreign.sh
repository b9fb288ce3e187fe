#!/bin/sh
# Makes the specimens for other machines from foreign.c, with the installed compilers. The specimens are committed, so that
# tests need no compilers. Run this after a change of foreign.c, and note the compilers in foreign/made.txt.
#
#	make_foreign.sh
#
# Needs sys/sdt.h (systemtap-sdt-dev), and uses what is installed of clang and lld, and of GCC for other machines (Debian:
# gcc-12-aarch64-linux-gnu and so on; only the compiler is needed).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$here/foreign
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$out" "$scratch/include/sys"
# Only this header: the rest of /usr/include is for this machine.
for file in sdt.h sdt-config.h; do
	find /usr/include -path "*/sys/$file" -exec cp {} "$scratch/include/sys/" \;
done
flags="-O2 -g0 -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-unwind-tables
	-fcf-protection=none -nostdlib -isystem $scratch/include -ffile-prefix-map=$here=."
linking="-Wl,-z,noseparate-code -Wl,-z,max-page-size=4096 -Wl,--build-id=none -Wl,-z,norelro -Wl,-e,_start"

# make NAME PIE COMPILER FLAG...: PIE is yes or no.
make() {
	name=$1 pie=$2 compiler=$3
	shift 3
	command -v "$compiler" >/dev/null || {
		echo "no $compiler, so not made: $name" >&2
		return
	}
	own=$flags
	case $compiler in
	*clang*) own=$(echo "$own" | sed 's/-fcf-protection=none//') linker=-fuse-ld=lld ;;
	*x86*|*i686*) linker= ;;
	*) own=$(echo "$own" | sed 's/-fcf-protection=none//') linker= ;;
	esac
	[ "$pie" = yes ] && kind="-fPIE -pie -Wl,--no-dynamic-linker" || kind="-fno-pie -static"
	# shellcheck disable=SC2086
	"$compiler" "$@" $own $kind $linker $linking "$here/foreign.c" -o "$scratch/$name" && install -m 644 "$scratch/$name" "$out/$name" &&
		echo "$name: $("$compiler" --version | head -n 1), $* $kind" >>"$scratch/made"
}

make aarch64-gcc yes aarch64-linux-gnu-gcc-12
make arm-gcc no arm-linux-gnueabihf-gcc-12
make i386-gcc yes i686-linux-gnu-gcc-12
make mips-gcc no mips-linux-gnu-gcc-12 -mno-abicalls -fno-pic
make powerpc64-gcc no powerpc64-linux-gnu-gcc-12
make powerpc64le-gcc yes powerpc64le-linux-gnu-gcc-12
make riscv64-gcc yes riscv64-linux-gnu-gcc-12
make s390x-gcc no s390x-linux-gnu-gcc-12
make x86-64-gcc yes x86_64-linux-gnu-gcc-12
make aarch64-clang no clang --target=aarch64-linux-gnu
make arm-clang yes clang --target=armv7-linux-gnueabihf -mthumb
make i386-clang no clang --target=i686-linux-gnu
make powerpc64le-clang no clang --target=powerpc64le-linux-gnu
make riscv64-clang no clang --target=riscv64-linux-gnu -mno-relax -DSTAP_SDT_ARG_CONSTRAINT=nr
make x86-64-clang no clang --target=x86_64-linux-gnu
# Stripped of everything but the notes.
if [ -f "$out/x86-64-gcc" ]; then
	strip -o "$out/x86-64-stripped" "$out/x86-64-gcc"
	chmod 644 "$out/x86-64-stripped"
	echo "x86-64-stripped: $(strip --version | head -n 1)" >>"$scratch/made"
fi
sort "$scratch/made" >"$out/made.txt"
ls -l "$out"

#!/bin/sh
# tools/vm.sh: what is wrong or missing is named before anything is downloaded. The machines themselves are for running by
# hand.
. "$(dirname "$0")/lib.sh"
vm=$(readlink -f "$(dirname "$0")/../../tools/vm.sh")
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
for tool in qemu-system-x86_64 cpio cmake apt-get dpkg-deb perl timeout; do
	printf '#!/bin/sh\nexit 1\n' >"$scratch/tools/$tool"
	chmod 755 "$scratch/tools/$tool"
done
for tool in sh dirname readlink sed head mkdir mktemp rm; do
	ln -s "$(command -v $tool)" "$scratch/tools/$tool"
done
# with_tools ARGUMENT...: runs it with these only.
with_tools() { env PATH="$scratch/tools" "$vm" --kernel=bookworm --cache="$cache" "$@"; }
run 2 with_tools --build="$scratch/built"
check "tpcheck is not built" complains_once "there is no tpcheck in '$scratch/built'; build it"
run 2 with_tools --build="$build" --bitcoind="$scratch/bitcoind"
check "no such bitcoind" complains_once "'$scratch/bitcoind' cannot be executed"
run 2 with_tools --build="$build"
check "apt has no archive" complains_once 'apt has no archive here; name one by --mirror'
for missing in qemu-system-x86_64:qemu-system-x86 cpio:cpio cmake:cmake; do
	rm "$scratch/tools/${missing%:*}"
	run 2 with_tools --build="$build"
	check "${missing%:*} is missing" complains_once "there is no ${missing%:*}; install the package ${missing#*:}"
	ln -s /bin/true "$scratch/tools/${missing%:*}"
done
run 2 with_tools --build="$build" --mirror=http://localhost/none --keyring="$scratch/keys"
check "no such keys" complains_once "'$scratch/keys' cannot be read"
finish

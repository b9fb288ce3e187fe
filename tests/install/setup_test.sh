#!/bin/sh
# On other distributions than Debian and Ubuntu, judge.sh and check.sh print which packages to install.
#
#	setup_test.sh <tpcheck> <root of the source tree>
. "$(dirname "$0")/../cli/lib.sh"
root=$2
# A setup_packages that finds no dpkg-query.
cat >"$scratch/setup" <<'END'
root=$1 os_release=$2 dpkg_query=none
. "$root/tools/setup.sh"
setup_packages $BUILD_PACKAGES $TEST_PACKAGES
END
while read -r id like install first; do
	printf 'ID=%s\nID_LIKE="%s"\n' "$id" "$(echo "$like" | tr _ ' ')" >"$scratch/os-release"
	run 0 sh "$scratch/setup" "$root" "$scratch/os-release"
	check "$id: the command and names" complains "not tried on this distribution; .*: $(echo "$install" | tr _ ' ') cmake .*$first"
done <<'END'
fedora - dnf_install libcurl-devel
rocky rhel_centos_fedora dnf_install systemtap-sdt-devel
arch - pacman_-S_--needed libcap-ng
opensuse-leap suse_opensuse zypper_install libopenssl-devel
alpine - apk_add argp-standalone
nixos - nix-shell_-p libsystemtap
END
printf 'ID=plan9\n' >"$scratch/os-release"
run 0 sh "$scratch/setup" "$root" "$scratch/os-release"
check "an unknown one: Debian's names" complains 'these packages, or their equivalents, are installed: cmake .*systemtap-sdt-dev'
# A build folder of another user, such as root, who built first.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	mkdir -p "$scratch/checkout/build"
	cp "$root/tools/setup.sh" "$scratch/checkout"
	chmod -R a+rX "$scratch"
	run 1 setpriv --reuid="$uid" --regid="$group" --clear-groups sh -c 'root=$1 && . "$1/setup.sh" && setup_build' sh "$scratch/checkout"
	check "whose folder it is" complains "^setup: this user cannot write to $scratch/checkout/build, where another one has built: remove it"
	check "and nothing else" [ "$(wc -l <"$scratch/err")$(wc -c <"$scratch/out")" = 10 ]
else
	echo "not tried: a build folder of another user"
fi
# Each package has a row of six names.
# shellcheck disable=SC2046
. "$root/tools/setup.sh"
for package in $BUILD_PACKAGES $TEST_PACKAGES curl; do
	check "$package is in the list" [ "$(awk -v package="$package" '$1 == package { print NF }' "$root/tools/packages.txt")" = 6 ]
done
finish

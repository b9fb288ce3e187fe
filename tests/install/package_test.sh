#!/bin/sh
# 'cmake --install' and the Debian package install the right files in the right places, and tpcheck works from there: from
# another prefix, from a prefix that was moved, and from the package. tools/package.sh checks in clean chroots that the
# package can be installed with its dependencies.
#
#	package_test.sh <tpcheck> <root of the source tree> <build folder> <whether it is an ordinary build>
. "$(dirname "$0")/../cli/lib.sh"
built=$tpcheck
source=$2
build=$3
ordinary=$4
skipped=
specimen=$source/tests/specimens/foreign/aarch64-gcc
"$built" abi "$specimen" >"$scratch/want-abi"
want_abi=$?
"$built" selftest >/dev/null 2>&1
want_selftest=$?
[ "$want_selftest" = 77 ] && skipped="selftest cannot run here"

files() { (cd "$1" && find . ! -type d | sort); }
probes() { (cd "$source" && find probes -type f | sed "s|^|./$1/|"); }
for_cmake() { printf './share/cmake/tpcheck/%s\n' TpcheckTests.cmake tpcheck-config.cmake tpcheck-config-version.cmake; }
documents() { (cd "$source" && find doc -name '*.md' | sed "s|^|./$1/|"); }

# works FOLDER: the programs below it behave like those in the build folder.
works() {
	run "$want_abi" "$1/bin/tpcheck" abi "$specimen"
	check "abi prints the same from $1" cmp -s "$scratch/out" "$scratch/want-abi"
	run 0 "$1/bin/tpcheck" list scenarios
	check "it finds tpcheck-full" says '^utxocache\.'
	run "$want_selftest" "$1/bin/tpcheck" selftest
}

# If it was built with libmicrohttpd.
http=
[ ! -e "$build/tpcheck-http.so" ] || http=libexec/tpcheck/tpcheck-http.so

DESTDIR=$scratch/tree cmake --install "$build" --prefix /opt/tpcheck >"$scratch/out" 2>"$scratch/err"
check "it is installed" [ $? = 0 ]
{
	printf './%s\n' bin/tpcheck libexec/tpcheck/tpcheck-full libexec/tpcheck/tpcheck-bcc.so $http share/man/man1/tpcheck.1 \
		share/bash-completion/completions/tpcheck share/zsh/site-functions/_tpcheck \
		share/doc/tpcheck/README.md share/doc/tpcheck/CHANGELOG.md share/doc/tpcheck/LICENSE
	for_cmake
	probes share/tpcheck
	documents share/doc/tpcheck
} | sort >"$scratch/want"
files "$scratch/tree/opt/tpcheck" >"$scratch/got"
diff -u "$scratch/want" "$scratch/got" >"$scratch/out"
check "exactly these files" [ ! -s "$scratch/out" ]
check "nothing outside the prefix" [ "$(ls "$scratch/tree")$(ls "$scratch/tree/opt")" = opttpcheck ]
works "$scratch/tree/opt/tpcheck"
mv "$scratch/tree/opt/tpcheck" "$scratch/moved ₿ 🙂"
works "$scratch/moved ₿ 🙂"
ln -s "$scratch/moved ₿ 🙂/bin/tpcheck" "$scratch/link"
run 0 "$scratch/link" list scenarios
check "through a symbolic link" says '^utxocache\.'
rm "$scratch/moved ₿ 🙂/libexec/tpcheck/tpcheck-bcc.so"
"$scratch/moved ₿ 🙂/bin/tpcheck" doctor >"$scratch/out" 2>"$scratch/err"
check "a missing module is no missing libbcc" says "libbcc .*tpcheck-bcc.so': No such file or directory; it is a part of tpcheck: install tpcheck again"
check "installing libbpfcc would not help" sh -c "! grep -q 'apt-get install libbpfcc' '$scratch/out'"
rm "$scratch/moved ₿ 🙂/libexec/tpcheck/tpcheck-full"
run "$want_abi" "$scratch/moved ₿ 🙂/bin/tpcheck" abi "$specimen"
run 99 "$scratch/moved ₿ 🙂/bin/tpcheck" list
check "the missing program is named" complains 'tpcheck-full is neither in'
check "with the remedy" complains 'install both programs'

# The package.
if ! command -v dpkg-shlibdeps >/dev/null || ! command -v file >/dev/null; then
	skipped="${skipped:+$skipped; }the package is not built: dpkg-dev or file is not installed"
elif [ "$ordinary" != yes ]; then
	skipped="${skipped:+$skipped; }the package is not built: this is not an ordinary build"
else
	(cd "$build" && cpack -G DEB -B "$scratch/pack") >"$scratch/out" 2>"$scratch/err"
	check "the package is built" [ $? = 0 ]
	deb=$(echo "$scratch"/pack/*.deb)
	control() { dpkg-deb -f "$deb" "$1"; }
	check "its name has version, release and architecture" \
		sh -c "expr '${deb##*/}' : 'tpcheck_[0-9.]*-1~[a-z]*[0-9.]*_$(dpkg --print-architecture).deb' >/dev/null"
	for library in libcurl4 libelf1 libyajl2 libssl3 libc6 ${http:+libmicrohttpd12}; do
		check "it depends on $library" sh -c "echo '$(control Depends)' | grep -q '$library'"
	done
	for library in libbpfcc libstdc++6; do
		check "it recommends $library, for BPF" sh -c "echo '$(control Recommends)' | grep -qF '$library'"
		check "it does without $library" sh -c "! echo '$(control Depends)' | grep -qF '$library'"
	done
	dpkg-deb -x "$deb" "$scratch/deb"
	{
		printf './%s\n' bin/tpcheck libexec/tpcheck/tpcheck-full libexec/tpcheck/tpcheck-bcc.so $http share/man/man1/tpcheck.1.gz \
			share/bash-completion/completions/tpcheck share/zsh/vendor-completions/_tpcheck \
			share/doc/tpcheck/README.md share/doc/tpcheck/changelog.gz \
			share/doc/tpcheck/changelog.Debian.gz share/doc/tpcheck/copyright
		for_cmake
		probes share/tpcheck
		documents share/doc/tpcheck
	} | sort >"$scratch/want"
	files "$scratch/deb/usr" >"$scratch/got"
	diff -u "$scratch/want" "$scratch/got" >"$scratch/out"
	check "the package has exactly these files" [ ! -s "$scratch/out" ]
	dpkg-deb -c "$deb" | grep -Ev '^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--) root/root ' >"$scratch/out"
	check "all files belong to root, and are readable by everybody" [ ! -s "$scratch/out" ]
	works "$scratch/deb/usr"
	for program in libexec/tpcheck/tpcheck-bcc.so $http bin/tpcheck libexec/tpcheck/tpcheck-full; do
		program=$scratch/deb/usr/$program
		check "$program does not contain the build path" \
			sh -c "! LC_ALL=C grep -aqF -e '$build' -e '$source' '$program'"
		readelf -WSdl "$program" >"$scratch/out"
		check "$program is stripped" sh -c "! grep -q '\.symtab' '$scratch/out'"
		case $program in
		*.so) ;;
		*) check "$program is position independent" says 'Flags:.*PIE' ;;
		esac
		check "$program is bound before it starts" says 'Flags:.*NOW'
		check "$program has no library path" sh -c "! grep -Eq 'R(UN)?PATH' '$scratch/out'"
	done
	check "_FORTIFY_SOURCE is in effect" sh -c "readelf -W --dyn-syms '$program' | grep -q 'memcpy_chk\|snprintf_chk'"
	check "the copyright is the license" sh -c "tr -d '\n .' <'$scratch/deb/usr/share/doc/tpcheck/copyright' |
		grep -qF \"\$(sed -n '/^Permission/,\$p' '$source/LICENSE' | tr -d '\n .')\""
	if command -v lintian >/dev/null; then
		user=
		[ "$(id -u)" != 0 ] || user="setpriv --reuid=65534 --regid=65534 --clear-groups"
		chmod -R a+rX "$scratch/pack"
		mkdir -m 1777 "$scratch/lintian"
		# In a folder that the user may enter.
		# shellcheck disable=SC2086
		(cd "$scratch" && HOME=$scratch TMPDIR=$scratch/lintian exec $user lintian --fail-on error,warning "$deb") >"$scratch/out" 2>"$scratch/err"
		check "lintian has neither errors nor warnings" [ $? = 0 ]
	else
		skipped="${skipped:+$skipped; }lintian is not installed"
	fi
fi
[ -z "$skipped" ] || echo "SKIP: $skipped"
[ "$failures" = 0 ] && [ -n "$skipped" ] && { echo "$checks checks, 0 failed"; exit 77; }
finish

# Sourced by vm.sh and sysroot.sh: Debian's packages for another machine or of another release, unpacked rather than installed.
# The script sets arch (as Debian calls it), cache and work (folders; the second is temporary), and has a function fail.
# shellcheck shell=sh
# shellcheck disable=SC2154

# quietly COMMAND...: its output is shown only if it fails.
quietly() {
	"$@" >"$work/log" 2>&1 </dev/null || {
		cat "$work/log" >&2
		fail "failed: $*"
	}
}

# The first archive that apt uses here.
archive_here() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | head -n 1
}

# use_archive SUITE URL [KEYRING]: sets dir to a folder, and makes apt work there, as if nothing were installed. With
# contents=yes apt also gets the list of all files.
use_archive() {
	dir=$cache/$arch-$1
	export APT_CONFIG="$dir/apt.conf"
	keys=${3:-/usr/share/keyrings/debian-archive-keyring.gpg}
	[ -z "${3:-}" ] || [ -r "$3" ] || fail "'$3' cannot be read"
	[ -r "$keys" ] || keys=
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	: >"$dir/status"
	echo "deb [arch=$arch${keys:+ signed-by=$keys}] $2 $1 main" >"$dir/sources.list"
	cat >"$dir/apt.conf" <<-END
		Dir::State "$dir";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir";
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		Acquire::Languages "none";
	END
	[ -z "${contents:-}" ] || cat >>"$dir/apt.conf" <<-'END'
		Acquire::IndexTargets::deb::Files {
			MetaKey "$(COMPONENT)/Contents-$(NATIVE_ARCHITECTURE)";
			ShortDescription "Contents-$(NATIVE_ARCHITECTURE)";
			Description "$(RELEASE)/$(COMPONENT) Contents";
			KeepCompressed "true";
		};
		Acquire::IndexTargets::deb::Files-old {
			MetaKey "Contents-$(NATIVE_ARCHITECTURE)";
			ShortDescription "Contents-$(NATIVE_ARCHITECTURE)";
			Description "$(RELEASE) Contents";
			KeepCompressed "true";
			Fallback-Of "Files";
		};
	END
	quietly apt-get update --error-on=any
}

# packages_of NAME...: after use_archive with contents=yes, the packages that have these shared libraries.
packages_of() {
	# shellcheck disable=SC2016
	lists=$(apt-get indextargets --format '$(FILENAME)' 2>/dev/null | grep Contents | sort -u)
	[ -n "$lists" ] || fail "the archive has no list of its files"
	# shellcheck disable=SC2086
	"${apt_helper:-/usr/lib/apt/apt-helper}" cat-file $lists | awk -v names="$*" '
		BEGIN { split(names, list, " "); for (i in list) wanted[list[i]] = 1 }
		/^(usr\/)?lib(64)?\/([a-z0-9_]+-linux-[a-z0-9_]+\/)?[^\/]+[ \t]/ {
			name = $1
			sub(/.*\//, "", name)
			if (!(name in wanted))
				next
			sub(/,.*/, "", $NF)
			sub(/.*\//, "", $NF)
			print $NF
			delete wanted[name]
		}
		END { for (name in wanted) print name ": no package has this library" >"/dev/stderr" }' | sort -u
}

# unpack_packages ROOT DEPENDENCIES: gets what satisfies them (as in the field Depends of a package), and unpacks it there,
# with dpkg's data base; its programs and scripts are not run.
unpack_packages() {
	rm -f "$dir/archives"/*.deb
	quietly apt-get satisfy -y --download-only "$2"
	mkdir -p "$1/usr" "$1/var/lib/dpkg/info"
	for folder in bin sbin lib lib64; do
		mkdir "$1/usr/$folder"
		ln -s usr/$folder "$1/$folder"
	done
	for deb in "$dir/archives"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$1" --keep-directory-symlink --no-same-owner \
			--exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*'
		note_package "$1/var/lib/dpkg" "$deb"
	done
	rm -f "$dir/archives"/*.deb
}

# note_package DATABASE DEB: there, the package is installed.
note_package() {
	name=$(dpkg-deb -f "$2" Package)
	case $(dpkg-deb -f "$2" Multi-Arch) in same) name=$name:$arch ;; esac
	echo 1 >"$1/info/format" # names of files may contain the architecture
	{
		dpkg-deb -f "$2" | sed '1a\
Status: install ok installed'
		echo
	} >>"$1/status"
	dpkg-deb --fsys-tarfile "$2" | tar -t | sed 's|^\./|/|; s|/$||; s|^$|/.|' >"$1/info/$name.list"
	mkdir "$work/control"
	dpkg-deb --control "$2" "$work/control"
	for file in shlibs symbols; do
		[ ! -e "$work/control/$file" ] || mv "$work/control/$file" "$1/info/$name.$file"
	done
	rm -r "$work/control"
}

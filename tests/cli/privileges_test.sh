#!/bin/sh
# The table of doc/privileges.md, line by line, as an ordinary user: what is enough for each way to attach, given in
# each way, and what happens with one less; what root keeps, what bitcoind gets, what the environment cannot do.
. "$(dirname "$0")/lib.sh"
attach_to=$2
hostile=$3
bitcoind=${BITCOIND:-$(command -v bitcoind)}
if [ "$(id -u)" != 0 ]; then
	echo "SKIP: not root, who alone can become an ordinary user with chosen capabilities"
	exit 77
fi
if ! command -v setpriv >/dev/null; then
	echo "SKIP: no setpriv (package util-linux)"
	exit 77
fi
# All that is tried below has to be there to be taken away.
set -- $(sed -n 's/^Cap\(Bnd\|Eff\):\t*//p' /proc/self/status)
needed=$((1 << 39 | 1 << 38 | 1 << 21 | 1 << 19 | 1 << 12 | 1 << 8 | 1 << 7 | 1 << 6 | 1 << 5 | 1 << 2 | 1 << 1 | 1))
if [ $((0x$1 & 0x$2 & needed)) != $needed ]; then
	echo "SKIP: root lacks capabilities here (a container?): it has 0x$1 of 0x$2, and this needs $(printf '0x%x' $needed)"
	exit 77
fi

# The build folder may be where an ordinary user cannot go.
prefix=$scratch/installed
cmake --install "$(dirname "$tpcheck")" --prefix "$prefix" >/dev/null || exit 99
cp "$attach_to" "$prefix/attach_to"
full=$(find "$prefix" -name tpcheck-full)
tpcheck=$prefix/bin/tpcheck
[ -x "$tpcheck" ] && [ -x "$full" ] || exit 99
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR
unset SUDO_UID SUDO_GID BITCOIND
cd / || exit 99

uid=12345
group=23456
# as CAPABILITIES COMMAND...: as an ordinary user with these in the ambient set ("-": none), in the group of tracefs.
as() {
	caps=$1
	shift
	if [ "$caps" = - ]; then
		setpriv --reuid=$uid --regid=$uid --groups=$group "$@"
	else
		setpriv --reuid=$uid --regid=$uid --groups=$group "--inh-caps=$caps" "--ambient-caps=$caps" "$@"
	fi
}

if ! "$tpcheck" selftest >"$scratch/out" 2>&1; then
	echo "SKIP: not even root can trace here: $("$tpcheck" doctor | tail -n 1)"
	exit 77
fi
has_multi=$("$tpcheck" doctor | grep -c '^ok  *attach: multi')
has_perf=$("$tpcheck" doctor | grep -c '^ok  *attach: perf')

# Ambient sets: METHOD CAPABILITIES CODE TEXT, one a line; the text is in the output.
ambient() {
	while IFS='|' read -r method caps code text; do
		[ -n "$method" ] || continue
		case $method in
		multi) [ "$has_multi" = 1 ] || { echo "SKIP: $method, $caps: no uprobe_multi link here"; continue; } ;;
		perf) [ "$has_perf" = 1 ] || { echo "SKIP: $method, $caps: no uprobe PMU here"; continue; } ;;
		esac
		run "$code" as "$caps" "$tpcheck" selftest "--attach=$method"
		check "--attach=$method with $caps: $text" says "$text"
	done
}
all_pass='5 passed, 0 failed, 0 skipped, 0 errors'
ambient <<END
multi|-|77|user: user $uid with none of the capabilities that tracing needs; run it as root, or give it CAP_BPF and CAP_PERFMON
multi|+bpf|77|user: user $uid with CAP_BPF, but not CAP_PERFMON
multi|+perfmon|77|user: user $uid with CAP_PERFMON, but not CAP_BPF
multi|+bpf,+perfmon|0|$all_pass
multi|+sys_admin|0|$all_pass
perf|+bpf,+perfmon|77|attach: perf: Permission denied; needs CAP_SYS_ADMIN
perf|+bpf,+perfmon,+dac_override|77|attach: perf: Permission denied; needs CAP_SYS_ADMIN
perf|+sys_admin|0|$all_pass
auto|+bpf|77|but not CAP_PERFMON
END
[ "$has_multi" = 1 ] && ambient <<END
auto|+bpf,+perfmon|0|$all_pass
END

# tracefs: by capability, then by group. Its mount is ours for the test, in a mount namespace of its own.
in_tracefs() { unshare --mount sh -c 'mount -t tracefs -o "$1" tracefs /sys/kernel/tracing && chmod "$2" /sys/kernel/tracing/uprobe_events && shift 2 && "$@"' sh "$@"; }
if ! grep -qw tracefs /proc/filesystems || ! in_tracefs gid=0,mode=700 g-w true 2>/dev/null; then
	echo "SKIP: tracefs: it cannot be mounted here"
else
	before=$(stat -c '%a %g' /sys/kernel/tracing /sys/kernel/tracing/uprobe_events 2>/dev/null)
	tracefs() {
		while IFS='|' read -r options mode caps code text; do
			run "$code" in_tracefs "$options" "$mode" "$0" --as "$caps" "$tpcheck" selftest --attach=tracefs
			check "tracefs $options,$mode with $caps: $text" says "$text"
		done
	}
	# The shell in the namespace has no function of ours.
	cat >"$scratch/as" <<END
#!/bin/sh
caps=\$1
shift
exec setpriv --reuid=$uid --regid=$uid --groups=$group "--inh-caps=\$caps" "--ambient-caps=\$caps" "\$@"
END
	chmod 755 "$scratch/as"
	tracefs() {
		while IFS='|' read -r options mode caps code text; do
			run "$code" in_tracefs "$options" "$mode" "$scratch/as" "$caps" "$tpcheck" selftest --attach=tracefs
			check "tracefs with $options and $mode, $caps: $text" says "$text"
		done
	}
	tracefs <<END
gid=0,mode=700|g-w|+bpf,+perfmon|77|attach: tracefs: Permission denied; needs its uprobe_events to be writable
gid=0,mode=700|g-w|+bpf,+perfmon,+dac_override|0|$all_pass
gid=$group,mode=750|g-w|+bpf,+perfmon|77|attach: tracefs: Permission denied; needs its uprobe_events to be writable
gid=$group,mode=750|g+w|+bpf,+perfmon|0|$all_pass
gid=0,mode=750|g+w|+bpf,+perfmon|77|attach: tracefs: Permission denied
gid=$group,mode=750|g+w|+bpf|77|but not CAP_PERFMON
gid=$group,mode=750|g+w|+perfmon|77|but not CAP_BPF
END
	# The superblock is one for all mounts.
	in_tracefs gid=0,mode=700 g-w true
	check "nothing of ours stays defined" unshare --mount sh -c \
		'mount -t tracefs tracefs /sys/kernel/tracing && ! grep -q tpcheck_ /sys/kernel/tracing/uprobe_events'
	echo "tracefs was: $(echo $before)"
fi

finish

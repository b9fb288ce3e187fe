#!/bin/sh
# The table in doc/privileges.md, line by line, as an ordinary user: what each attach method requires, granted in each
# way, and what happens with one capability less; what root keeps, what bitcoind gets, what the environment cannot do.
# Its lines about tracefs are in tracefs_test.sh.
. "$(dirname "$0")/lib.sh"
hostile=$2
refuse=$3
sources=$(cd "$(dirname "$0")/../../src" && pwd) || exit 99
copy_bitcoind
if [ "$(id -u)" != 0 ]; then
	echo "SKIP: not root; only root can become an ordinary user with chosen capabilities"
	exit 77
fi
if ! command -v setpriv >/dev/null; then
	echo "SKIP: no setpriv (package util-linux)"
	exit 77
fi
# Everything that is taken away below has to be there.
set -- $(sed -n 's/^Cap\(Bnd\|Eff\):\t*//p' /proc/self/status)
needed=$((1 << 39 | 1 << 38 | 1 << 21 | 1 << 19 | 1 << 12 | 1 << 8 | 1 << 7 | 1 << 6 | 1 << 5 | 1 << 2 | 1 << 1 | 1))
if [ $((0x$1 & 0x$2 & needed)) != $needed ]; then
	echo "SKIP: root lacks capabilities here (a container?): it has 0x$1 of 0x$2, and this needs $(printf '0x%x' $needed)"
	exit 77
fi

# CAP_SYS_NICE shows as a thread with a higher priority than the others.
renice -n 0 -p $$ >/dev/null

install_for_everybody
prefix=$scratch/installed
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR
unset BITCOIND
cd / || exit 99

pids=
# Runs however the test ends.
clean_up() {
	# shellcheck disable=SC2086 # several
	[ -z "$pids" ] || { kill $pids && kill -CONT $pids; }
	rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 99' HUP INT TERM
# as CAPABILITIES COMMAND...: as an ordinary user with this ambient set ("-": empty), in a group of its own.
as() {
	ambient_set=$1
	shift
	if [ "$ambient_set" = - ]; then
		setpriv --reuid=$uid --regid=$uid --groups=$group "$@"
	else
		setpriv --reuid=$uid --regid=$uid --groups=$group "--inh-caps=$ambient_set" "--ambient-caps=$ambient_set" "$@"
	fi
}

# The system call, for the specimen that has it refused.
unshare_number=272
[ "$(uname -m)" = x86_64 ] || unshare_number=97

if ! can_trace; then
	skip_part "not even root can trace here: $("$tpcheck" doctor | tail -n 1)"
	finish
fi
has_multi=$("$tpcheck" doctor | grep -c '^ok  *attach: multi')
has_perf=$("$tpcheck" doctor | grep -c '^ok  *attach: perf')

# Ambient sets: METHOD CAPABILITIES CODE TEXT, one per line; the output has TEXT.
ambient() {
	while IFS='|' read -r method caps code text; do
		[ -n "$method" ] || continue
		case $method in
		multi) [ "$has_multi" = 1 ] || { skip_part "$method, $caps: no uprobe_multi link here"; continue; } ;;
		perf) [ "$has_perf" = 1 ] || { skip_part "$method, $caps: no uprobe PMU here"; continue; } ;;
		esac
		run "$code" as "$caps" "$tpcheck" selftest "--attach=$method"
		check "--attach=$method with $caps: $text" says "$text"
	done
}
all_pass='5 passed, 0 failed, 0 skipped, 0 errors'
ambient <<END
multi|-|77|user: $uid with none of the capabilities that BPF requires; run it as root, or give it CAP_BPF and CAP_PERFMON
multi|+bpf|77|user: $uid with CAP_BPF, but not CAP_PERFMON
multi|+perfmon|77|user: $uid with CAP_PERFMON, but not CAP_BPF
multi|+bpf,+perfmon|0|$all_pass
multi|+sys_admin|0|$all_pass
perf|+bpf,+perfmon|77|attach: perf: Permission denied; needs CAP_SYS_ADMIN
perf|+bpf,+perfmon,+dac_override|77|attach: perf: Permission denied; needs CAP_SYS_ADMIN
perf|+sys_admin|0|$all_pass
auto|+bpf|0|^observed by ptrace, because BPF cannot be used here: user: $uid with CAP_BPF, but not CAP_PERFMON
END
[ "$has_multi" = 1 ] && ambient <<END
auto|+bpf,+perfmon|0|$all_pass
END

# The same as a program, for functions and programs that start a command.
cat >"$scratch/as" <<END
#!/bin/sh
caps=\$1
shift
exec setpriv --reuid=$uid --regid=$uid --groups=$group "--inh-caps=\$caps" "--ambient-caps=\$caps" "\$@"
END
chmod 755 "$scratch/as"

# Like a systemd service: an ambient set, a bounding set, no new privileges.
service="setpriv --reuid=$uid --regid=$uid --clear-groups --no-new-privs --bounding-set=-all,+bpf,+perfmon"
if [ "$has_multi" = 1 ]; then
	run 0 $service --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon "$tpcheck" selftest
	check "an ambient set with no new privileges, as in a service" says "$all_pass"
	if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
		run 0 systemd-run --quiet --wait --pipe -p "User=$uid" -p "AmbientCapabilities=CAP_BPF CAP_PERFMON" \
			-p "CapabilityBoundingSet=CAP_BPF CAP_PERFMON" -p NoNewPrivileges=yes "$tpcheck" selftest
		check "a systemd service" says "$all_pass"
	else
		echo "not tried: systemd itself, which does not run here"
	fi
fi
run 77 $service "$tpcheck" selftest --attach=multi
check "a service without an ambient set" says 'none of the capabilities'

# File capabilities: FILE CAPABILITIES CODE TEXT. They belong on tpcheck-full, which tpcheck starts.
plain() { as - "$@"; }
if ! command -v setcap >/dev/null; then
	skip_part "file capabilities: no setcap (package libcap2-bin)"
elif ! setcap cap_bpf+ep "$full" 2>/dev/null; then
	skip_part "file capabilities: $scratch cannot hold them"
elif [ "$has_multi" = 1 ]; then
	while IFS='|' read -r file caps code text; do
		setcap -r "$full" 2>/dev/null
		setcap "$caps" "$file" || exit 99
		run "$code" plain "$tpcheck" selftest --attach=multi
		check "$caps on $(basename "$file"): $text" says "$text"
		setcap -r "$file"
	done <<END
$full|cap_bpf,cap_perfmon+ep|0|$all_pass
$full|cap_bpf,cap_perfmon+p|0|$all_pass
$full|cap_sys_admin+ep|0|$all_pass
$full|cap_bpf+ep|77|but not CAP_PERFMON
$full|cap_perfmon+ep|77|but not CAP_BPF
$tpcheck|cap_bpf,cap_perfmon+ep|77|none of the capabilities
END
	setcap cap_bpf,cap_perfmon+ep "$full"
	# A program whose file has capabilities cannot be traced by its user; what it starts can be.
	run 0 plain "$tpcheck" selftest --attach=ptrace
	check "file capabilities: ptrace works, too" says "$all_pass"
	plain "$tpcheck" doctor >"$scratch/out"
	check "file capabilities: doctor finds that ptrace works" says '^ok    attach: ptrace'
	run 77 plain setpriv --no-new-privs "$tpcheck" selftest --attach=multi
	check "no new privileges: file capabilities have no effect" says 'none of the capabilities'
	# Whatever its exit code.
	plain "$tpcheck" doctor >"$scratch/out"
	check "doctor: everybody can execute it" says "everybody on this machine can execute '$full'"
	run 99 setpriv --reuid=$uid --regid=$uid --clear-groups --bounding-set=-perfmon "$tpcheck" selftest
	check "a container without a capability that the file has" complains 'Operation not permitted; it has file capabilities'
	chgrp $group "$full" && chmod 750 "$full" && setcap cap_bpf,cap_perfmon+ep "$full"
	run 0 plain "$tpcheck" selftest
	check "for a group: a member" says "$all_pass"
	run 99 setpriv --reuid=$uid --regid=$uid --clear-groups "$tpcheck" selftest
	check "for a group: not a member" complains 'Permission denied; if only a group may run it'
	# The caller has fewer privileges than the program, so the environment must have no effect.
	mkdir -p "$scratch/tree/include/linux"
	echo '#error chosen by the environment' >"$scratch/tree/include/linux/kconfig.h"
	chmod -R a+rX "$scratch/tree"
	plain env BCC_KERNEL_SOURCE="$scratch/tree" "$tpcheck" selftest --headers=system >"$scratch/out" 2>&1
	check "file capabilities: no headers of the caller's" sh -c "! grep -q 'chosen by the environment' '$scratch/out'"
	mkdir -m 777 "$scratch/module"
	cp "$hostile" "$scratch/module/hostile.so"
	run 0 plain env LD_PRELOAD="$scratch/module/hostile.so" "$full" selftest
	check "file capabilities: no module of the caller's" [ ! -e "$scratch/module/hostile.so.loaded" ]
	if [ -x "$bitcoind" ]; then
		run 0 plain "$tpcheck" run --bitcoind="$bitcoind" 'utxocache.spent.*'
		check "a bitcoind is checked with file capabilities" says '^[1-9][0-9]* passed, 0 failed, 0 skipped, 0 errors'
		if as - unshare --user --net true 2>/dev/null; then
			run 0 plain "$tpcheck" run --bitcoind="$bitcoind" --require net.inbound_connection.networks
			check "and gets a network of its own" says '1 passed, 0 failed, 0 skipped, 0 errors'
		fi
	fi
	setcap -r "$full"
	chmod 755 "$full"
	plain env BCC_KERNEL_SOURCE="$scratch/tree" "$tpcheck" selftest --headers=system >"$scratch/out" 2>&1
	run 99 as +bpf,+perfmon env BCC_KERNEL_SOURCE="$scratch/tree" "$tpcheck" selftest --headers=system
	check "an ambient set: the caller may choose headers" says 'chosen by the environment'
	run 0 as +bpf,+perfmon env LD_PRELOAD="$scratch/module/hostile.so" "$full" selftest
	check "an ambient set: the caller may load modules" [ -e "$scratch/module/hostile.so.loaded" ]
	rm -f "$scratch/module/hostile.so.loaded"
fi

# What accessing a process requires: WHOSE CAPABILITIES CODE TEXT.
if [ "$has_multi" = 1 ]; then
	mkfifo "$scratch/commands"
	exec 9<>"$scratch/commands"
	cp "$full" "$prefix/unreadable"
	chmod 711 "$prefix/unreadable"
	start() {
		"$@" __specimen <&9 >/dev/null 2>&1 &
		pids="$pids $!"
	}
	start setpriv --reuid=$uid --regid=$uid --groups=$group "$full"
	own=$!
	start setpriv --reuid=$group --regid=$group --clear-groups "$full"
	other=$!
	start setpriv --reuid=$uid --regid=$uid --groups=$group "$prefix/unreadable"
	no_dump=$!
	start "$scratch/as" +bpf,+perfmon "$full"
	equal=$!
	for pid in $pids; do
		tries=0
		until [ "$(tr '\0' ' ' <"/proc/$pid/cmdline" | grep -c '^/.* __specimen $')" = 1 ] && [ "$(sed -n 's/^Name:\t//p' "/proc/$pid/status")" != setpriv ]; do
			tries=$((tries + 1))
			[ $tries -lt 200 ] || { echo "the specimen $pid does not start"; exit 99; }
			sleep 0.05
		done
	done
	while IFS='|' read -r whose caps code text; do
		case $whose in
		own) pid=$own ;;
		other) pid=$other ;;
		no_dump) pid=$no_dump ;;
		equal) pid=$equal ;;
		esac
		run "$code" as "$caps" "$tpcheck" trace --pid=$pid --duration=0.001 --attach=multi
		check "a process ($whose) with $caps: $text" complains "$text"
	done <<END
own|+bpf,+perfmon|0|attached to 20 tracepoints
equal|+bpf,+perfmon|0|attached to 20 tracepoints
other|+bpf,+perfmon|77|/exe': Permission denied; .* CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH
other|+bpf,+perfmon,+dac_read_search|77|/exe': Permission denied
other|+bpf,+perfmon,+sys_ptrace|77|/mem': Permission denied; a process of another user
other|+bpf,+perfmon,+sys_ptrace,+dac_read_search|0|attached to 20 tracepoints
no_dump|+bpf,+perfmon|77|/exe': Permission denied
no_dump|+bpf,+perfmon,+sys_ptrace,+dac_read_search|0|attached to 20 tracepoints
END
	kill $pids
	wait $pids 2>/dev/null
	pids=
	exec 9>&-
fi

# User namespaces grant nothing; PID namespaces take nothing away.
if unshare --user --map-root-user true 2>/dev/null; then
	run 77 unshare --user --map-root-user "$tpcheck" selftest --attach=multi
	check "root of a user namespace" says 'in a user namespace, where they do not count'
fi
for method in multi perf; do
	run 0 unshare --pid --fork --mount-proc "$tpcheck" selftest --attach=$method
	check "root of a PID namespace, --attach=$method" says "$all_pass"
done

# Without /sys, as in a chroot.
# shellcheck disable=SC2016
run 0 unshare --mount sh -c 'mount -t tmpfs none /sys && exec "$@"' sh "$tpcheck" selftest --attach=multi
check "no /sys: none is needed for a uprobe_multi link" says "$all_pass"

# What doctor recommends.
consult() {
	"$@" "$tpcheck" doctor >"$scratch/out" 2>&1
}
consult as -
check "doctor: two capabilities are missing" says "^  for BPF, .*: CAP_BPF and CAP_PERFMON for user $uid$"
check "doctor: the file to set them on" says "setcap cap_bpf,cap_perfmon+ep $full"
if [ -x "$bitcoind" ]; then
	as - "$tpcheck" doctor --bitcoind="$bitcoind" >"$scratch/out" 2>&1
	check "doctor: sudo does not pass BITCOIND on" says "^    for one run: sudo setpriv .* $full run --bitcoind=$bitcoind\$"
	odd="$scratch/odd
$(printf '\033[31m')"
	ln "$bitcoind" "$odd"
	as - "$tpcheck" doctor --bitcoind="$odd" >"$scratch/out" 2>&1
	check "doctor: that path is escaped" says "^    for one run: .* --bitcoind='.*/odd\\\\x0a\\\\x1b\[31m'\$"
	rm "$odd"
fi
consult as +bpf
check "doctor: one is missing" says "^  for BPF, .*: CAP_PERFMON for user $uid$"
consult setpriv --bounding-set=-all,+bpf,+setuid
check "doctor: in a container" says '^    nobody can have it here; start the container with --cap-add=PERFMON --cap-add=SYS_PTRACE$'
consult setpriv --bounding-set=-sys_ptrace
check "doctor: root without CAP_SYS_PTRACE" says '^Needed: nothing more'
check "doctor: what it would be for" says '^  for a bitcoind that runs as another user than root: also CAP_SYS_PTRACE (--cap-add=SYS_PTRACE)$'
consult "$refuse" $unshare_number 1
check "doctor: no network" says '^no    network         the machine allows no network namespace: failed to make a user namespace for it: '
if [ "$has_multi" = 1 ]; then
	consult as +bpf,+perfmon
	check "doctor: nothing is missing" says '^Needed: nothing more'
	check "doctor: but more is possible" says 'processes of other users: also CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH'
fi

# The environment of root.
mkdir "$scratch/bin"
printf '#!/bin/sh\n: >"%s/ran"\n' "$scratch" >"$scratch/bin/modprobe"
chmod 755 "$scratch/bin/modprobe"
PATH=$scratch/bin:$PATH sh -c 'modprobe kheaders'
check "running the modprobe in PATH would be noticed" [ -e "$scratch/ran" ]
rm "$scratch/ran"
PATH=$scratch/bin:$PATH "$tpcheck" selftest --headers=system >"$scratch/out" 2>&1
check "root runs no program from PATH" [ ! -e "$scratch/ran" ]
mkdir -p "$scratch/tree/include/linux" "$scratch/tree/linux" "$scratch/tree/uapi/linux"
for header in include/linux/kconfig.h linux/types.h uapi/linux/ptrace.h stddef.h; do
	echo '#error chosen by the environment' >"$scratch/tree/$header"
done
BCC_KERNEL_SOURCE=$scratch/tree "$tpcheck" selftest --headers=system >"$scratch/out" 2>&1
check "root compiles no headers from the environment" sh -c "! grep -q 'chosen by the environment' '$scratch/out'"
run 0 env CPATH="$scratch/tree" C_INCLUDE_PATH="$scratch/tree" BCC_KERNEL_SOURCE="$scratch/tree" "$tpcheck" selftest
check "nor includes from such folders" says "$all_pass"
mkdir "$scratch/theirs"
chown $uid "$scratch/theirs"
mkdir -m 1777 "$scratch/theirs/tmp"
for theirs in "$scratch/theirs" "$scratch/theirs/tmp"; do
	run 2 env TMPDIR="$theirs" "$tpcheck" selftest
	check "root creates nothing where $uid can change it" complains "'$scratch/theirs' (user $uid, mode 0755)"
	check "in one line" one_line_complaint
	check "and leaves nothing there" sh -c "[ -z \"\$(find '$theirs' -name 'tpcheck*')\" ]"
done
run 0 as "+bpf,+perfmon,+sys_admin" env TMPDIR="$scratch/theirs" "$tpcheck" selftest
mkdir -m 700 "$scratch/theirs/private"
cp "$full" "$scratch/theirs/private/program"
chown -R $uid "$scratch/theirs/private"
"$tpcheck" abi "$scratch/theirs/private/program" >"$scratch/out" 2>"$scratch/err"
check "root can still look at anybody's file" says '20 tracepoints at'
# To look at files, root keeps the right to read them. The program is held by a pipe that is full.
for command in list "abi $full"; do
	# shellcheck disable=SC2016,SC2086
	sh -c 'echo $$ >"$0"; head -c 65536 /dev/zero; exec "$@"' "$scratch/pid" "$tpcheck" $command | {
		tries=0
		until grep -q '^CapEff:.*0000000000000004$' "/proc/$(cat "$scratch/pid" 2>/dev/null)/status" 2>/dev/null; do
			tries=$((tries + 1))
			[ $tries -lt 200 ] || exit 1
			sleep 0.05
		done
		grep -q '^CapBnd:.*0000000000000004$' "/proc/$(cat "$scratch/pid")/status"
	}
	check "${command%% *} keeps CAP_DAC_READ_SEARCH alone" [ $? = 0 ]
done

# The environment variables that are allowed are exactly those that the sources read.
sed -n '/^static const char \*const allowed/,/^};/s/^\t"\([A-Z_]*\)".*/\1/p' "$sources/cli/environment.c" | sort >"$scratch/allowed"
# The shim checks whether there is a PATH, which it replaces.
# localtime_r reads TZ.
{ grep -rhoE 'getenv\("[A-Z_]+"\)' "$sources"; echo '"TZ"'; } | sed 's/.*"\(.*\)".*/\1/' | sort -u >"$scratch/read"
check "the variables that are allowed are those that are read" diff "$scratch/allowed" "$scratch/read"

if [ ! -x "$bitcoind" ]; then
	skip_part "root with a bitcoind: set BITCOIND, or put one into PATH"
	finish
fi

# What root keeps, and what bitcoind gets of it, while it runs.
set_of() { sed -n "s/^$2:\t*//p" "/proc/$1/status" 2>/dev/null; }
rings_of() { grep -c 'anon_inode:bpf-map' "/proc/$1/maps" 2>/dev/null; }
# look COMMAND...: starts it, and sets pid and node once its rings are open and its first bitcoind runs.
look() {
	# tpcheck must not pass on descriptor 8.
	"$@" >"$scratch/out" 2>&1 8<"$tpcheck" &
	pid=$!
	pids=$pid
	node=
	tries=0
	until [ -n "$node" ] || [ $tries -gt 2000 ]; do
		tries=$((tries + 1))
		sleep 0.05
		node=$(pgrep -P $pid -x bitcoind | head -n 1)
		[ -n "$node" ] && [ "$(rings_of $pid)" -gt 0 ] &&
			[ "$(readlink "/proc/$node/exe")" = "$(readlink -f "$bitcoind")" ] || node=
		# Stopped, it does not end its nodes.
		[ -z "$node" ] || { kill -STOP $pid && [ -e "/proc/$node/exe" ]; } || { kill -CONT $pid; node=; }
	done
	check "there is a bitcoind, and the probes are being made: $*" [ -n "$node" ]
}
end_look() {
	kill -INT $pid
	kill -CONT $pid
	wait $pid
	pids=
}
# nice_cnt PID: threads with a higher priority.
nice_cnt() { cat "/proc/$1/task"/*/stat | sed 's/.*) //' | awk '$17 == -10' | wc -l; }
look "$tpcheck" run --bitcoind="$bitcoind" --jobs=1 'utxocache.*'
kept=0
for bit in 39 38 21 12 7 6 8 0 1 2 19 5 23; do kept=$((kept | 1 << bit)); done
kept=$(printf '%016x' $((kept & 0x$(set_of self CapBnd))))
for set in CapPrm CapEff CapBnd; do
	check "root keeps $kept in $set" [ "$(set_of $pid $set)" = "$kept" ]
done
for set in CapInh CapAmb; do
	check "root keeps nothing in $set" [ "$(set_of $pid $set)" = 0000000000000000 ]
done
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	check "bitcoind has nothing in $set" [ "$(set_of "$node" $set)" = 0000000000000000 ]
done
check "bitcoind can gain nothing" [ "$(set_of "$node" NoNewPrivs)" = 1 ]
check "bitcoind is nobody" [ "$(set_of "$node" Uid | tr -s '\t' ' ')" = "$(id -u nobody) $(id -u nobody) $(id -u nobody) $(id -u nobody)" ]
check "bitcoind is in no group" [ -z "$(set_of "$node" Groups | tr -d ' ')" ]
check "bitcoind has seven environment variables" [ "$(tr '\0' '\n' <"/proc/$node/environ" | sed 's/=.*//' | sort | tr '\n' ' ')" = "GLIBC_TUNABLES HOME LC_ALL MALLOC_ARENA_MAX MALLOC_PERTURB_ PATH TMPDIR " ]
# All its open files are its own: the null device, its datadir, sockets and the like.
check "bitcoind has no file of ours open" sh -c "! ls -l /proc/$node/fd | sed -n 's/.* -> //p' | grep -v -e '^/dev/null$' -e '^$scratch/tmp/tpcheck-node-' -e '^socket:' -e '^pipe:' -e '^anon_inode:' -e '^/dev/urandom$'"
check "and has some" [ "$(ls "/proc/$node/fd" | wc -l)" -ge 3 ]
kill -CONT $pid
# At the start there is none.
has_one_nice() { [ "$(nice_cnt $pid)" = 1 ]; }
await has_one_nice
check "as root, one thread has a higher priority" [ $awaited -lt 1500 ]
wait $pid
check "that run passed" [ $? = 0 ]
pids=
look setpriv --bounding-set=-setpcap "$tpcheck" run --bitcoind="$bitcoind"
check "without CAP_SETPCAP bitcoind's bounding set stays" [ "$(set_of "$node" CapBnd)" != 0000000000000000 ]
check "but bitcoind has nothing" [ "$(set_of "$node" CapEff)" = 0000000000000000 ]
end_look
look setpriv --bounding-set=-sys_nice "$tpcheck" run --bitcoind="$bitcoind"
check "without CAP_SYS_NICE no thread has a higher priority" [ "$(nice_cnt $pid)" = 0 ]
end_look

# Root with one capability less. CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON, so both are removed.
some="utxocache.spent.inputs net.inbound_connection.networks"
# The second needs a network, which only needs a user namespace.
both='2 passed, 0 failed, 0 skipped'
if ! as - unshare --user --net true 2>/dev/null; then
	both='1 passed, 0 failed, 1 skipped'
	skip_part "a network inside a user namespace: ordinary users may make none here"
fi
while IFS='|' read -r less options code text; do
	drop=
	for word in $less; do drop=$drop,-$word; done
	# shellcheck disable=SC2086 # several words
	run "$code" timeout -k 5 300 setpriv "--bounding-set=${drop#,}" "$tpcheck" run --bitcoind="$bitcoind" $options $some
	check "root without $less: $text" says "$text"
done <<END
sys_admin|--attach=multi|0|$both
sys_admin|--attach=perf|77|^    attach: perf: Permission denied; needs CAP_SYS_ADMIN
sys_admin bpf|--attach=perf|77|but not CAP_BPF; .*; --attach=perf also needs CAP_SYS_ADMIN
sys_admin bpf|--attach=tracefs|77|but not CAP_BPF; .*; --attach=tracefs also needs write access to uprobe_events
sys_admin bpf|--attach=multi|77|but not CAP_BPF
sys_admin perfmon|--attach=multi|77|but not CAP_PERFMON
net_admin||0|$both
setuid||0|^bitcoind runs as 'root', like tpcheck, and not as 'nobody': this needs CAP_SETUID$
setgid||0|^bitcoind runs as 'root', like tpcheck, and not as 'nobody': this needs CAP_SETGID$
chown||0|^bitcoind runs as 'root', .*: without CAP_CHOWN it could not be given a datadir$
dac_override||0|^bitcoind runs as 'root', .*: without CAP_DAC_OVERRIDE its datadir could not be used$
sys_ptrace||0|^bitcoind runs as 'root', .*: without CAP_SYS_PTRACE the memory of its process could not be read$
kill||0|^bitcoind runs as 'root', .*: without CAP_KILL it could not be ended$
setuid setgid chown dac_override sys_ptrace kill setpcap sys_admin||0|$both
setuid|--user=nobody|99|as user 'nobody': setresuid: Operation not permitted
setgid|--user=nobody|99|as user 'nobody': setgroups: Operation not permitted
chown|--user=nobody|99|failed to hand over the datadir
dac_override|--user=nobody|99|failed to make a file in '$scratch/tmp/tpcheck-node-
sys_ptrace|--user=nobody|99|failed to open '/proc/[0-9]*/exe': Permission denied; .*--cap-add=SYS_PTRACE
kill|--user=nobody|99|it could not be ended without CAP_KILL
setpcap||0|2 passed
sys_nice||0|2 passed
setuid setgid chown dac_override sys_ptrace kill setpcap|--user=root|0|2 passed
END
# Containers whose profile forbids user namespaces.
while IFS='|' read -r less text; do
	drop=
	for word in $less; do drop=$drop,-$word; done
	# shellcheck disable=SC2086 # several words
	run 0 timeout -k 5 300 setpriv "--bounding-set=${drop#,}" "$refuse" $unshare_number 1 "$tpcheck" run --bitcoind="$bitcoind" $some
	check "no unshare, root without $less" says '1 passed, 0 failed, 1 skipped'
	check "and why" says "the machine allows no network namespace: failed to make a user namespace for it: Operation not permitted: $text"
done <<END
mac_admin|a seccomp filter refuses it
sys_ptrace|a seccomp filter refuses it
END
# doc/ci.md leaves out by name what is skipped there, and nothing else.
sed -n "s/^ *\$(\(tpcheck run --list | grep .*\))'\$/\1/p" "$sources/../doc/ci.md" | sort -u >"$scratch/leave-out"
check "doc/ci.md leaves out the same everywhere" [ "$(grep -c . "$scratch/leave-out")" = 1 ]
PATH=$prefix/bin:$PATH sh "$scratch/leave-out" >"$scratch/kept"
"$tpcheck" run --list | grep -vxFf "$scratch/kept" >"$scratch/left-out"
# shellcheck disable=SC2046
run 0 "$refuse" $unshare_number 1 "$tpcheck" run --bitcoind="$bitcoind" --require $(cat "$scratch/kept")
# shellcheck disable=SC2046
run 77 "$refuse" $unshare_number 1 "$tpcheck" run --bitcoind="$bitcoind" $(cat "$scratch/left-out")
# Containers: docker's default set, and what is added to it.
docker=-all,+chown,+dac_override,+fsetid,+fowner,+mknod,+net_raw,+setgid,+setuid,+setfcap,+setpcap,+net_bind_service
docker=$docker,+sys_chroot,+kill,+audit_write
while IFS='|' read -r added options code text; do
	# shellcheck disable=SC2086
	run "$code" timeout -k 5 300 unshare --pid --fork --mount-proc setpriv "--bounding-set=$docker$added" \
		"$tpcheck" run --bitcoind="$bitcoind" $options $some
	check "root of a container with $added $options: $text" says "$text"
done <<END
|--attach=multi|77|start the container with CAP_BPF and CAP_PERFMON
,+bpf|--attach=multi|77|but not CAP_PERFMON
,+bpf,+perfmon||0|^bitcoind runs as 'root', .*: without CAP_SYS_PTRACE
,+bpf,+perfmon||0|$both
,+bpf,+perfmon|--user=nobody|99|failed to open '/proc/[0-9]*/exe': Permission denied; .*--cap-add=SYS_PTRACE
,+bpf,+perfmon,+sys_ptrace||0|$both
,+bpf,+perfmon|--user=root|0|$both
,+sys_admin,+sys_ptrace||0|$both
||0|^observed by ptrace, because BPF cannot be used here: .*start the container with CAP_BPF and CAP_PERFMON
||0|^bitcoind runs as 'root', .*: without CAP_SYS_PTRACE
||0|$both
,+sys_ptrace||0|$both
,+sys_admin,+net_admin,+sys_ptrace||0|2 passed, 0 failed, 0 skipped
END
if [ "$has_multi" = 1 ]; then
	# shellcheck disable=SC2086
	run 0 setpriv "--bounding-set=$docker,+bpf,+perfmon" "$scratch/as" +bpf,+perfmon "$tpcheck" run --bitcoind="$bitcoind" $some
	check "an ordinary user of a container" says "$both"
	run 0 setpriv "--bounding-set=$docker,+bpf,+perfmon" "$scratch/as" +bpf,+perfmon "$refuse" $unshare_number 1 "$tpcheck" run --bitcoind="$bitcoind" $some
	check "an ordinary user of a container that forbids user namespaces" says '1 passed, 0 failed, 1 skipped'
	check "and why" says 'no network namespace: failed to make a user namespace for it: Operation not permitted: a seccomp filter refuses it'
	look "$scratch/as" +bpf,+perfmon "$tpcheck" run --bitcoind="$bitcoind"
	for set in CapInh CapPrm CapEff CapAmb; do
		check "an ordinary user's bitcoind has nothing in $set" [ "$(set_of "$node" $set)" = 0000000000000000 ]
	done
	check "and can gain nothing" [ "$(set_of "$node" NoNewPrivs)" = 1 ]
	end_look
fi
rm -rf "$scratch/tmp"/tpcheck-??????

# A module and a proxy from the environment.
printf 'openssl_conf = a\n[a]\nproviders = b\n[b]\nhostile = c\n[c]\nmodule = %s\nactivate = 1\n' "$scratch/module/hostile.so" >"$scratch/openssl.cnf"
mkdir -p -m 777 "$scratch/module"
cp "$hostile" "$scratch/module/hostile.so"
if command -v openssl >/dev/null; then
	OPENSSL_CONF=$scratch/openssl.cnf openssl list -providers >/dev/null 2>&1
	check "a program that obeys OPENSSL_CONF loads the module" [ -e "$scratch/module/hostile.so.loaded" ]
	rm -f "$scratch/module/hostile.so.loaded"
else
	echo "not tried: whether OPENSSL_CONF loads a module at all: no openssl"
fi
run 0 env OPENSSL_CONF="$scratch/openssl.cnf" http_proxy=http://127.0.0.1:1 ALL_PROXY=socks5://127.0.0.1:1 \
	"$tpcheck" run --bitcoind="$bitcoind" 'net.inbound_message.*' 'utxocache.spent.*'
check "root loads no module from the environment" [ ! -e "$scratch/module/hostile.so.loaded" ]
check "and uses no proxy" says ' passed, 0 failed, 0 skipped, 0 errors'

# Artifacts belong to the caller of sudo.
LC_ALL=C sed 's/utxocache\x00spent\x00/utxocache\x00spenX\x00/' "$bitcoind" >"$scratch/renamed"
chmod 755 "$scratch/renamed"
run 1 env SUDO_UID=$uid SUDO_GID=$group "$tpcheck" run --bitcoind="$scratch/renamed" utxocache.spent.inputs
kept=$(sed -n 's/^ *kept: //p' "$scratch/out")
check "artifacts belong to the caller and the caller's group" [ -s "$kept/findings.json" -a -z "$(find "${kept%/*}" ! -user $uid -o ! -group $group)" ]
case $kept in
"$scratch/tmp"/tpcheck-*/*) rm -rf "${kept%/*}" ;;
*) check "artifacts are in the right place: $kept" false ;;
esac
check "nothing left behind" left_nothing "$scratch/tmp"
finish

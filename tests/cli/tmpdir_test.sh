#!/bin/sh
# The folder for temporary files: root refuses one in which others could replace what root made. Ordinary users may choose
# any.
# Much of it is about compiling.
compiles_anew=yes
. "$(dirname "$0")/lib.sh"
unset BITCOIND
watch=$2/libwatch_setenv.so
if [ "$(id -u)" != 0 ]; then
	echo "SKIP: not root"
	exit 77
fi
if ! can_trace; then
	skip_part "root cannot trace here: $("$tpcheck" doctor | tail -n 1)"
	finish
fi

# While threads may read the environment, no variable is added to it, which would move all.
for variables in "" "PATH=$PATH" "PATH=$PATH TMPDIR=${TMPDIR:-/tmp}" "BCC_KERNEL_SOURCE=/nonexistent"; do
	# shellcheck disable=SC2086
	run 0 env -i LD_PRELOAD="$watch" $variables "$tpcheck" selftest
	check "with $variables: no variable is added late" quiet
done

# make PATH OWNER:GROUP MODE
make() {
	mkdir -p "$scratch/$1"
	chown "$2" "$scratch/$1"
	chmod "$3" "$scratch/$1"
}
# The folder itself and one above it; MODE and owner of that, and whether it is refused.
while IFS='|' read -r owner mode code; do
	name=$(echo "$owner-$mode" | tr -c 'a-z0-9\n' _)
	make "$name" "$owner" "$mode"
	make "$name/below" 0:0 0700
	make "$name/below/sticky" 0:0 1777
	for tmp in "$scratch/$name" "$scratch/$name/below" "$scratch/$name/below/sticky"; do
		for command in "selftest" "trace --pid=$$" "run"; do
			# shellcheck disable=SC2086
			[ "$code" = 0 ] && [ "$command" != selftest ] || run "$code" env TMPDIR="$tmp" "$tpcheck" $command
		done
		if [ "$code" = 2 ]; then
			check "the folder that others can change is named" complains "failed to use '$tmp' .*change '$scratch/$name' ("
			check "with the remedy" complains 'set TMPDIR to a folder like /tmp, with the sticky bit'
		fi
		check "nothing is left there" sh -c "[ -z \"\$(find '$tmp' -name 'tpcheck*')\" ]"
	done
done <<END2
0:0|0700|0
0:0|0755|0
0:0|1777|0
0:$group|1775|0
0:$group|0775|2
0:0|0757|2
0:0|0777|2
0:0|0730|2
0:0|0702|2
$uid:0|0700|2
$uid:0|1777|2
END2

# A link is followed to where it leads.
make open 0:0 0777
make open/inside 0:0 0700
ln -s open/inside "$scratch/link"
run 2 env TMPDIR="$scratch/link" "$tpcheck" selftest
check "the folder behind a link" complains "failed to use '$scratch/link' .*change '$scratch/open' ("
# What is checked is also what is used, although others could change the link meanwhile.
ln -s ../0_0_1777 "$scratch/open/way_out"
run 0 env TMPDIR="$scratch/open/way_out" "$tpcheck" selftest
if [ -x "$bitcoind" ]; then
	LC_ALL=C sed 's/utxocache\x00spent\x00/utxocache\x00spenX\x00/' "$bitcoind" >"$scratch/renamed"
	chmod 755 "$scratch/renamed"
	run 1 env TMPDIR="$scratch/open/way_out" "$tpcheck" run --bitcoind="$scratch/renamed" utxocache.spent.chain
	check "a name without links" says "kept: $scratch/0_0_1777/tpcheck-"
	# A folder that does not exist is no place for a node, nor for what explains that.
	if can_attach ptrace; then
		run 99 env TMPDIR="$scratch/none" "$tpcheck" run --bitcoind="$bitcoind" --attach=ptrace 'utxocache.spent.*'
		check "no place for a node" says "failed to make a datadir in '$scratch/none': No such file or directory; set TMPDIR"
		check "no place for artifacts" complains "^tpcheck run: failed to make a folder for artifacts in '$scratch/none': No such file or directory; choose another place with --artifacts=DIR\$"
		check "said once" [ "$(wc -l <"$scratch/err")" = 1 ]
	fi
else
	skip_part "artifacts: no bitcoind; set BITCOIND, or put one into PATH"
fi

# Commands that make nothing do not care, nor does whoever is not root.
run 0 env TMPDIR="$scratch/open" "$tpcheck" list
if "$tpcheck" doctor | grep -q '^ok  *attach: multi'; then
	install_for_everybody
	run 0 setpriv --reuid="$uid" --regid="$group" --clear-groups --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon \
		env TMPDIR="$scratch/open" "$tpcheck" selftest
fi
finish

#!/bin/sh
# The command line without a bitcoind: help, lists, wrong usage, the specimen in place of a bitcoind.
. "$(dirname "$0")/lib.sh"
unset BITCOIND
PATH=$scratch/bin:/usr/bin:/bin
export PATH
mkdir "$scratch/bin" "$scratch/dir"
printf '#!/bin/sh\nexit 3\n' >"$scratch/script"
chmod 755 "$scratch/script"
printf 'text\n' >"$scratch/text"

run 0 "$tpcheck" --help
check "the help lists the commands" says '^  doctor'
check "the help lists the exit codes" says '77 nothing could'
run 0 "$tpcheck" --version
check "the version is printed" says '^tpcheck [0-9]'
for command in run abi diff trace list selftest doctor; do
	run 0 "$tpcheck" "$command" --help
	check "$command --help names the command" says "^Usage: tpcheck $command"
done

run 0 "$tpcheck" list tracepoints
check "20 tracepoints" [ "$(grep -c '(since v' "$scratch/out" | tr -d ' ')" -ge 20 ]
check "an argument with type, unit and meaning" says '6. duration  *uint64 .*, ns'
check "where document and code differ" says 'note: .*cost'
run 0 "$tpcheck" list scenarios
check "scenarios with a summary" says '^utxocache.flush.prune  *prune'
run 0 "$tpcheck" list
check "both lists" says 'mempool:replaced'
run 0 "$tpcheck" list tracepoints --release=v24.1
check "11 tracepoints in v24" [ "$(grep -c '^[a-z_]*:.*(since v' "$scratch/out" | tr -d ' ')" = 11 ]
check "the unit of that release" says '6. duration  *uint64 .*, us'
run 0 "$tpcheck" list --release=28
check "an argument of a later release is not listed" [ "$(grep -c is_txid "$scratch/out" | tr -d ' ')" = 0 ]
run 0 "$tpcheck" list history
check "what changed, by release" says '^v26$'
check "breaking changes" says 'breaking  mempool:added argument 2 (vsize)'
run 0 "$tpcheck" run --list 'utxocache.spent.*'
check "only matching scenarios" [ "$(wc -l <"$scratch/out")" = "$(grep -c '^utxocache.spent.' "$scratch/out")" ]

"$tpcheck" list tracepoints >"$scratch/text"
run 0 "$tpcheck" list --format=json
check "JSON: all tracepoints, with all arguments" json '(.tracepoints | length) == 20 and .release == "master" and
	([.tracepoints[].arguments[]] | length) == '"$(grep -c '^    [0-9]*\. ' "$scratch/text")"' and (.tracepoints | all(.tracepoint == .context + ":" + .name and (.when | length) > 5))' "$scratch/out"
check "JSON: types, units, values and notes" json 'any(.tracepoints[]; .name == "flush" and (.arguments[1].values | index("FORCE_SYNC")))' "$scratch/out"
check "JSON: where document and code differ" json 'any(.tracepoints[].arguments[]; .note != null and .type == "uint64" and .passed_type == "int64")' "$scratch/out"
check "JSON: the length of bytes" json 'any(.tracepoints[]; .tracepoint == "net:inbound_message" and .arguments[5].length_argument == 5)' "$scratch/out"
check "JSON: since when there are any" json 'any(.tracepoints[]; .tracepoint == "net:inbound_message" and .since == "v23") and
	any(.tracepoints[]; .tracepoint == "net:closed_connection" and .since == "v29")' "$scratch/out"
check "JSON: scenarios" json '(.scenarios | length) > 100 and (.scenarios | all(.subject as $it | .tracepoints | index($it) != null))' "$scratch/out"
check "JSON: history" json 'any(.history[]; .release == "v29" and .argument_name == "is_txid" and .kind == "argument added") and
	any(.history[]; .breaking and .tracepoint == "mempool:added" and .argument == 2 and (.message | length) > 10)' "$scratch/out"
"$tpcheck" list scenarios | sed 's/ .*//' >"$scratch/names"
check "JSON: the same scenarios as in text" sh -c "jq -r '.scenarios[].name' '$scratch/out' | cmp - '$scratch/names'"
run 0 "$tpcheck" list --format=json --release=24
check "JSON: another release" json '.release == "v24" and (.tracepoints | length) == 11 and (has("scenarios") | not)' "$scratch/out"

# Habits from other programs.
for habit in -h help; do
	run 0 "$tpcheck" $habit
	check "tpcheck $habit" says '^Commands:$'
done
for command in run abi trace; do
	run 0 "$tpcheck" $command -h
	check "$command -h" says "^Usage: tpcheck $command"
	run 0 "$tpcheck" help $command
	check "help $command" says "^Usage: tpcheck $command"
done
run 2 "$tpcheck" run "$scratch/none/bitcoind"
check "run PATH" complains "failed to use bitcoind '$scratch/none/bitcoind'"
: >"$scratch/dir/bitcoind"
run 2 sh -c 'cd "$1" && exec "$0" run bitcoind' "$(readlink -f "$tpcheck")" "$scratch/dir"
check "run FILE" complains "no scenario matches 'bitcoind'; did you mean --bitcoind=./bitcoind?"
run 77 "$tpcheck" doctor "$scratch/none/bitcoind"
check "doctor PATH" says "^FAIL  bitcoind  *node: failed to use bitcoind '$scratch/none/bitcoind'"
run 2 "$tpcheck" trace 4711
check "trace PID" complains "'4711' is no tracepoint; did you mean --pid=4711?"
run 2 "$tpcheck" trace ./bitcoind
check "trace PATH" complains "'./bitcoind' is no tracepoint; did you mean --bitcoind=./bitcoind, or --pid-file=./bitcoind?"
run 2 "$tpcheck" trace --pid-file=a --pid-file=b
check "two PID files" complains 'only one --pid-file can be given'
for arguments in '--pid=1 --name=x' '--name=x --cgroup=y' '--pid-file=a --name=x' '--cgroup=x --bitcoind=y'; do
	run 2 "$tpcheck" trace $arguments
	check "trace $arguments" complains 'exclude one another'
done
for list in '1 x' '1,,0' '1;2' '1 -2'; do
	run 2 "$tpcheck" trace --pid="$list"
	check "trace --pid='$list'" complains 'pid=[^ ]* is not a whole number'
done
for list in '' ' ' ,; do
	run 2 "$tpcheck" trace --pid="$list"
	check "a pidof that found nothing" complains 'pid has no PID; is a bitcoind running?'
done
run 2 "$tpcheck" trace --pid="$(seq -s ' ' 1 65)"
check "too many" complains 'more than 64 processes cannot be traced at once'
run 2 "$tpcheck" trace --name=/usr/bin/bitcoind
check "a path for a name" complains 'name=/usr/bin/bitcoind is not the name of a program'
run 2 "$tpcheck" trace -p x
check "trace -p" complains 'pid=x is not a whole number'
run 2 "$tpcheck" list --release=34
run 0 "$tpcheck" list --release=v32.99.0

# Wrong usage: code 2, and one message that names the mistake.
run 2 "$tpcheck"
check "no command" complains 'no command given'
run 2 "$tpcheck" -x
check "an unknown option" complains "^tpcheck: invalid option -- 'x'$"
run 2 "$tpcheck" --unknown
check "an unknown long option" complains "^tpcheck: unrecognized option '--unknown'$"
run 2 "$tpcheck" jump
check "unknown command" complains "there is no command 'jump'"
run 2 "$tpcheck" ./bitcoind
check "a file in place of a command" complains "to check that file: 'tpcheck run --bitcoind=./bitcoind'"
run 2 "$tpcheck" run --attach=glue
check "unknown choice" complains 'attach=glue is none of auto, multi, perf'
run 2 "$tpcheck" run --format=xml
check "unknown format" complains 'format=xml'
run 2 "$tpcheck" run --timeout=0
check "number too small" complains 'timeout=0 is not a whole number from 1'
run 2 "$tpcheck" run --timeout=1x
check "no number" complains 'timeout=1x'
run 2 "$tpcheck" run --details=maybe
check "unknown details" complains 'details=maybe'
for command in run 'trace --bitcoind=x'; do
	for variable in NAME '' =VALUE =; do
		run 2 "$tpcheck" $command --env="$variable"
		check "$command: no variable: '$variable'" complains "env=$variable is not of the form NAME=VALUE"
		check "$command: one line" one_line_complaint
	done
	run 2 "$tpcheck" $command --env=A=1 --env=HOME=/tmp
	check "$command: HOME" complains 'env cannot set HOME'
	for variable in ASAN UBSAN HWASAN; do
		run 2 "$tpcheck" $command --env=${variable}_OPTIONS=halt_on_error=1:log_path=/tmp/x
		check "$command: reports that go elsewhere" complains 'log_path would hide'
	done
	run 2 "$tpcheck" $command --env
	check "$command: no value at all" complains 'requires an argument'
done
run 2 "$tpcheck" trace --pid=1 --env=A=1
check "a variable for a process that runs already" complains 'env needs --bitcoind'
for variable in A= HOMER=x XHOME=x A=B=C ASAN_OPTIONS=log_path=stderr SAN=log_path=x; do
	run 0 "$tpcheck" run --list --env=$variable
done
run 2 "$tpcheck" run 'nothing.*'
check "a pattern without a match" complains "no scenario matches 'nothing"
run 2 "$tpcheck" run --artifacts=
check "an empty folder name" complains 'artifacts needs'
run 2 "$tpcheck" abi
check "no file" complains 'abi needs a file'
run 2 "$tpcheck" abi one two
check "an extra file" complains "extra argument 'two'"
run 2 "$tpcheck" abi --release=22 "$tpcheck"
check "a release without tracepoints" complains 'release=22'
run 2 "$tpcheck" abi --format=xml "$tpcheck"
check "unknown format" complains 'format=xml is none of text, json'
run 2 "$tpcheck" diff one
check "one file" complains 'diff needs two files, or --release and one file'
run 2 "$tpcheck" diff --release=28 one two
check "a release and two files" complains 'diff needs two files, or --release and one file'
run 2 "$tpcheck" diff one two three
check "three files" complains "extra argument 'three'"
run 2 "$tpcheck" list cakes
check "an unknown list" complains "cannot list 'cakes'"
run 2 "$tpcheck" list --release=22
check "a release without tracepoints" complains 'release=22 is not a release with tracepoints'
run 2 "$tpcheck" list scenarios --release=25
check "--release with scenarios" complains 'release applies to tracepoints'
run 2 "$tpcheck" selftest too much
check "an extra argument" complains "extra argument 'too'"
run 2 "$tpcheck" run --bitcoind="$scratch/none"
check "a bitcoind that does not exist" complains "$scratch/none"
check "one message" one_line_complaint
run 2 "$tpcheck" run --bitcoind="$scratch/dir"
check "a bitcoind that is a folder" complains "$scratch/dir"
run 2 "$tpcheck" run --bitcoind="$scratch/text"
check "a bitcoind that cannot be executed" complains "$scratch/text"
mkfifo "$scratch/fifo"
run 2 timeout 20 "$tpcheck" run --bitcoind="$scratch/fifo"
check "a bitcoind that is a FIFO" complains "failed to use bitcoind '$scratch/fifo': it is not a regular file; give the path of the program\$"
run 2 env BITCOIND="$scratch/none" "$tpcheck" run
check "a BITCOIND that does not exist" complains "$scratch/none"
run 99 "$tpcheck" run --bitcoind="$scratch/script" 'validation.*'
check "a bitcoind that is a script" says 'ELF'
run 99 "$tpcheck" run --bitcoind="$scratch/script" --format=json 'validation.*'
check "JSON of that is valid" json '.summary.errors > 0 and .scenarios[0].outcome == "error"' "$scratch/out"

# Without a bitcoind: the specimen runs, and the result is not a pass.
run 77 "$tpcheck" doctor
check "doctor finds no bitcoind" says '^FAIL  bitcoind'
mkdir "$scratch/tmp"
if can_trace; then
	run 77 env TMPDIR="$scratch/tmp" "$tpcheck" run
	check "it says that no bitcoind is checked" says 'No bitcoind is checked'
	check "and why" says 'set BITCOIND'
	check "the specimen passes" says 'PASS  selftest.beyond'
	check "nothing on stderr" quiet
	run 77 "$tpcheck" run 'utxocache.add.*'
	check "the chosen scenarios are skipped" says 'SKIP  utxocache.add.outputs'
	run 99 "$tpcheck" run --require
	run 77 "$tpcheck" run --format=json
	check "JSON without a node" json '.node == null and .summary.passed > 0' "$scratch/out"
	check "nothing left behind" left_nothing "$scratch/tmp"
	for method in multi perf ptrace; do
		if can_attach $method; then
			check "selftest with $method" says '5 passed, 0 failed, 0 skipped, 0 errors'
		else
			skip_part "--attach=$method: $(sed -n 's/^    //p' "$scratch/out")"
		fi
	done
	run 99 sh -c "'$tpcheck' selftest >/dev/full"
	check "a report that cannot be written" complains 'failed to write'
	run 2 "$tpcheck" run --output="$scratch/none/report"
	check "an output that cannot be opened" complains "$scratch/none/report"
	run 99 sh -c "ulimit -f 0; '$tpcheck' run --output='$scratch/small'"
	# clang in libbcc has to work with a small stack, as on some CI systems.
	run 0 sh -c "ulimit -s 512; '$tpcheck' selftest"
else
	skip_part "the parts that trace: $("$tpcheck" doctor | tail -n 1)"
fi

# An ordinary user without capabilities: BPF is skipped, with what would help; ptrace is used.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	install_for_everybody
	user="setpriv --reuid=$uid --regid=$group --clear-groups"
	run 77 $user "$tpcheck" selftest --attach=multi
	check "the reason names capabilities" says 'CAP_BPF and CAP_PERFMON'
	for command in run doctor; do
		run 2 $user "$tpcheck" $command --user=$group
		check "$command: another user needs root" complains "^tpcheck $command: --user=$group is for root; user $uid can run bitcoind only as itself, which it does without --user$"
	done
	if can $user "$tpcheck" selftest --attach=ptrace; then
		run 0 $user "$tpcheck" selftest
		check "why not by BPF" says '^observed by ptrace, because BPF cannot be used here: .*CAP_BPF and CAP_PERFMON'
		run 77 $user "$tpcheck" doctor
		check "doctor reports the same" says '^Method: ptrace, because BPF cannot be used: .*CAP_BPF and CAP_PERFMON'
		check "and that nothing more is needed" says '^Needed: nothing more'
	else
		run 77 $user "$tpcheck" doctor
		check "doctor reports the same" says 'tpcheck cannot run here. .*CAP_BPF and CAP_PERFMON'
	fi
	two="setpriv --reuid=$uid --regid=$group --clear-groups --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon"
	if $two "$tpcheck" doctor | grep -q '^ok  *attach: multi'; then
		run 0 $two "$tpcheck" selftest
		check "two capabilities are enough for selftest" says '5 passed, 0 failed'
		run 77 $two "$tpcheck" selftest --attach=perf
		check "but not for perf events" says 'attach: perf'
	else
		echo "SKIP: only two capabilities: this kernel has no uprobe_multi link"
	fi
fi
finish

#!/bin/sh
# Reports from the command line: several at once, wrong usage, terminals, failures and interrupts. Parts that need a real
# bitcoind are skipped without one.
. "$(dirname "$0")/lib.sh"
schema=$(cd "$(dirname "$0")/../report" && pwd)/junit.xsd
copy_bitcoind
unset BITCOIND NO_COLOR
PATH=$scratch/bin:/usr/bin:/bin
export PATH
mkdir "$scratch/bin"
mkdir -m 1777 "$scratch/tmp"
TMPDIR=$scratch/tmp
export TMPDIR
for command in prove xmllint jq script; do
	command -v $command >/dev/null || {
		echo "SKIP: no $command; apt-get install perl libxml2-utils jq bsdutils"
		exit 77
	}
done

# xml XPATH FILE: its value must be true.
xml() { [ "$(xmllint --xpath "boolean($1)" "$2" 2>&1)" = true ]; }
valid_xml() { xmllint --noout --schema "$schema" "$1" 2>/dev/null; }
holds() { grep -q -e "$1" "$2"; }
lacks() { ! grep -q -e "$1" "$2"; }

# Wrong usage: code 2 before anything runs, one message, and no file created or changed.
run 2 "$tpcheck" run --report
for report in tap tap= =file; do
	run 2 "$tpcheck" run --report="$report"
	check "--report=$report is named" complains "report="
done
run 2 "$tpcheck" run --report=tap
check "with the right form" complains 'use FORMAT=FILE, such as junit=report.xml'
run 2 "$tpcheck" run --report=xml=file
check "the formats are listed" complains 'report=xml is none of text, json, tap, tap13, junit, github, html'
for two in "--report tap=- --report json=-" "--format=text --report tap=-" "--format=json --report text=-"; do
	# shellcheck disable=SC2086
	run 2 "$tpcheck" run $two
	check "$two: both to standard output" complains 'to standard output: each needs its own'
	check "one message" one_line_complaint
	check "and no output" [ ! -s "$scratch/out" ]
done
echo precious >"$scratch/old"
run 2 "$tpcheck" run --report json="$scratch/old" --report tap="$scratch/new" --report junit="$scratch/nowhere/new"
check "the file that cannot be opened is named" complains "failed to open '$scratch/nowhere/new' for the junit report: No such file"
run 2 "$tpcheck" run --report json="$scratch/old" --report tap="$scratch/old"
check "one file for two" complains "(json and tap) to $scratch/old"
run 2 "$tpcheck" run --report json="$scratch/old" --bitcoind="$scratch/nowhere/bitcoind"
run 2 "$tpcheck" run --report json="$scratch/old" 'no.such.*'
run 2 "$tpcheck" selftest --report json="$scratch/old" --report tap="$scratch"
check "a folder" complains "failed to open '$scratch' for the tap report: Is a directory"
run 2 sh -c "'$tpcheck' selftest --report json='$scratch/old' >>'$scratch/old'"
check "the file that standard output is" complains "(text and json) to $scratch/old"
check "the old report is unchanged" [ "$(cat "$scratch/old")" = precious ]
check "no new report is left" [ ! -e "$scratch/new" ]

# Closed standard descriptors: what is opened does not take their place.
closed() {
	case $1 in
	0) shift && "$@" <&- ;;
	1) shift && "$@" >&- ;;
	2) shift && "$@" 2>&- ;;
	012) shift && "$@" <&- >&- 2>&- ;;
	esac
}
specimen=$(cd "$(dirname "$0")/../specimens/foreign" && pwd)/x86-64-gcc
for descriptors in 0 1 2 012; do
	run 0 closed $descriptors "$tpcheck" abi --format=json "$specimen"
	run 99 closed $descriptors "$tpcheck" abi "$scratch/nowhere"
done

if can_trace; then
	for descriptors in 0 1 2 012; do
		rm -f "$scratch/closed.json"
		run 0 closed $descriptors "$tpcheck" selftest --report json="$scratch/closed.json"
		check "closed $descriptors: the report is whole" json '.summary.passed == 5 and .summary.failed == 0' "$scratch/closed.json"
	done

	# All formats at once. Without a bitcoind nothing is checked, and every report shows that.
	run 77 "$tpcheck" run --report json="$scratch/all.json" --report tap13="$scratch/all.tap13" --report tap="$scratch/all.tap" \
		--report junit="$scratch/all.xml" --report github="$scratch/all.log" --report text="$scratch/all.txt"
	scenarios=$("$tpcheck" run --list | wc -l)
	check "and text on standard output" says '^PASS  selftest.burst'
	check "no line for each skip in the text" lacks '^SKIP' "$scratch/out"
	check "but their count" says "^5 passed, 0 failed, $scenarios skipped, 0 errors"
	check "JSON has all skips" json "([.scenarios[] | select(.outcome == \"skip\")] | length) == $scenarios" "$scratch/all.json"
	check "XML has all skips" xml "//testsuite[@skipped = $scenarios][@tests = $scenarios + 5]" "$scratch/all.xml"
	check "XML is valid" valid_xml "$scratch/all.xml"
	run 0 prove -e cat "$scratch/all.tap13"
	check "TAP has all skips" says "skipped: .*$((scenarios + 5))\|less $scenarios skipped\|Tests=$((scenarios + 5)),"
	check "each with its reason" [ "$(grep -c '^ok .* # SKIP node: failed to find bitcoind' "$scratch/all.tap")" = "$scenarios" ]
	check "GitHub gets one warning" [ "$(grep -c '^::warning title=.* scenarios%3A skipped::node: failed to find' "$scratch/all.log")" = 1 ]
	check "and no error" lacks '^::error' "$scratch/all.log"
	run 99 "$tpcheck" run --require --format=tap13 --output="$scratch/required.tap13"
	run 1 prove -e cat "$scratch/required.tap13"
	check "with --require they are failures" holds "^not ok [0-9]* - utxocache.add.outputs$" "$scratch/required.tap13"
	run 99 "$tpcheck" run --require --format=github
	check "and errors" says '^::error title=.* scenarios%3A skipped::'
	check "the text cannot contain commands" says '^::stop-commands::[0-9a-f]\{32\}$'

	# What goes to standard output.
	run 77 "$tpcheck" run --report json=-
	check "a report that is sent there" json '.node == null' "$scratch/out"
	run 77 "$tpcheck" run --format=junit --output="$scratch/out.xml"
	check "text, if another format goes to a file" says '^PASS  selftest'
	check "which is complete" valid_xml "$scratch/out.xml"
	run 77 "$tpcheck" run --format=json --output="$scratch/out.json" --report tap=-
	check "only one report" says '^TAP version 14$'
	run 77 "$tpcheck" run --output="$scratch/out.txt"
	check "nothing, if the text goes to a file" [ ! -s "$scratch/out" ]
	run 0 "$tpcheck" selftest --format=tap13 --report junit="$scratch/self.xml"
	cp "$scratch/out" "$scratch/self.tap13"
	run 0 prove -e cat "$scratch/self.tap13"
	check "selftest reports, too" valid_xml "$scratch/self.xml"

	# A report that cannot be written is an error.
	for format in text json tap junit github html; do
		run 99 "$tpcheck" selftest --report $format=/dev/full --report json="$scratch/full.json"
		check "$format: the file and the reason" complains "failed to write the $format report to '/dev/full': No space left"
		check "$format: the other report is complete" json '.summary.passed == 5' "$scratch/full.json"
	done
	run 99 sh -c "'$tpcheck' selftest --format=junit >/dev/full"

	# Terminals. script provides one, and logs what is written to it.
	on_terminal() { script -qec "$1" "$scratch/log" >/dev/null </dev/null; }
	# It compiles, and is held up for half a second, because it may be too fast for the time to change.
	: >"$scratch/log"
	TERM=xterm script -qefc "stty cols 80; echo \$\$ >'$scratch/pid'; exec '$tpcheck' selftest --no-cache" "$scratch/log" >/dev/null </dev/null &
	tries=0
	until holds compiling "$scratch/log" || [ $tries = 1000 ]; do
		tries=$((tries + 1))
		sleep 0.01
	done
	kill -STOP "$(cat "$scratch/pid")"
	sleep 0.5
	# script stops with what it runs.
	kill -CONT "$(cat "$scratch/pid")" $!
	wait $!
	check "green on a terminal" holds "$(printf '\033\\[32mPASS \033\\[0m selftest.burst')" "$scratch/log"
	check "a line with number, name and time" holds "\[3/5\] selftest.greatest \.\.\. [0-9.]* s$(printf '\r\033')" "$scratch/log"
	check "the time is updated" holds 'compiling and attaching \.\.\. [0-9.]*[1-9] s' "$scratch/log"
	check "the line is erased before the next" sh -c "! tr '\r' '\n' <'$scratch/log' | grep -q ' s.*PASS'"
	TERM=xterm on_terminal "stty cols 24; '$tpcheck' selftest"
	check "the line is cut to the width" holds "\[3/5\] selftest.gr [0-9.]* s$(printf '\r\033')" "$scratch/log"
	TERM=xterm NO_COLOR=1 on_terminal "'$tpcheck' selftest"
	check "NO_COLOR: no colours" lacks "$(printf '\033\\[[0-9]')" "$scratch/log"
	check "NO_COLOR: but the line" holds '\[3/5\] selftest' "$scratch/log"
	TERM=xterm NO_COLOR='' on_terminal "'$tpcheck' selftest"
	check "an empty NO_COLOR has no effect" holds "$(printf '\033\\[32mPASS')" "$scratch/log"
	for term in TERM=dumb TERM= '-u TERM'; do
		on_terminal "env $term '$tpcheck' selftest"
		check "$term: text" holds 'PASS  selftest.burst' "$scratch/log"
		check "$term: and nothing else" lacks "$(printf '\033')" "$scratch/log"
	done
	TERM=xterm on_terminal "'$tpcheck' selftest --format=github"
	check "github: no escape sequences" lacks "$(printf '\033')" "$scratch/log"
	TERM=xterm on_terminal "'$tpcheck' selftest | cat"
	check "a pipe: no escape sequences" lacks "$(printf '\033')" "$scratch/log"
	TERM=xterm on_terminal "'$tpcheck' selftest --output='$scratch/out.txt'"
	check "a file: no escape sequences" lacks "$(printf '\033')" "$scratch/out.txt"
else
	skip_part "the parts that trace: $("$tpcheck" doctor | tail -n 1)"
fi

if can_check_bitcoind; then
	reports() {
		"$@" --report json="$scratch/run.json" --report tap13="$scratch/run.tap13" --report junit="$scratch/run.xml" \
			--report github="$scratch/run.log"
	}
	run 0 reports "$tpcheck" run --bitcoind="$bitcoind" 'utxocache.spent.*'
	run 0 prove -e cat "$scratch/run.tap13"
	check "XML of a pass" valid_xml "$scratch/run.xml"
	check "XML has what was checked" xml "//property[@name='bitcoind'][@value='$bitcoind'] and //property[@name='version'] and
		//testcase[@classname='utxocache.spent'][@name='chain'][not(*)]" "$scratch/run.xml"
	check "no annotations" lacks '^::\(error\|warning\)' "$scratch/run.log"

	# A failure, in each format.
	LC_ALL=C sed 's/utxocache\x00spent\x00/utxocache\x00spenX\x00/' "$bitcoind" >"$scratch/renamed"
	chmod 755 "$scratch/renamed"
	run 1 reports "$tpcheck" run --bitcoind="$scratch/renamed" --artifacts="$scratch/kept" 'utxocache.spent.*' utxocache.add.outputs
	failed=$(jq .summary.failed "$scratch/run.json")
	check "some fail" [ "$failed" -gt 1 ]
	run 1 prove -e cat "$scratch/run.tap13"
	check "prove counts them" says "Failed $failed/"
	check "TAP's message, folder and command" sh -c "grep -q '^  message: \"utxocache:spent is not in the binary' '$scratch/run.tap13' &&
		grep -q '^  artifacts: \"$scratch/kept/utxocache.spent' '$scratch/run.tap13' &&
		grep -q '^  repeat: \"$tpcheck run --bitcoind=' '$scratch/run.tap13'"
	check "XML of failures" valid_xml "$scratch/run.xml"
	check "with the message and where to look" xml "count(//failure[@type='contract'][starts-with(@message, 'utxocache:spent is not')]) = $failed and
		//testcase/system-out[contains(., '$scratch/kept/utxocache.spent')]" "$scratch/run.xml"
	check "one annotation for all failures" [ "$(grep -c '^::error title=utxocache%3Aspent::utxocache:spent is not in the binary' "$scratch/run.log")" = 1 ]
	check "and no other" [ "$(grep -c '^::\(error\|warning\)' "$scratch/run.log")" = 1 ]
	check "the log also has the text" holds '^FAIL  utxocache.spent.chain' "$scratch/run.log"

	# Interrupted at any time, all reports are complete.
	for delay in 0 0.5 1.0; do
		rm -f "$scratch"/run.*
		reports "$tpcheck" run --bitcoind="$bitcoind" >"$scratch/out" 2>"$scratch/err" &
		pid=$!
		# By the time the files exist, signals are caught.
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			[ -e "$scratch/run.log" ] && break
			sleep 0.1
		done
		sleep $delay
		kill -INT "$(pgrep -P $pid | head -n 1)"
		wait $pid
		code=$?
		check "interrupted after $delay s: exit code $code" [ $code = 99 ]
		check "JSON has interrupted" json '.summary.interrupted' "$scratch/run.json"
		check "XML is valid" valid_xml "$scratch/run.xml"
		check "and has interrupted" xml "//property[@name='interrupted'][@value='true']" "$scratch/run.xml"
		check "TAP has its plan" [ "$(grep -Ec '^(not )?ok [0-9]' "$scratch/run.tap13")" = "$(sed -n '2s/1..//p' "$scratch/run.tap13")" ]
		run 255 prove -e cat "$scratch/run.tap13"
		check "prove reports it" complains 'Further testing stopped: interrupted'
		check "GitHub gets an error" holds '^::error title=.*no verdict::interrupted' "$scratch/run.log"
		check "nothing left behind" left_nothing "$scratch/tmp"
	done
	TERM=xterm on_terminal "timeout --foreground -s INT 0.8 '$tpcheck' run --bitcoind='$bitcoind'"
	check "an interrupt on a terminal leaves no line behind" sh -c "tail -n 3 '$scratch/log' | grep -q '^[0-9]* passed.* errors in '"
else
	skip_part "verdicts and interrupts: no bitcoind that can be checked here; set BITCOIND, or put one into PATH"
fi
finish

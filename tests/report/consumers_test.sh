#!/bin/sh
# Each format is read by a real consumer: TAP by prove, XML by libxml2 with a schema, YAML by libyaml, JSON by jq, and
# GitHub's commands as by its runner. The sample's reports have texts that try to break them.
#
#	consumers_test.sh <tpcheck> <sample>
. "$(dirname "$0")/../cli/lib.sh"
sample=$2
here=$(cd "$(dirname "$0")" && pwd)
for command in prove xmllint jq perl; do
	command -v $command >/dev/null || {
		echo "SKIP: no $command; apt-get install perl libxml2-utils jq"
		exit 77
	}
done
perl -MYAML::XS -MJSON::PP -e 1 2>/dev/null || {
	echo "SKIP: perl has no YAML::XS; apt-get install libyaml-libyaml-perl"
	exit 77
}

for flags in "" "--require" "--interrupted" "--require --interrupted"; do
	at=$scratch/sample$(echo "$flags" | tr -d ' ')
	# shellcheck disable=SC2086
	run 0 "$sample" $flags json="$at.json" tap="$at.tap" tap13="$at.tap13" junit="$at.xml" github="$at.log" text="$at.txt"
	check "jq reads JSON$flags" jq -e '.scenarios | length > 70' "$at.json" >/dev/null
	reports="tap13:tap13 github:log"
	# xmllint is started for each value: two of the four are enough.
	case $flags in
	"" | "--require --interrupted") reports="$reports junit:xml" ;;
	esac
	for report in $reports; do
		# shellcheck disable=SC2086
		run 0 perl "$here/consume.pl" "${report%:*}" "$at.json" "$at.${report#*:}" $flags
		check "$report $flags compared something" says 'compared, 0 wrong'
		tail -n 1 "$scratch/out"
	done
	run 0 xmllint --noout --schema "$here/junit.xsd" "$at.xml"
	# TAP 14 says so, and is otherwise the same.
	check "TAP 14" [ "$(head -n 1 "$at.tap")" = "TAP version 14" ]
	tail -n +2 "$at.tap" >"$scratch/tap"
	check "but for its version" sh -c "tail -n +2 '$at.tap13' | cmp - '$scratch/tap'"
	case $flags in
	*--interrupted) run 255 prove -e cat "$at.tap13" ;;
	*) run 1 prove -e cat "$at.tap13" ;;
	esac
	check "no terminal, no control characters of ours" sh -c "! grep -q '\[K' '$at.txt' '$at.log'"
	# What the runner does not take for a command is the text that people get.
	sed '1d; /^::[0-9a-f]\{32\}::$/,$d' "$at.log" >"$scratch/log"
	check "the log has the text" cmp "$scratch/log" "$at.txt"
done
check "prove counts the same" sh -c "prove -e cat '$scratch/sample.tap13' | grep -q 'Failed 50/88'"
check "prove bails out" sh -c "prove -e cat '$scratch/sample--interrupted.tap13' 2>&1 | grep -q 'Bailout called.*interrupted'"
# The schema finds mistakes.
sed 's/<failure message/<failure massage/' "$scratch/sample.xml" >"$scratch/wrong.xml"
run 3 xmllint --noout --schema "$here/junit.xsd" "$scratch/wrong.xml"
# So does a prove that knows TAP 14.
if perl -MTAP::Parser -e 'exit($TAP::Parser::VERSION < 3.48)'; then
	check "prove takes TAP 14" sh -c "prove -e cat '$scratch/sample.tap' | grep -q 'Failed 50/88'"
fi

# Reports of a machine that works.
if "$tpcheck" selftest --report tap13="$scratch/good.tap13" --report junit="$scratch/good.xml" --report json="$scratch/good.json" >/dev/null 2>&1; then
	run 0 prove -e cat "$scratch/good.tap13"
	check "5 tests" says '^Files=1, Tests=5,'
	run 0 xmllint --noout --schema "$here/junit.xsd" "$scratch/good.xml"
	run 0 perl "$here/consume.pl" tap13 "$scratch/good.json" "$scratch/good.tap13"
else
	echo "SKIP: a good report of a real run: $("$tpcheck" doctor | tail -n 1)"
fi
finish

#!/bin/sh
# Checks that every scenario that is defined is listed in scenarios.def: what is not listed does not run. (What is listed
# but not defined does not link, and what is listed twice is found by unit.scenario_registry_test.)
#
#	registry_test.sh <library of the scenarios> <scenarios.def>
set -u
library=${1:?usage: registry_test.sh <library> <scenarios.def>}
list=${2:?usage: registry_test.sh <library> <scenarios.def>}

# unlisted LIST: the scenarios in the library that LIST has no line for.
unlisted() {
	nm --defined-only "$library" | sed -n 's/^[0-9a-f]* [A-Za-z] \(sc_.*\)$/\1/p' | sort -u | while read -r name; do
		grep -q "^SCENARIO($name)" "$1" || echo "$name"
	done
}

shorter=$(mktemp) || exit 99
trap 'rm -f "$shorter"' EXIT
trap 'exit 99' HUP INT TERM

# The check can fail: without the last line, its scenario is found.
last=$(sed -n 's/^SCENARIO(\(.*\))/\1/p' "$list" | tail -n 1)
grep -v "^SCENARIO($last)" "$list" >"$shorter"
found=$(unlisted "$shorter")
if [ "$found" != "$last" ]; then
	echo "without '$last' in the list, want that name, got '$found'"
	exit 1
fi
found=$(unlisted "$list")
if [ -n "$found" ]; then
	echo "not in $list: $found"
	exit 1
fi

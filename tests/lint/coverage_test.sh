#!/bin/sh
# Checks that doc/coverage.md names only scenarios that exist, and has a row for each tracepoint.
#
#	coverage_test.sh <doc/coverage.md> <scenarios.def> <tracepoints.def>
set -u
doc=${1:?usage: coverage_test.sh <document> <scenarios.def> <tracepoints.def>}
list=${2:?usage: coverage_test.sh <document> <scenarios.def> <tracepoints.def>}
rows=${3:?usage: coverage_test.sh <document> <scenarios.def> <tracepoints.def>}

# unknown LIST: the scenarios that the document names and LIST lacks.
unknown() {
	grep -o '`[a-z_]*\.[a-z_]*\.[a-z_0-9]*`' "$doc" | tr -d '`' | sort -u | while read -r name; do
		grep -q "^SCENARIO(sc_$(echo "$name" | tr . _))" "$1" || echo "$name"
	done
}

# The check can fail.
[ -n "$(unknown /dev/null)" ] || { echo "no scenario is found in $doc"; exit 1; }
found=$(unknown "$list")
[ -z "$found" ] || { echo "$doc names what is not in $list: $found"; exit 1; }

cnt=0
for tracepoint in $(sed -n 's/^TRACEPOINT([A-Z_0-9]*, *\([a-z_]*\), *\([a-z_]*\).*/\1:\2/p' "$rows"); do
	cnt=$((cnt + 1))
	grep -q "^| \`$tracepoint\` |" "$doc" || { echo "$doc has no row for $tracepoint"; exit 1; }
done
[ "$cnt" -ge 20 ] || { echo "found $cnt tracepoints in $rows, want 20 or more"; exit 1; }

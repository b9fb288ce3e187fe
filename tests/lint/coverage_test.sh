#!/bin/sh
# Checks doc/coverage.md: each tracepoint has its table, each of its rows names scenarios or says why there are none,
# these scenarios exist, and no scenario is missing.
#
#	coverage_test.sh <doc/coverage.md> <scenarios.def> <tracepoints.def>
set -u
doc=${1:?usage: coverage_test.sh <document> <scenarios.def> <tracepoints.def>}
list=${2:?usage: coverage_test.sh <document> <scenarios.def> <tracepoints.def>}
rows=${3:?usage: coverage_test.sh <document> <scenarios.def> <tracepoints.def>}

# check DOCUMENT LIST ROWS: prints what is wrong with the document.
check() {
	awk -v list="$2" -v rows="$3" '
	function complain(what) { print FILENAME ":" FNR ": " what }
	# The table of the tracepoint before ends here.
	function finish() { if (tracepoint != "" && !conditions) complain("the table before has no conditions") }
	BEGIN {
		while ((getline line < list) > 0)
			if (match(line, /^SCENARIO\(sc_[a-z0-9_]+\)/))
				exists[substr(line, 13, RLENGTH - 13)] = 1
		while ((getline line < rows) > 0)
			if (match(line, /^TRACEPOINT\([A-Z0-9_]+, *[a-z_]+, *[a-z_]+,/)) {
				split(line, part, /, */)
				wanted[part[2] ":" part[3]] = 1
			}
	}
	/^## / {
		finish()
		tracepoint = $0
		gsub(/^## `|`$/, "", tracepoint)
		conditions = 0
		if (!(tracepoint in wanted)) complain(tracepoint " is no tracepoint")
		if (tracepoint in tables) complain(tracepoint " has two tables")
		tables[tracepoint] = 1
	}
	/^\|/ && !/^\| condition \| covered by \|$/ && !/^\|---\|---\|$/ {
		conditions++
		cells = split($0, cell, " \\| ")
		if (cells != 2) complain("want two cells, got " cells)
		by = cell[2]
		sub(/ *\|$/, "", by)
		if (by ~ /^not covered: ..../) next
		if (by !~ /^`[a-z0-9_.]+`(, `[a-z0-9_.]+`)*$/)
			complain("neither scenarios nor \"not covered: reason\": " by)
		cnt = split(by, name, /[`, ]+/)
		for (i = 1; i <= cnt; i++) {
			if (name[i] == "") continue
			id = name[i]
			gsub(/\./, "_", id)
			if (!(id in exists)) complain("there is no scenario " name[i])
			named[id] = 1
		}
	}
	END {
		finish()
		for (t in wanted) if (!(t in tables)) complain(t " has no table")
		for (id in exists) if (!(id in named)) complain("no row names the scenario sc_" id)
		if (length(exists) < 100 || length(wanted) < 20)
			complain("found " length(exists) " scenarios and " length(wanted) " tracepoints")
	}' "$1"
}

# wrong WHAT SED-SCRIPT: the check notices it in a copy of the document.
wrong() {
	sed "$2" "$doc" >"$copy" || exit 1
	check "$copy" "$list" "$rows" | grep -q "$1" || { echo "not noticed: $1 ($2)"; exit 1; }
}

copy=$(mktemp) || exit 1
trap 'rm -f "$copy"' EXIT
wrong "no table" '/^## `mempool:added`$/d'
wrong "is no tracepoint" 's/^## `mempool:added`$/## `mempool:addded`/'
wrong "there is no scenario utxocache.add.outputsx" 's/`utxocache.add.outputs`/`utxocache.add.outputsx`/'
wrong "no row names the scenario sc_utxocache_spent_chain" 's/`utxocache.spent.chain`/`utxocache.spent.inputs`/'
wrong "neither scenarios nor" 's/not covered: a race/a race/'
wrong "neither scenarios nor" 's/not covered: a race/not covered/'
wrong "neither scenarios nor" 's/`utxocache.spent.chain`/&, and others/'
wrong "want two cells" 's/^| a coin of the disconnected block |/& yes |/'
wrong "has no conditions" '/^## `mempool:rejected`$/,$ { /^|/d }'

found=$(check "$doc" "$list" "$rows")
[ -z "$found" ] || { echo "$found"; exit 1; }

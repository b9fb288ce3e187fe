#!/bin/sh
# --help, the man page and the completions agree on commands, options and what they take. The commands are taken from
# 'tpcheck --help', so a new one without a section in the man page fails here.
#
#	interface_test.sh <tpcheck> <root of the source tree>
. "$(dirname "$0")/../cli/lib.sh"
source=$2
page=$source/doc/tpcheck.1
here=$(cd "$(dirname "$0")" && pwd)
unset ARGP_HELP_FMT
skipped=
# A name that needs no quotes in the shells.
ln -s "$tpcheck" "$scratch/tpcheck"
tpcheck=$scratch/tpcheck

# offered_by_bash LINE, offered_by_zsh LINE: the candidates at the end of the line, sorted, one per line. LINE is what
# follows the program's name.
offered_by_bash() {
	(
		cd "$scratch/folder" &&
			timeout 60 bash --norc "$here/complete.bash" "$source/completions/tpcheck.bash" "$tpcheck $1"
	) | sort -u
}
offered_by_zsh() {
	(
		cd "$scratch/folder" &&
			timeout 60 zsh -f "$here/complete.zsh" "$source/completions" "$scratch/offered" "$tpcheck $1" &&
			sed 's/^\(.*\.\)\*$/\1\\*/' "$scratch/offered"
	) | sort -u
}

# options COMMAND: as in the help: "--name" or "--name=TAKES", or "--name=TAKES -n".
options() {
	"$tpcheck" "$1" --help | sed -n 's/^  *\(-., \)\{0,1\}\(--[a-z][^ ]*\).*/\2 \1/p' | sed 's/, *$//; s/ *$//' |
		grep -Ev -e '^--(help|usage|version)' | sort
}

# in_page COMMAND: the same from the man page's source.
in_page() {
	awk -v command="$1" '
		/^\.S[hs] / { here = $1 == ".Ss" && $2 == command }
		here && /^\.It Fl / {
			sub(/^\.It /, "")
			gsub(/ Ns /, "")
			gsub(/(Ar|Cm) /, "")
			sub(/ ?, Fl /, " -")
			sub(/^Fl /, "-")
			if ($2 ~ /^-[a-z]$/)
				$0 = $1 " " $2
			print
		}' "$page" | sort
}

# same WHAT WANT GOT
same() {
	printf '%s\n' "$2" >"$scratch/want"
	printf '%s\n' "$3" >"$scratch/got"
	diff -u "$scratch/want" "$scratch/got" >"$scratch/out"
	check "$1" [ ! -s "$scratch/out" ]
}

# arguments COMMAND: what follows the options in the first usage of the help, such as "[PATTERN...]".
arguments() { "$tpcheck" "$1" --help | sed -n '1s/.*\[OPTION\.\.\.\] *//p'; }

# arguments_in_page COMMAND: the same from the man page's synopsis.
arguments_in_page() {
	awk -v command="$1" '
		/^\.Sh / { is_synopsis = $2 == "SYNOPSIS" }
		/^\.Nm/ { here = 0 }
		here && $0 != ".Op Ar OPTION ..." { print }
		is_synopsis && /^\.Cm / { here = $2 == command }' "$page" |
		sed 's/ \.\.\./.../g; s/ | /|/g; s/Fl -/--/; s/^\.Op \(.*\)/[\1]/; s/^\.//; s/\(Ar\|Cm\) //g' | paste -sd ' '
}

# codes COMMAND: the exit codes that the help names.
codes() {
	"$tpcheck" "$1" --help | tr '\n' ' ' | sed -n 's/.*Exit codes: //p' | sed 's/([^)]*)//g' |
		grep -o '\(^\|, *\)[0-9][0-9]*' | tr -dc '0-9\n'
}

# codes_in_page COMMAND: the same from the man page.
codes_in_page() {
	awk -v command="$1" '
		/^\.Sh / { is_status = $2 == "EXIT" }
		is_status && /^\.Cm / { here += $2 == command; next }
		/^Of$/ { here = 0 }
		is_status && here && !/^\.(Ar|Fl|Pp|Bl|El)/' "$page" |
		tr '\n' ' ' | sed 's/([^)]*)//g' | grep -o '\(^\|\.It \|, *\)[0-9][0-9]*' | tr -dc '0-9\n'
}

commands=$("$tpcheck" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
check "the help lists commands" [ "$(echo "$commands" | wc -l)" -ge 6 ]
same "a section of the man page for each command, in order" "$commands" \
	"$(awk '/^\.Sh / { here = $2 == "COMMANDS" } here && /^\.Ss / { print $2 }' "$page")"
same "a line of the synopsis for each command, in order" "$commands" \
	"$(awk '/^\.Sh / { here = $2 == "SYNOPSIS" } here && /^\.Cm / { print $2 }' "$page")"
for command in $commands; do
	same "man page: options of $command" "$(options "$command")" "$(in_page "$command")"
	same "man page: arguments of $command" "$(arguments "$command")" "$(arguments_in_page "$command")"
	same "man page: exit codes of $command" "$(codes "$command")" "$(codes_in_page "$command")"
	check "2 is wrong usage of $command" sh -c "'$tpcheck' $command --no-such-option >'$scratch/out' 2>&1; [ \$? = 2 ]"
	check "the exit code 2 of $command is in the help" [ -n "$(codes "$command" | grep -x 2)" ]
done
for variable in $(grep -rho 'getenv("[A-Z_]*")' "$source/src" | sed 's/.*"\(.*\)".*/\1/' | sort -u); do
	check "man page: the environment variable $variable" grep -Eq "^\.It Ev (.* , )?$variable( |\$)" "$page"
done
for code in 0 1 2 77 99; do
	check "man page: the exit code $code" grep -q "^\.It $code\$" "$page"
done
if command -v mandoc >/dev/null; then
	# Not every machine has the pages that this one refers to.
	mandoc -T lint "$page" 2>&1 | grep -Ev 'referenced manual not found|outdated mandoc.db' >"$scratch/out"
	check "mandoc does not complain" [ ! -s "$scratch/out" ]
else
	skipped="$skipped mandoc"
fi

# What an option takes: choices, something that can be completed, or something that only the user knows.
mkdir "$scratch/folder" "$scratch/folder/sub"
: >"$scratch/folder/some-file"
names=$("$tpcheck" list scenarios | sed 's/ .*//')
patterns=$(printf '%s\n' "$names" | sed 's/\..*/.\\*/'; printf '%s\n' "$names" | sed 's/\.[^.]*$/.\\*/')
tracepoints=$("$tpcheck" list tracepoints | sed -n 's/^\([a-z_]*:[a-z_]*\) .*/\1/p')
releases=$("$tpcheck" list history | sed -n 's/^v\([0-9]*\)$/\1/p; s/^master$/&/p')
sorted() { printf '%s\n' "$@" | sort -u; }

# try SHELL: everything in one shell.
try() {
	offered=offered_by_$1
	same "$1: commands" "$(sorted $commands)" "$($offered '')"
	for command in $commands; do
		all=$(options "$command" | sed 's/ .*//')
		# zsh adds the = when it inserts the option.
		same "$1: options of $command" "$(sorted $(echo "$all" | sed 's/=.*//') --help --usage --version)" \
			"$($offered "$command --" | sed 's/=$//' | sort)"
		for option in $all; do
			case $option in
			*=*\|*) want=$(echo "${option#*=}" | tr '|' '\n' | sort) ;;
			*=FORMAT=FILE) want=$(echo "$all" | sed -n 's/^--format=//p' | tr '|' '\n' | sort) ;;
			*=PATH | *=FILE) want=$(sorted some-file sub) ;;
			*=DIR) want=sub ;;
			*=RELEASE) want=$(sorted $releases) ;;
			*=NAME) want=root ;;
			*=NAME=VALUE) want=$(sorted ASAN_OPTIONS LD_LIBRARY_PATH LSAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS) ;;
			*=PID) want=1 ;;
			*=SECONDS | *=SEED | *=N | *=COUNT | *=BYTES | *=ARGUMENTS | *=KIB | *=ADDRESS | *=CONDITION | *=PROGRAM | *=GROUP) want= ;;
			*=*)
				check "$1: what $command takes for $option is known" false
				continue
				;;
			*) continue ;;
			esac
			got=$($offered "$command ${option%%=*}=" | sed 's/[=/]$//' | sort)
			# There are more users and processes than we know.
			case $option in *=NAME | *=PID) got=$(echo "$got" | grep -x "$want") ;; esac
			same "$1: $command $option" "$want" "$got"
		done
	done
	same "$1: the start of a value" multi "$($offered 'run --attach=m')"
	same "$1: an option's value as a separate word" "$(sorted $releases)" "$($offered 'diff -r ')"
	same "$1: scenario names, and patterns" "$(sorted $names $patterns)" "$($offered 'run --require ')"
	same "$1: the start of a name" "$(sorted $names $patterns | grep '^utxocache\.s')" "$($offered 'run utxocache.s')"
	same "$1: files" "$(sorted some-file sub)" "$($offered 'diff old ' | sed 's/\/$//')"
	same "$1: a bitcoind for doctor" "$(sorted some-file sub)" "$($offered 'doctor ' | sed 's/\/$//')"
	same "$1: what can be listed" "$(sorted tracepoints scenarios history)" "$($offered 'list ')"
	case " $commands " in
	*trace*)
		same "$1: tracepoints" "$(sorted $tracepoints)" "$($offered 'trace ')"
		same "$1: the start of a tracepoint" "$(sorted $tracepoints | grep '^net:in')" "$($offered 'trace net:in')"
		;;
	esac
}
if command -v bash >/dev/null && [ -r /usr/share/bash-completion/bash_completion ]; then
	try bash
	if command -v script >/dev/null; then
		# A real shell, and the tab key.
		printf '. %s\nPATH=%s:$PATH\n' /usr/share/bash-completion/bash_completion "${tpcheck%/*}" >"$scratch/rc"
		printf '. "%s"\n' "$source/completions/tpcheck.bash" >>"$scratch/rc"
		printf 'tpcheck list his\t\nexit\n' |
			timeout 60 script -qec "bash --rcfile '$scratch/rc' -i" /dev/null >"$scratch/out" 2>&1
		check "bash: a tab completes, and the command runs" says '^v26'
	fi
else
	skipped="$skipped bash-completion"
fi
if command -v zsh >/dev/null; then
	try zsh
else
	skipped="$skipped zsh"
fi
[ -z "$skipped" ] || echo "SKIP: not installed:$skipped"
[ "$failures" = 0 ] && [ -n "$skipped" ] && { echo "$checks checks, 0 failed"; exit 77; }
finish

# Completion for bash, by bash-completion 2.                               -*- shell-script -*-
#
# Everything offered comes from the tpcheck on the command line: commands, options and arguments from --help, scenarios
# and tracepoints from 'list'. The help also shows what an option takes: words separated by | are choices; FILE, DIR and
# the like are handled below.

# _tpcheck_query ARGUMENT...: tpcheck's output in its default layout.
_tpcheck_query() {
	(
		unset -v ARGP_HELP_FMT
		LC_ALL=C "$tpcheck" "$@" 2>/dev/null </dev/null
	)
}

# _tpcheck_takes COMMAND OPTION: what follows the option's = in the help; the option may be short.
_tpcheck_takes() {
	[[ $2 =~ ^-[-a-zA-Z]+$ ]] && _tpcheck_query "$1" --help |
		sed -n "s/^  *\(-., \)\{0,1\}$2=\([^ ]*\).*/\2/p; s/^  *$2, --[-a-z]*=\([^ ]*\).*/\1/p"
}

# _tpcheck_offer: offers those input lines that begin with what was typed.
_tpcheck_offer() {
	local line
	while read -r line; do
		[[ $line == "$cur"* ]] && COMPREPLY+=("$line")
	done
}

# _tpcheck_files [-d]: offers files, or folders only. In Ubuntu 24.04 _filedir has none for an empty word.
_tpcheck_files() {
	_filedir "$@"
	if [[ -z $cur && ${#COMPREPLY[@]} == 0 ]]; then
		mapfile -t COMPREPLY < <(compgen "${1:--f}")
		compopt -o filenames 2>/dev/null
	fi
}

# _tpcheck_value WHAT COMMAND: offers values for a WHAT in a help text.
_tpcheck_value() {
	case $1 in
		*\|*) _tpcheck_offer < <(tr '|' '\n' <<<"$1") ;;
		PATH | FILE) _tpcheck_files ;;
		DIR) _tpcheck_files -d ;;
		NAME) COMPREPLY+=($(compgen -u -- "$cur")) ;;
		NAME=VALUE)
			_tpcheck_offer < <(printf '%s=\n' {A,L,T,UB}SAN_OPTIONS LD_LIBRARY_PATH)
			compopt -o nospace
			;;
		PID) _tpcheck_offer < <(ls /proc | grep '^[0-9]') ;;
		RELEASE) _tpcheck_offer < <(_tpcheck_query list history | sed -n 's/^v\([0-9]*\)$/\1/p; s/^master$/&/p') ;;
		PATTERN...)
			# All names, and patterns for all of a context and all of a tracepoint.
			_tpcheck_offer < <(_tpcheck_query list scenarios | awk '{
				split($1, part, ".")
				print $1 "\n" part[1] ".\\*\n" part[1] "." part[2] ".\\*"
			}' | sort -u)
			;;
		TRACEPOINT...)
			_tpcheck_offer < <(_tpcheck_query list tracepoints | sed -n 's/^\([a-z_]*:[a-z_]*\) .*/\1/p')
			;;
		FORMAT=FILE)
			if [[ $cur == *=* ]]; then
				cur=${cur#*=}
				_tpcheck_files
			else
				_tpcheck_offer < <(_tpcheck_takes "$2" --format | tr '|' '\n' | sed 's/$/=/')
				compopt -o nospace
			fi
			;;
	esac
}

_tpcheck() {
	local cur prev words cword split tpcheck=${1/#\~/$HOME} command= i what
	_init_completion -s -n : || return
	type -P -- "$tpcheck" >/dev/null || tpcheck=tpcheck

	for ((i = 1; i < cword; i++)); do
		if [[ ${words[i]} == -- ]]; then
			# The rest is not for tpcheck.
			_tpcheck_files
			return
		elif [[ ${words[i]} != -* && -z $command ]]; then
			command=${words[i]}
		fi
	done

	what=$(_tpcheck_takes "$command" "$prev")
	if [[ $what || $split == true ]]; then
		_tpcheck_value "$what" "$command"
	elif [[ $cur == -* ]]; then
		_tpcheck_offer < <(_tpcheck_query $command --help | sed -n 's/^  *\(-., \)\{0,1\}\(--[a-z][-a-z]*=\{0,1\}\).*/\2/p')
		[[ ${COMPREPLY-} == *= ]] && compopt -o nospace
	elif [[ -z $command ]]; then
		_tpcheck_offer < <(_tpcheck_query --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	else
		# The arguments in the usage, which ends at the description of the command.
		while read -r what; do
			_tpcheck_value "$what" "$command"
		done < <(_tpcheck_query "$command" --help |
			sed '/^[A-Z][a-z]* [a-z]/,$d; s/^.*\[OPTION\.\.\.\]//; s/[][]//g' | tr ' ' '\n' |
			sed 's/^\(BINARY\|OLD\|NEW\)$/FILE/' | sort -u)
	fi
	__ltrim_colon_completions "$cur"
} &&
	complete -F _tpcheck tpcheck

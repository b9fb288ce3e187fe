# Prints what bash would offer at the end of a line, one a line.
#
#	bash --norc complete.bash <completion> <line>
. /usr/share/bash-completion/bash_completion
. "$1" || exit 1
compopt() { :; } # works inside readline alone
COMP_LINE=$2
COMP_POINT=${#COMP_LINE}
# Readline makes = and : words of their own.
read -ra COMP_WORDS <<<"$(sed 's/[=:]/ & /g' <<<"$COMP_LINE")"
[[ $COMP_LINE == *[\ =:] ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_tpcheck "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
# What stands before a colon is on the line already.
before=
[[ ${COMP_LINE##* } == *:* ]] && before=${COMP_LINE##* } && before=${before%:*}:
for word in "${COMPREPLY[@]}"; do
	printf '%s%s\n' "$before" "$word"
done

# Prints what bash would offer at the end of a command line, one candidate per line.
#
#	bash --norc complete.bash <completion> <line>
. /usr/share/bash-completion/bash_completion
. "$1" || exit 1
compopt() { :; } # works only inside readline
COMP_LINE=$2
COMP_POINT=${#COMP_LINE}
# Readline treats = and : as separate words.
read -ra COMP_WORDS <<<"$(sed 's/[=:]/ & /g' <<<"$COMP_LINE")"
[[ $COMP_LINE == *[\ =:] ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_tpcheck "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
# What precedes a colon is already on the line.
before=
[[ ${COMP_LINE##* } == *:* ]] && before=${COMP_LINE##* } && before=${before%:*}:
for word in "${COMPREPLY[@]}"; do
	printf '%s%s\n' "$before" "$word"
done

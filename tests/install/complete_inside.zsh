# Sourced by the shell that complete.zsh starts: whatever is offered is also written to $FILE.
PROMPT= RPROMPT=
fpath=($FOLDER $fpath)
autoload -Uz compinit
compinit -u -d $FILE.dump
compadd() {
	local -a offered
	builtin compadd -O offered "$@" 2>/dev/null
	(( $#offered )) && print -rl -- $offered >>$FILE
	builtin compadd "$@"
}
list_and_end() {
	zle list-choices
	print END >>$FILE
}
zle -N list_and_end
bindkey '^T' list_and_end
print READY >>$FILE

# Sourced by the shell that complete.zsh asks: whatever is offered is also written to $FILE.
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
tell() {
	zle list-choices
	print END >>$FILE
}
zle -N tell
bindkey '^T' tell
print READY >>$FILE

# Writes to a file what an interactive zsh, on its own terminal, offers at the end of a command line.
#
#	zsh -f complete.zsh <folder of _tpcheck> <file> <line>
zmodload zsh/zpty || exit 1
export FOLDER=$1 FILE=$2
: >$FILE
zpty shell zsh -f -i
zpty -w shell "source ${(q)0:h}/complete_inside.zsh"
# The shell's terminal output has to be read, or the shell blocks.
until grep -q '^READY$' $FILE; do zpty -r -t shell _; done
: >$FILE
zpty -w -n shell "$3"$'\C-T'
until grep -q '^END$' $FILE; do zpty -r -t shell _; done
zpty -d shell
sed -i '/^END$/d' $FILE

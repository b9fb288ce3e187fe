# Writes to a file what an interactive zsh, on a terminal of its own, offers at the end of a line.
#
#	zsh -f complete.zsh <folder of _tpcheck> <file> <line>
zmodload zsh/zpty || exit 1
export FOLDER=$1 FILE=$2
: >$FILE
zpty shell zsh -f -i
zpty -w shell "source ${(q)0:h}/complete_inside.zsh"
# What the shell writes to its terminal has to be read, or it stops.
until grep -q '^READY$' $FILE; do zpty -r -t shell _; done
: >$FILE
zpty -w -n shell "$3"$'\C-T'
until grep -q '^END$' $FILE; do zpty -r -t shell _; done
zpty -d shell
sed -i '/^END$/d' $FILE

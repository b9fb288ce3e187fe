#!/bin/sh
# Compiled programs that root keeps: used when they are what would be compiled, and never in another case. A file that was
# used stays; one that was compiled anew replaces it and is another file.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || { echo "SKIP: only root keeps compiled programs"; exit 77; }
[ -d /var/cache ] && [ -z "$(ls -A /var/cache)" ] || { echo "SKIP: /var/cache is not the test's own"; exit 77; }
cache=/var/cache/tpcheck
install_for_everybody
cp /etc/ld.so.cache "$scratch/ld.so.cache"
method=multi
"$tpcheck" selftest --attach=$method >"$scratch/out" 2>&1 || {
	rm -rf $cache
	method=perf
	"$tpcheck" selftest --attach=$method >"$scratch/out" 2>&1
} || {
	echo "SKIP: no BPF here: $(head -n 1 "$scratch/out")"
	exit 77
}

selftest() { run 0 "$tpcheck" selftest --attach=$method "$@"; }
# Which file it is, and what is in it; the time of its last use is no part of it.
file() { stat -c '%n %i %a %U %s' $cache/* && cksum $cache/*; }
is_used() { check "$1" [ "$(file)" = "$before" ]; }
is_replaced() { check "$1" [ "$(file)" != "$before" ]; }
# Another file was added to those.
is_added() { check "$1" [ "$(ls $cache | wc -l)" = $(($(echo "$before" | wc -l) / 2 + 1)) ]; }
check "nobody else has access to the folder" [ "$(stat -c '%a %U' $cache)" = "700 root" ]
check "there is one file" [ "$(ls $cache | wc -l)" = 1 ]
check "nobody else has access to the file" [ "$(stat -c '%a %U' $cache/*)" = "600 root" ]

before=$(file)
touch -d @1000000000 $cache/*
selftest
is_used "the programs are compiled once"
check "what is used is not old" [ "$(stat -c %Y $cache/*)" != 1000000000 ]
selftest --no-cache
is_used "with --no-cache nothing is kept"
# That they are not used either shows without libbcc.
chmod 0 "$(dirname "$full")/tpcheck-bcc.so"
mv "$(dirname "$full")/tpcheck-bcc.so" "$scratch/bcc.so"
run 77 "$tpcheck" selftest --attach=$method --no-cache
check "libbcc is missing" grep -q tpcheck-bcc.so "$scratch/out" "$scratch/err"
# Nor are they used if what made them is not there.
run 77 "$tpcheck" selftest --attach=$method
mv "$scratch/bcc.so" "$(dirname "$full")/tpcheck-bcc.so"
chmod 755 "$(dirname "$full")/tpcheck-bcc.so"

selftest
is_added "another tpcheck-bcc.so compiles anew"
before=$(file)
selftest
is_used "and its programs are kept"
touch "$full"
selftest
is_added "another tpcheck compiles anew"
before=$(file)
run 0 env LD_LIBRARY_PATH="$scratch" "$tpcheck" selftest --attach=$method
is_used "with other libraries nothing is used or kept"
mount --bind "$scratch/ld.so.cache" /etc/ld.so.cache
selftest
umount /etc/ld.so.cache
is_added "where the loader may find other libraries, they are compiled anew"
before=$(file)
run 0 setarch "$(uname -m)" --uname-2.6 "$tpcheck" selftest --attach=$method
is_added "another kernel's programs are another file"
before=$(file)
if [ $method = multi ] && "$tpcheck" selftest --attach=perf >"$scratch/out" 2>&1; then
	is_added "another text is another file"
fi
rm -r $cache
"$tpcheck" selftest --headers=system >"$scratch/out" 2>&1
check "with --headers=system nothing is kept" [ ! -e $cache ]

# Damage
selftest
printf x | dd of="$(echo $cache/*)" bs=1 seek=5000 conv=notrunc 2>/dev/null
before=$(file)
selftest
is_replaced "a file with another byte is not used"
before=$(file)
truncate -s -1 $cache/*
before=$(file)
selftest
is_replaced "a file that is cut is not used"
before=$(file)
chmod 620 $cache/*
selftest
is_replaced "a file that others can write to is not used"
before=$(file)
chown nobody $cache/*
selftest
is_replaced "a file that belongs to others is not used"
before=$(file)
chmod 1777 $cache
selftest
is_used "nothing is kept in a folder that others can write to"
chmod 700 $cache

# forge PERL: changes the value, which is in $_, and sets the checksum right.
forge() {
	perl -e '
		use integer;
		local $/;
		my ($path, $change) = @ARGV;
		open my $in, "<:raw", $path or die; my $data = <$in>; close $in;
		my ($magic, $sum, $key_len, $value_len) = unpack "a8 q q q", $data;
		my $key = substr $data, 32, $key_len;
		local $_ = substr $data, 32 + $key_len;
		eval $change; die $@ if $@;
		my $rest = pack("q q", $key_len, length) . $key . $_;
		my $hash = -3750763034362895579;
		$hash = ($hash ^ $_) * 1099511628211 for unpack "C*", $rest;
		open my $out, ">:raw", $path or die; print $out $magic, pack("q", $hash), $rest; close $out or die;
	' "$(echo $cache/*)" "$1"
}
forge ''
before=$(file)
selftest
is_used "a file that was written with the right checksum"
# The last instruction, which ends the program, becomes none.
forge 'substr($_, -8) = "\0" x 8'
before=$(file)
selftest
is_replaced "programs that the kernel refuses are compiled anew"
forge 'substr($_, -9, 1, "")'
before=$(file)
selftest
is_replaced "a value that is no object is not used"

# No place
umount /var/cache
mount -t tmpfs -o mode=755,ro tmpfs /var/cache
selftest
check "a read-only /var/cache is no obstacle" quiet
umount /var/cache
mount -t tmpfs -o mode=755,size=8k tmpfs /var/cache
selftest
check "nor is a full one" quiet
check "and nothing is left there" [ -z "$(ls $cache)" ]

finish

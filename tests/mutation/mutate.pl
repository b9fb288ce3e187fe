#!/usr/bin/perl
# Tests the tests: breaks one place of the sources at a time and reports the breakages that no test notices.
#
#	mutate.pl [OPTION...] [FILE...]        as root, with $BITCOIND; FILEs relative to the root of the source tree
#
#	--sample=N      how many places to break (default 30), drawn at random from FILEs (default: src and probes)
#	--seed=N        for the draw (default: the time; it is printed)
#	--seconds=N     start no mutant after that time
#	--jobs=N        how many mutants to try at a time (default 1)
#	--work=DIR      where the copy is built (default: a new folder in TMPDIR, removed at the end); reused if it is there
#	--log=FILE      append one line for each mutant, as tab-separated values: outcome, place, mutation, old line, new
#	                line, what killed it. Mutants that are in the file already count, and are not tried again
#	--replay=FILE   instead of drawing, try the survivors of such a log again
#	--line=FILE:N   instead of drawing, try each mutation of that line
#	--quick         only unit tests, which takes seconds for a mutant; replay the survivors without it
#	--without=REGEX tests not to use, because they take long
#	--sanitize      build with -DSANITIZE=ON: notices leaks and reads out of bounds, slower
#	--list          only list the places
#
# A mutant is one line with one of these changes: a condition negated, a statement dropped, a bound moved by one, a
# comparison or a logical operator replaced, a constant changed, a return value replaced. It is made in a copy of the
# sources, which are not touched. One that does not compile, or that the optimizing compiler translates to what was there
# before, is no mutant and does not count.
#
# First every test runs once without any mutation, and reached.c notes which lines it runs; this takes some minutes, and is
# kept in --work (unit tests are repeated when something has changed). A mutant is then tried by the tests that run its
# line, the unit tests of the file's own folder first, then the other ones, then the rest, each by how long it takes, until
# one fails, or is skipped that is not skipped otherwise: then it is killed. A test that is no unit test counts only if it
# passes with the mutant switched off, as a busy machine may fail it (for a mutant that is not built in: if it fails again).
# One that does not end in 3 times its usual time may just be slow: if no other test fails, or two do not end, the outcome
# is "timeout", and somebody has to look at it. Lines of the probes, which the kernel's side compiles, are tried by the
# tests that trace something.
#
# To build once instead of once for each mutant, all that can be are built into the same programs, as "MUTANT(7) ? (a <= b)
# : (a < b)"; reached.c reads from a file which one counts. The others are built one by one. With --jobs each further job
# works in a copy of --work that is mounted in its place.
#
# A mutant may do anything that one line of tpcheck can do as root. Therefore tests run in PID and mount namespaces where
# the file system is read-only except for the copy and /tmp, with a limit of memory. The kernel ends what they leave.
#
# Exit code: 0 if every mutant was killed, 1 if any survived, 2 wrong usage, 99 if the tests fail without any mutation.
use strict;
use warnings;
use Cwd qw(abs_path);
use Digest::MD5 qw(md5_hex);
use File::Basename;
use File::Path qw(make_path remove_tree);
use File::Spec;
use File::Temp qw(tempdir);
use Getopt::Long;
use JSON::PP qw(decode_json);
use POSIX qw(:sys_wait_h setpgid);
use Time::HiRes qw(time);

my $root = abs_path(dirname(__FILE__) . '/../..');
my ($sample, $seed, $seconds, $work, $log, $replay) = (30, time() & 0xffffff, 0);
my ($jobs, $quick, $sanitize, $list, $only_line, $without) = (1);
GetOptions('sample=i' => \$sample, 'seed=i' => \$seed, 'seconds=i' => \$seconds, 'jobs=i' => \$jobs,
	'work=s' => \$work, 'log=s' => \$log,
	'replay=s' => \$replay, 'line=s' => \$only_line, 'quick' => \$quick, 'without=s' => \$without, 'sanitize' => \$sanitize, 'list' => \$list)
	or exit 2;
$_ && ($_ = File::Spec->rel2abs($_)) for $work, $log, $replay;
$> == 0 || $list or print("mutate.pl: run it as root\n"), exit 2;
chdir $root or die "mutate.pl: $root: $!\n";
my @files = @ARGV ? @ARGV : split /\n/, `git ls-files 'src/*.c' 'src/*.cc' 'probes/*.bpf.c'`;
my $began = time;

# Tests that say nothing about what the code does, that need more than this machine, or that are as random as this.
my $no_tests = '^(lint|fuzz|cmake|install|cli.vm|harness.kill)';
# Which run the probes, whose lines cannot be followed.
my $tracing = '^(selftest|scenarios|harness(\.stream)?|node.trace|cli.trace)$';

# Code without comments and with the contents of literals replaced, of the same length, line by line.
sub code_lines {
	my ($text) = @_;
	$text =~ s{(/\*.*?\*/|//[^\n]*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')}{
		my ($comment, $literal) = ($1, $2);
		if (defined $comment) { (my $blank = $comment) =~ s/[^\n]/ /g; $blank }
		else { my $quote = substr($literal, 0, 1); $quote . '_' x (length($literal) - 2) . $quote }
	}gse;
	return split /\n/, $text, -1;
}

# [position, length, replacement, what] for each way to break a line of code.
sub mutations_of {
	my ($code, $line) = @_;
	my @found;
	return () if $code =~ /^\s*#|^\s*(extern|static const|struct|enum|union|typedef|_Static_assert)\b/;
	while ($code =~ /\b(if|while) \((.*)\)( \{)?$/g) {
		push @found, [$-[2], length $2, '!(' . substr($line, $-[2], length $2) . ')', 'condition negated'];
	}
	while ($code =~ /(?<![<>=!&|+\-*\/%])( )(<=|>=|<|>)( )/g) {
		my %other = ('<' => '<=', '<=' => '<', '>' => '>=', '>=' => '>');
		push @found, [$-[2], length $2, $other{$2}, 'bound moved'];
	}
	while ($code =~ / (==|!=) /g) {
		push @found, [$-[1], 2, $1 eq '==' ? '!=' : '==', 'comparison replaced'];
	}
	while ($code =~ / (&&|\|\|) /g) {
		push @found, [$-[1], 2, $1 eq '&&' ? '||' : '&&', 'operator replaced'];
	}
	while ($code =~ / ([+-]) (?=[\w(])/g) {
		push @found, [$-[1], 1, $1 eq '+' ? '-' : '+', 'operator replaced'];
	}
	while ($code =~ /((?<![\w)\]] )(?<![\w)\]])-)?(?<![\w.'"])(\d+)(?![\w.'"])/g) {
		# More room than needed makes no difference.
		next if substr($code, 0, $-[0]) =~ /^\s+(?:const |static |struct )*\w+ [^=(]*\[$|\b(?:x?calloc|buf_init)\([^()]*$/;
		# The same as a moved bound.
		next if substr($code, 0, $-[0]) =~ / [<>]=? $/;
		# -1 is an error, or the order of two; -2 would be the same.
		push @found, [$-[0], $+[0] - $-[0], $1 ? '0' : $2 + 1, 'constant changed'];
	}
	while ($code =~ /\b(true|false)\b/g) {
		push @found, [$-[1], length $1, $1 eq 'true' ? 'false' : 'true', 'constant changed'];
	}
	if ($code =~ /^\s*return (.+);$/ && $1 ne '0') {
		push @found, [$-[1], length $1, '0', 'return value replaced'];
	} elsif ($code =~ /^\s*return (0);$/) {
		push @found, [$-[1], 1, '-5', 'return value replaced'];
	}
	if ($code =~ /^\s+((?:[\w>.\-\[\]*()]+ (?:[|&+\-]?=) .+|[a-z]\w*\(.*\)|(?:continue|break)|[\w>.\-\[\]]+(?:\+\+|--));)$/
		&& $code !~ /^\s+(?:return|struct|const|char|int|bool|size_t|u?int\d+_t|unsigned|FILE|pid_t)\b/) {
		push @found, [$-[1], length $1, ';', 'statement dropped'];
	}
	my %new;
	return grep { my $changed = $line; substr($changed, $_->[0], $_->[1]) = $_->[2]; !$new{$changed}++ } @found;
}

sub is_balanced {
	my ($code) = @_;
	my $depth = 0;
	for my $char ($code =~ /[()\[\]{}]/g) {
		$depth += $char =~ /[(\[{]/ ? 1 : -1;
		return 0 if $depth < 0;
	}
	return $depth == 0;
}

# The line with a part of it replaced: "MUTANT(number) ? (changed) : (part)".
sub choose {
	my ($line, $mutation, $number, $from, $to) = @_;
	my ($at, $len, $new) = @$mutation;
	return undef if $at < $from || $at + $len > $to;
	my $part = substr($line, $from, $to - $from);
	my $changed = $part;
	substr($changed, $at - $from, $len) = $new;
	substr($line, $from, $to - $from) = "MUTANT($number) ? ($changed) : ($part)";
	return $line;
}

# The line with the mutation and without it, to be chosen when the program starts; undef if that is not possible.
sub embed {
	my ($place, $number) = @_;
	my ($line, $code, $before, $mutation) = @$place{qw(old code before mutation)};
	my ($at, $len, $new, $what) = @$mutation;
	return undef if $place->{file} =~ /^probes|specimen_fire/;
	if ($code =~ /^\s*(?:\} )?(?:else )?(?:if|while) \((.*)\)( \{)?$/ && is_balanced($1)) {
		return choose($line, $mutation, $number, $-[1], $+[1]);
	}
	if ($code =~ /^(\s*)return (.*);$/ && is_balanced($2)) {
		my $changed = $line;
		substr($changed, $at, $len) = $new;
		return "$1if (MUTANT($number)) " . tidy($changed) . ' else ' . tidy($line);
	}
	if ($code =~ /^\s*for \((.*); (.*); (.*)\)(?: \{)?$/) {
		my @parts = ([$-[1], $+[1], $1], [$-[2], $+[2], $2], [$-[3], $+[3], $3]);
		@{$parts[0]}[0, 2] = ($parts[0][0] + length $1, $2) if $parts[0][2] =~ /^((?:\w+ )+\*?\w+ = )(.*)$/;
		for my $part (@parts) {
			my $embedded = is_balanced($part->[2]) && choose($line, $mutation, $number, @$part[0, 1]);
			return $embedded if $embedded;
		}
		return undef;
	}
	my $is_declaration = $code =~ /^\s*(?:\w+ )+\**\w+( =|;|\[|,|\()/;
	if ($code =~ /^\s*(?:\w+ )+\**\w+ = ([^{].*);$/ && $code !~ /^\s*static/ && is_balanced($1) && $1 !~ /, \*?\w+ = /) {
		my $embedded = choose($line, $mutation, $number, $-[1], $+[1]);
		return $embedded if $embedded;
	} elsif (!$is_declaration && $before =~ /[;{}):]$|\belse$|^$/ && $code =~ /^(\s*)([^\s{}].*;)$/ && is_balanced($2)
		&& $code !~ /^\s*(?:goto|do|case|default)\b/) {
		my $changed = $line;
		substr($changed, $at, $len) = $new;
		return "$1if (MUTANT($number)) { " . tidy($changed) . ' } else { ' . tidy($line) . ' }';
	}
	# A single constant, or an operand of a logical operator.
	return choose_token($line, $mutation, $number) if $what eq 'constant changed' && $new ne '0';
	if ($what =~ /^(bound moved|comparison replaced)$/) {
		my ($from, $to) = (0, length $code);
		while ($code =~ /(?:&&|\|\||[?:,(]|^\s*return|=) *(?=[^=])|^\s+/g) {
			$from = $+[0] if $+[0] <= $at && is_balanced(substr($code, $+[0], $at - $+[0]));
		}
		my $rest = substr($code, $at);
		while ($rest =~ / &&| \|\||[?:,;)]/g) {
			next if !is_balanced(substr($code, $from, $at + $-[0] - $from));
			$to = $at + $-[0];
			last;
		}
		return undef if !is_balanced(substr($code, $from, $to - $from));
		my $embedded = choose($line, $mutation, $number, $from, $to) // return undef;
		substr($embedded, $from, length($embedded) - length($line) + $to - $from) =~ s/^(.*)$/($1)/;
		return $embedded;
	}
	return undef;
}

sub choose_token {
	my ($line, $mutation, $number) = @_;
	my ($at, $len, $new) = @$mutation;
	substr($line, $at, $len) = "(MUTANT($number) ? $new : " . substr($line, $at, $len) . ')';
	return $line;
}

sub read_file {
	my ($path) = @_;
	open my $in, '<:raw', $path or return undef;
	local $/;
	return scalar <$in>;
}

sub write_file {
	my ($path, $text) = @_;
	open my $out, '>:raw', $path or die "mutate.pl: $path: $!\n";
	print $out $text;
	close $out or die "mutate.pl: $path: $!\n";
}

sub new_line {
	my ($place) = @_;
	my $new = $place->{old};
	substr($new, $place->{mutation}[0], $place->{mutation}[1]) = $place->{mutation}[2];
	return tidy($new);
}

# Without indentation, and without tabs, which separate the fields of a log.
sub tidy {
	my ($line) = @_;
	return $line =~ s/^\s+//r =~ tr/\t/ /r;
}

# What a log calls it, apart from the number of the line, which may have changed meanwhile.
sub name_of {
	my ($place) = @_;
	return join "\t", $place->{file}, $place->{mutation}[3], tidy($place->{old}), new_line($place);
}

# The lines of a log: {name => [[outcome, line]...]}.
sub read_log {
	my ($path) = @_;
	my %rows;
	for (split /\n/, read_file($path) // '') {
		my ($outcome, $place, $mutation, $old, $new) = split /\t/;
		my ($file, $line) = $place =~ /^(.*):(\d+)$/ or next;
		push @{$rows{join "\t", $file, $mutation, $old, $new}}, [$outcome, $line];
	}
	return \%rows;
}

my @places;
for my $file (@files) {
	my $text = read_file($file) // die "mutate.pl: $file: $!\n";
	my @lines = split /\n/, $text, -1;
	my @code = code_lines($text);
	my $depth = 0;
	for my $i (0 .. $#code) {
		# Only within functions.
		my ($before) = grep { !/^\s*$/ } reverse @code[0 .. $i - 1];
		push @places, map { {file => $file, line => $i, mutation => $_, old => $lines[$i], code => $code[$i] =~ s/\s+$//r,
			before => ($before // '') =~ s/\s+$//r} } mutations_of($code[$i], $lines[$i]) if $depth > 0;
		$depth += ($code[$i] =~ tr/{//) - ($code[$i] =~ tr/}//);
	}
}
if ($list) {
	printf "%s:%d: %s: %s\n", $_->{file}, $_->{line} + 1, $_->{mutation}[3], new_line($_) for @places;
	exit 0;
}
my $total = @places;
if ($replay) {
	-e $replay or die "mutate.pl: $replay: $!\n";
	my $rows = read_log($replay);
	my %same;
	push @{$same{name_of($_)}}, $_ for @places;
	@places = ();
	for my $name (sort keys %$rows) {
		for my $row (grep { $_->[0] =~ /survived|timeout/ } @{$rows->{$name}}) {
			# The nearest, if there are several such lines.
			my ($nearest) = sort { abs($a->{line} + 1 - $row->[1]) <=> abs($b->{line} + 1 - $row->[1]) } @{$same{$name} // []};
			$nearest ? push @places, $nearest : print "mutate.pl: no longer there: $name\n";
		}
	}
	$sample = @places;
} elsif ($only_line) {
	@places = grep { "$_->{file}:" . ($_->{line} + 1) eq $only_line } @places;
	$sample = @places;
} else {
	srand $seed;
	for my $i (reverse 1 .. $#places) {
		my $j = int rand($i + 1);
		@places[$i, $j] = @places[$j, $i];
	}
}

my $own_work = !$work;
$work //= tempdir('tpcheck-mutate-XXXXXX', TMPDIR => 1);
make_path $work;
# Tests run things as other users.
chmod 0755, $work;
$work = abs_path($work);
my ($main, $running, @workers) = ($$);
END {
	if ($main && $$ == $main) {
		my $status = $?;
		kill 'KILL', $running if $running;
		kill 'TERM', @workers;
		waitpid $_, 0 for @workers;
		remove_tree("$work.$_") for 2 .. @workers + 1;
		remove_tree($own_work ? $work : "$work/tmp") if $work;
		$? = $status;
	}
}
$SIG{$_} = sub { exit 128 + 2 } for qw(INT TERM HUP);

# run SECONDS, COMMAND...: true if it ended with 0 in time, and no process of it used more than $cpu seconds. It has
# namespaces of its own: nothing that it started is left, and it can write to nothing but the copy and /tmp.
my $shelter = 'mount --bind "$0" "$0" && mount --bind /tmp /tmp && mount -o remount,bind,ro / && exec "$@"';
my $cpu;
sub run {
	my ($limit, @command) = @_;
	my $is_tpcheck = $command[0] =~ /tpcheck$/;
	remove_tree("$work/tmp");
	mkdir "$work/tmp";
	chmod 01777, "$work/tmp";
	$running = fork // die "mutate.pl: fork: $!\n";
	if (!$running) {
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
		setpgid(0, 0);
		$ENV{TMPDIR} = "$work/tmp";
		open STDOUT, '>', "$work/output";
		open STDERR, '>&', \*STDOUT;
		open STDIN, '<', '/dev/null';
		unshift @command, 'prlimit', '--core=0', $cpu ? "--cpu=$cpu" : (), $sanitize ? () : '--as=20000000000';
		unshift @command, qw(unshare --mount --pid --fork --kill-child --mount-proc sh -c), $shelter, $work;
		exec @command or POSIX::_exit(127);
	}
	my ($end, $status) = (time + $limit);
	while (time < $end) {
		if (waitpid($running, WNOHANG) == $running) {
			$status = $?;
			last;
		}
		# The first failure of many is enough.
		last if $is_tpcheck && (read_file("$work/output") // '') =~ /^(FAIL|ERROR)\b/m;
		select undef, undef, undef, $is_tpcheck ? 0.2 : 0.02;
	}
	if (!defined $status) {
		kill 'KILL', $running;
		waitpid $running, 0;
	}
	$running = undef;
	return defined $status && $status == 0;
}

my (%blocks_of, %sum);
my @bitcoind = $ENV{BITCOIND} ? ("--bitcoind=$ENV{BITCOIND}") : ();
my @build = ('cmake', '--build', "$work/build", '-j2');
@bitcoind or print "mutate.pl: without BITCOIND the scenarios do not run, and many tests are skipped\n";
print "mutate.pl: $total places in " . @files . " files, seed $seed; building in $work\n";
# As many as possible are built into the programs; those get a number.
my @batch = splice @places, 0, $sample;
my (%lines, %at);
for my $i (0 .. $#batch) {
	my ($file, $line) = @{$batch[$i]}{qw(file line)};
	my $embedded = $at{$file}{$line} ? undef : embed($batch[$i], $i + 1);
	next if !defined $embedded;
	$lines{$file} //= [split /\n/, read_file($file), -1];
	$lines{$file}[$line] = $embedded;
	$batch[$i]{number} = $i + 1;
	$at{$file}{$line} = $batch[$i];
}
# Only what differs is written, so that little is built again.
sub copy_sources {
	my ($with_mutants) = @_;
	for my $file (split /\0/, `git ls-files -z --cached --others --exclude-standard`) {
		my $text = $with_mutants && $lines{$file} ? join "\n", @{$lines{$file}} : read_file($file) // next;
		my $copy = "$work/src/$file";
		next if ($text eq (read_file($copy) // '')) && -e $copy;
		make_path dirname($copy);
		write_file($copy, $text);
		chmod((stat $file)[2] & 07777, $copy);
	}
}

my @generator = `ninja --version 2>/dev/null` ? ('-G', 'Ninja') : ();
my $follow = "-fsanitize-coverage=trace-pc -include $work/mutant.h";
write_file("$work/mutant", '0');
my $header = 'extern int mutant_chosen __attribute__((visibility("hidden")));' . "\n"
	. "#define MUTANT(n) __builtin_expect(mutant_chosen == (n), 0)\n";
write_file("$work/mutant.h", $header) if $header ne (read_file("$work/mutant.h") // '');
my @link = map { "-DCMAKE_${_}_LINKER_FLAGS=$work/reached.o" } qw(EXE MODULE);
copy_sources(0) if !-e "$work/src";
my @names = ("-DREACHED_DIR=\"$work/reached\"", "-DMUTANT_FILE=\"$work/mutant\"");
my @flags = ('-DBUILD_TESTING=ON', '-DFUZZ_CC=OFF', '-DCMAKE_BUILD_TYPE=Debug', '-DSANITIZE=' . ($sanitize ? 'ON' : 'OFF'),
	"-DCMAKE_C_FLAGS=$follow", "-DCMAKE_CXX_FLAGS=$follow", @link);
run(60, 'cc', '-O2', '-fPIC', @names, '-c', "$root/tests/mutation/reached.c", '-o', "$work/reached.o")
	&& run(600, 'cmake', @generator, '-S', "$work/src", '-B', "$work/build", @flags)
	or do { system 'tail', '-n', 30, "$work/output"; exit 99 };
# Where basic blocks begin, without any mutant.
if (!-e "$work/sites.txt") {
	copy_sources(0);
	run(3600, @build) or do { system 'tail', '-n', 30, "$work/output"; exit 99 };
	my %blocks;
	for my $path (glob("$work/build/tpcheck*"), glob("$work/build/tests/*_test")) {
		next if !-f $path || !-x _ || -l $path;
		$blocks{$_->[0]}{$_->[1]} = 1 for values %{blocks_of(basename $path)};
	}
	my @rows = map { join(' ', $_, sum_of($_), sort { $a <=> $b } keys %{$blocks{$_}}) . "\n" } sort keys %blocks;
	write_file("$work/sites.txt", join '', @rows);
	%blocks_of = ();
}
copy_sources(1);
until (run(3600, @build, '--', '-k0')) {
	my $output = read_file("$work/output");
	my %bad;
	$bad{$1}{$2 - 1} = 1 while $output =~ m{\Q$work\E/src/(src/\S+?):(\d+):\d+: (?:fatal )?error}g;
	if (!grep { $at{$_} && %{$at{$_}} } keys %bad) {
		print $output;
		exit 99;
	}
	for my $file (grep { $at{$_} } keys %bad) {
		my @found = grep { $at{$file}{$_} } keys %{$bad{$file}};
		for my $line (@found ? @found : keys %{$at{$file}}) {
			my $place = delete $at{$file}{$line};
			$lines{$file}[$line] = $place->{old};
			delete $place->{number};
		}
		write_file("$work/src/$file", join "\n", @{$lines{$file}});
	}
}
printf "mutate.pl: %d of %d mutants are built in\n", scalar(grep { $_->{number} } @batch), scalar @batch if $sample;

# What the optimizing compiler makes of a file; "" if it does not compile. Of the probes, which the kernel's side
# compiles at run time, their text.
my %compile = map { $_->{file} => $_->{command} } @{decode_json(read_file("$work/build/compile_commands.json"))};
sub object_of {
	my ($file) = @_;
	my $path = "$work/src/$file";
	my $command = $compile{$path} or return md5_hex(read_file($path));
	$command =~ s/ -o \S+ -c / -O2 -g0 -w -o '$work\/object' -c / or die "mutate.pl: unknown compiler: $command\n";
	$command =~ s/ $follow / /;
	# ccache would not help.
	$command =~ s/^\S*ccache //;
	$command =~ s/ -M[DTF]( \S+)?(?= )//g;
	unlink "$work/object";
	return run(120, 'sh', '-c', "cd '$work/build' && $command") ? md5_hex(read_file("$work/object")) : '';
}

# What a test needs to be built: everything for an empty list.
sub targets_of {
	my ($test) = @_;
	return ('--target', 'tpcheck', '--target', 'tpcheck-full', '--target', 'tpcheck-bcc') if $test =~ /^(scenarios.*|selftest)$/;
	return $test =~ /^unit\.(.*)/ ? ('--target', $1) : ();
}

sub command_of {
	my ($test) = @_;
	my @method = $test =~ /^scenarios\.(.*)/ ? "--attach=$1" : ();
	my @options = ('--require', '--timeout=60', "--artifacts=$work/tmp/artifacts", @method, @bitcoind);
	return ("$work/build/tpcheck", 'run', @options) if $test =~ /^scenarios/;
	return ("$work/build/tpcheck", 'selftest') if $test eq 'selftest';
	return ('sh', '-c', '"$0"; test $? = 0 -o $? = 77', "$work/build/tests/$1") if $test =~ /^unit\.(.*)/;
	return ('ctest', '--test-dir', "$work/build", '--timeout', 3000, '--output-on-failure', '-R', "^\Q$test\E\$");
}

sub count_skipped {
	return scalar(() = (read_file("$work/output") // '') =~ /\*\*\*Skipped|^SKIP\b/mg);
}

# The first scenario, or the test, that failed.
sub failed_test {
	my ($test) = @_;
	return (read_file("$work/output") // '') =~ /^(?:FAIL|ERROR)\s+(\S+)/m ? "$test: $1" : $test;
}

# {seconds, cpu: seconds of CPU time, skipped: how many are skipped on this machine, lines => {file => {line => true}}} of each test.
my (%tests, %sites);

# A map has the lines "test NAME SECONDS SKIPPED CPU" and "FILE MD5 LINE...".
sub sum_of {
	my ($file) = @_;
	return $sum{$file} //= md5_hex(read_file($file) // '');
}

sub read_map {
	my ($test);
	for (split /\n/, read_file("$work/reached.txt") // '') {
		my ($first, @rest) = split / /;
		if ($first eq 'test') {
			$test = $tests{$rest[0]} = {seconds => $rest[1], skipped => $rest[2], cpu => $rest[3] // $rest[1] / 6, lines => {}};
		} else {
			my $sum = shift @rest;
			$test->{lines}{$first} = $sum eq sum_of($first) ? {map { $_ => 1 } @rest} : {all => 1};
		}
	}
}

sub write_map {
	my $text = '';
	for my $name (sort keys %tests) {
		my $test = $tests{$name};
		$text .= "test $name $test->{seconds} $test->{skipped} $test->{cpu}\n";
		for my $file (sort keys %{$test->{lines}}) {
			my @lines = sort keys %{$test->{lines}{$file}};
			$text .= join(' ', $file, $lines[0] eq 'all' ? 'old' : sum_of($file), @lines) . "\n";
		}
	}
	write_file("$work/reached.txt", $text);
}

# {return address => [file, line]} of the calls that -fsanitize-coverage=trace-pc makes, in a program or module.
sub blocks_of {
	my ($name) = @_;
	return $blocks_of{$name} if $blocks_of{$name};
	my ($path) = grep { -f && !-l } map { "$_/$name" } "$work/build", "$work/build/tests";
	return {} if !$path;
	my ($hook) = map { /^(\w+) t __sanitizer_cov_trace_pc$/i ? hex $1 : () } `nm '$path'`;
	my ($start, $offset, $size) = map { /\s\.text\s+PROGBITS\s+(\w+) (\w+) (\w+)/ ? (hex $1, hex $2, hex $3) : () } `readelf -SW '$path'`;
	return {} if !$hook || !$size;
	my $code = substr(read_file($path), $offset, $size);
	my @calls;
	for (my $i = index($code, "\xe8"); $i >= 0 && $i + 5 <= $size; $i = index($code, "\xe8", $i + 1)) {
		push @calls, $start + $i + 5 if $start + $i + 5 + unpack('l<', substr($code, $i + 1, 4)) == $hook;
	}
	write_file("$work/addresses", join '', map { sprintf "0x%x\n", $_ - 1 } @calls);
	my @at = `addr2line -e '$path' <'$work/addresses'`;
	my %blocks;
	for my $i (0 .. $#calls) {
		$blocks{$calls[$i]} = [$1, $2] if $at[$i] =~ m{^\Q$work\E/src/(?:tests.*/\.\./)?(src/.*):(\d+)};
	}
	return $blocks_of{$name} = \%blocks;
}

# Runs a test without any mutation, and notes what it runs; false if it fails.
sub measure {
	my ($name) = @_;
	remove_tree("$work/reached");
	mkdir "$work/reached";
	chmod 01777, "$work/reached";
	my $start = time;
	my $before = (times)[2] + (times)[3];
	my $ok = run(3600, command_of($name));
	my $test = $tests{$name} = {seconds => sprintf('%.1f', time - $start), skipped => count_skipped(), lines => {},
		cpu => sprintf('%.1f', (times)[2] + (times)[3] - $before)};
	for my $file (map { basename $_ } glob "$work/reached/*") {
		my $reached = read_file("$work/reached/$file");
		my $blocks = blocks_of($file);
		while ($reached =~ /\x01/g) {
			my $block = $blocks->{$-[0]} or next;
			$test->{lines}{$block->[0]}{$block->[1]} = 1;
		}
	}
	if (!$ok) {
		print "mutate.pl: $name fails without any mutation; it is not used:\n";
		system 'tail', '-n', 15, "$work/output";
		delete $tests{$name};
	}
	printf "mutate.pl: %s: %.1f s%s\n", $name, $test->{seconds}, $test->{skipped} ? ", $test->{skipped} skipped" : '' if $ok;
	return $ok;
}

# The tests that run a line, the quickest first. A line within a block counts as the block's first.
sub tests_for {
	my ($place) = @_;
	my $file = $place->{file};
	my @names;
	if ($file =~ /^probes/) {
		@names = grep { /$tracing/ } keys %tests;
	} else {
		my ($line) = sort { $b <=> $a } grep { $_ <= $place->{line} + 1 } @{$sites{$file} // []};
		@names = grep { my $lines = $tests{$_}{lines}{$file}; $lines && (!$line || $lines->{all} || $lines->{$line}) } keys %tests;
	}
	my ($folder) = $file =~ m{^src/(\w+)};
	my $own = $folder ? qr/^unit\.${folder}_/ : qr/^selftest$/;
	my $rank = sub {
		my $test = $tests{$_[0]};
		return $test->{cpu} + $test->{seconds} / 4 + ($_[0] =~ $own ? 0 : $_[0] =~ /^unit/ ? 1 : 3);
	};
	return sort { $rank->($a) <=> $rank->($b) } @names;
}

# Whether a test that failed passes without the mutant; of one that is not built in, whether it fails again.
sub passes_without {
	my ($place, $name, $limit) = @_;
	return !run($limit, command_of($name)) if !$place->{number};
	write_file("$work/mutant", 0);
	my $ok = run($limit, command_of($name)) && count_skipped() <= $tests{$name}{skipped};
	write_file("$work/mutant", $place->{number});
	return $ok;
}

# (outcome, what killed it)
sub try_mutant {
	my ($place, $mutated) = @_;
	my $path = "$work/src/$place->{file}";
	my $is_embedded = $place->{number};
	write_file($path, $mutated) if !$is_embedded;
	write_file("$work/mutant", $place->{number} // 0);
	my $slow = '';
	my @names = tests_for($place);
	for my $name (@names) {
		return ('invalid', '') if !$is_embedded && !run(1800, @build, targets_of($name));
		my $test = $tests{$name};
		my $limit = 30 + 3 * $test->{seconds};
		my $start = time;
		# However busy the machine is, a unit test that needs so much hangs.
		$cpu = $name =~ /^unit/ ? int(3 + 5 * $test->{cpu}) : undef;
		my $ok = run($limit, command_of($name));
		$cpu = undef;
		if (!$ok && (time - $start >= $limit || (read_file("$work/output") // '') =~ /\*\*\*Timeout/)) {
			return ('timeout', "$slow, $name") if $slow;
			$slow = $name;
			next;
		}
		next if $ok && count_skipped() <= $test->{skipped};
		my $by = $ok ? "$name: skipped" : failed_test($name);
		# The machine may just be too busy for a test that is not about a unit.
		return ('killed', $by) if $name =~ /^unit|^selftest/ || passes_without($place, $name, $limit);
	}
	# Only now, because most mutants die without the compiler's help.
	my $outcome = $quick ? undef : is_no_mutant($place, $mutated);
	return ($outcome, '') if $outcome;
	return $slow ? ('timeout', $slow) : ('survived', @names ? 'of ' . join(' ', @names) : 'no test runs this');
}

# "invalid", "equivalent" or undef.
my %object;
sub is_no_mutant {
	my ($place, $mutated) = @_;
	my $file = $place->{file};
	my $path = "$work/src/$file";
	my $now = read_file($path);
	write_file($path, $mutated);
	my $object = object_of($file);
	if (!$object{$file}) {
		write_file($path, read_file($file));
		$object{$file} = object_of($file);
	}
	write_file($path, $now);
	return $object eq '' ? 'invalid' : $object eq $object{$file} ? 'equivalent' : undef;
}

# What every test runs; of a file that has changed since, only that it runs the file.
my $stamp = md5_hex(map { read_file($_) // '' } map { glob "$_/*.[ch]" } qw(tests/unit src/* src/*/*));
read_map();
my @all = map { /^\s*Test\s+#\d+: (\S+)/ && $1 !~ /$no_tests/ ? $1 : () } `ctest --test-dir '$work/build' -N`;
push @all, 'selftest', @bitcoind ? ('scenarios', 'scenarios.ptrace') : ();
@all = grep { $quick ? /^unit/ : !defined $without || !/$without/ } @all;
# Those that find most first.
@all = sort { ($b =~ /^unit/) <=> ($a =~ /^unit/) || ($b =~ /^s/) <=> ($a =~ /^s/) } @all;
my $stamped = read_file("$work/stamp") // '';
for my $name (@all) {
	measure($name) && write_map() if !$tests{$name} || ($name =~ /^unit/ && $stamp ne $stamped);
}
write_file("$work/stamp", $stamp);
my %is_used = map { $_ => 1 } @all;
delete @tests{grep { !$is_used{$_} } keys %tests};
for (split /\n/, read_file("$work/sites.txt") // '') {
	my ($file, $sum, @lines) = split / /;
	$sites{$file} = \@lines if $sum eq sum_of($file);
}

my %count = map { $_ => 0 } qw(killed survived timeout invalid equivalent);
# What became of a mutant, from the log.
sub row_of {
	my ($rows, $place) = @_;
	return (grep { $_->[1] == $place->{line} + 1 } @{$rows->{name_of($place)} // []})[0];
}
my $done = $log ? read_log($log) : {};
# Those that are not built in last, because the programs change with each.
my @left = grep { !row_of($done, $_) } (grep { $_->{number} } @batch), grep { !$_->{number} } @batch;
my $own_log = $log // "$work/log";
unlink $own_log if !$log;
open my $out, '>>', $own_log or die "mutate.pl: $own_log: $!\n";
$out->autoflush(1);
STDOUT->autoflush(1);

# Whoever is free takes the next from the pipe.
pipe my $take, my $put or die "mutate.pl: pipe: $!\n";
$jobs = @left if $jobs > @left;
my $feeder = fork // die "mutate.pl: fork: $!\n";
if (!$feeder) {
	$main = 0;
	close $take;
	syswrite $put, pack 'L', $_ for 0 .. $#left;
	POSIX::_exit(0);
}
close $put;
for my $job (2 .. $jobs) {
	my $pid = fork // die "mutate.pl: fork: $!\n";
	push @workers, $pid if $pid;
	next if $pid;
	($main, @workers) = ($$);
	setpgid(0, 0);
	my $unshare = {x86_64 => 272, aarch64 => 97}->{(POSIX::uname())[4]} or die "mutate.pl: --jobs: not on this machine\n";
	# CLONE_NEWNS
	syscall($unshare, 0x20000) == 0 or die "mutate.pl: unshare: $!\n";
	for my $command ("mount --make-rprivate /", "rm -rf '$work.$job'", "cp -a '$work' '$work.$job'", "mount --bind '$work.$job' '$work'") {
		system($command) == 0 or POSIX::_exit(99);
	}
	$own_work = '';
	try_all();
	exit 0;
}

sub try_all {
	while ((sysread $take, my $next, 4) == 4) {
		last if $seconds && time - $began > $seconds;
		my $place = $left[unpack 'L', $next];
		my $path = "$work/src/$place->{file}";
		my $text = read_file($path);
		my @lines = split /\n/, read_file($place->{file}), -1;
		substr($lines[$place->{line}], $place->{mutation}[0], $place->{mutation}[1]) = $place->{mutation}[2];
		my ($outcome, $by) = try_mutant($place, join "\n", @lines);
		write_file($path, $text) if $text ne read_file($path);
		my @row = ("$place->{file}:" . ($place->{line} + 1), $place->{mutation}[3], tidy($place->{old}), new_line($place));
		print $out join("\t", $outcome, @row, $by), "\n";
		printf "%-8s %s: %s: %s (%s)\n", $outcome, @row[0, 1, 3], $by if $outcome !~ /invalid|equivalent/;
	}
	write_file("$work/mutant", '0');
}
try_all();
while (my $pid = shift @workers) {
	waitpid $pid, 0;
	print "mutate.pl: one of the jobs failed\n" if $?;
}
remove_tree("$work.$_") for 2 .. $jobs;
kill 'KILL', $feeder;
waitpid $feeder, 0;

my @survivors;
$done = read_log($own_log);
for my $place (@batch) {
	my $row = row_of($done, $place) or next;
	$count{$row->[0]}++;
	push @survivors, ["$place->{file}:$row->[1]", $place->{mutation}[3], tidy($place->{old}), new_line($place)]
		if $row->[0] =~ /survived|timeout/;
}
my $tried = $count{killed} + $count{survived} + $count{timeout};
print "\n";
printf "survived: %s: %s\n  - %s\n  + %s\n", @$_ for @survivors;
printf "%d mutants: %d killed, %d survived, %d only timed out (%.1f %% killed) in %d s; seed %d\n", $tried,
	@count{qw(killed survived timeout)}, $tried ? 100 * $count{killed} / $tried : 0, time - $began, $seed;
exit(@survivors ? 1 : 0);

#!/usr/bin/perl
# Tests the tests: breaks one place of the sources at a time and reports the breakages that no test notices.
#
#	mutate.pl [OPTION...] [FILE...]        as root, with $BITCOIND; FILEs relative to the root of the source tree
#
#	--sample=N      how many places to break (default 30), drawn at random from FILEs (default: src and probes)
#	--seed=N        for the draw (default: the time; it is printed)
#	--seconds=N     start no mutant after that time
#	--work=DIR      where the copy is built (default: a new folder in TMPDIR, removed at the end); reused if it is there
#	--log=FILE      append one line for each mutant, as tab-separated values: outcome, place, mutation, old line, new
#	                line, what killed it. Mutants that are in the file already count, and are not tried again
#	--replay=FILE   instead of drawing, try the survivors of such a log again
#	--quick         only the unit tests of the layer, selftest and the scenarios; replay the survivors without it
#	--thorough      on a survivor run every test, not just those that concern its layer
#	--sanitize      build with -DSANITIZE=ON: notices leaks and reads out of bounds, slower
#	--list          only list the places
#
# A mutant is one line with one of these changes: a condition negated, a statement dropped, a bound moved by one, a
# comparison or a logical operator replaced, a constant changed, a return value replaced. It is made in a copy of the
# sources, which are not touched. One that does not compile, or that the optimizing compiler translates to what was there
# before, is no mutant, and another one is drawn. Then the tests run, the quick ones of its layer first, until one fails
# or is skipped that is not skipped otherwise: then it is killed. So it is if a test does not end in 4 times its usual time.
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
my ($quick, $thorough, $sanitize, $list);
GetOptions('sample=i' => \$sample, 'seed=i' => \$seed, 'seconds=i' => \$seconds, 'work=s' => \$work, 'log=s' => \$log,
	'replay=s' => \$replay, 'quick' => \$quick, 'thorough' => \$thorough, 'sanitize' => \$sanitize, 'list' => \$list)
	or exit 2;
$_ && ($_ = File::Spec->rel2abs($_)) for $work, $log, $replay;
$> == 0 || $list or print("mutate.pl: run it as root\n"), exit 2;
chdir $root or die "mutate.pl: $root: $!\n";
my @files = @ARGV ? @ARGV : split /\n/, `git ls-files 'src/*.c' 'src/*.cc' 'probes/*.bpf.c'`;
my $began = time;

# Which tests can notice a change of a layer: "selftest", "scenarios" or patterns for ctest -R; quick ones first.
my $traces = 'cli.(trace|reports)|node.trace';
my %tests_of = (
	base => ['unit.(base|contract|report|trace)', 'unit.(node|notes|probe|run|scen)', 'scenarios',
		'cli.(usage|abi)|abi.patches', "harness\$|harness.stream|cli.sweep|$traces"],
	contract => ['unit.contract', 'unit.trace|abi.patches', 'scenarios', 'cli.(usage|abi)', "harness\$|$traces"],
	notes => ['unit.notes', 'abi.patches', 'scenarios', 'cli.(usage|abi)', "harness\$|cli.reasons|$traces"],
	probe => ['unit.probe', 'selftest', 'scenarios', 'harness$|harness.stream', $traces, 'cli.reasons'],
	node => ['unit.node', 'scenarios', 'node.runner', 'cli.(node|trace|sweep|reasons)'],
	report => ['unit.report|report', 'cli.(usage|abi|reports)', 'node.runner'],
	trace => ['unit.trace', $traces],
	scene => ['unit.scen', 'scenarios', 'unit.node_real', 'node.runner', 'cli.node'],
	scenario => ['unit.scen', 'scenarios', 'node.runner'],
	run => ['unit.run', 'selftest', 'scenarios', 'harness$', 'node.runner', $traces, 'cli.(node|places|reasons)'],
	cli => ['cli.(usage|abi)|install.interface', 'selftest', 'scenarios', 'cli.(node|trace|reports|places)', 'cli.reasons'],
	probes => ['selftest', 'scenarios', 'harness$|harness.stream', $traces],
);

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
		push @places, map { {file => $file, line => $i, mutation => $_, old => $lines[$i]} } mutations_of($code[$i], $lines[$i])
			if $depth > 0;
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
		for my $row (grep { $_->[0] eq 'survived' } @{$rows->{$name}}) {
			# The nearest, if there are several such lines.
			my ($nearest) = sort { abs($a->{line} + 1 - $row->[1]) <=> abs($b->{line} + 1 - $row->[1]) } @{$same{$name} // []};
			$nearest ? push @places, $nearest : print "mutate.pl: no longer there: $name\n";
		}
	}
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
my ($main, $running) = ($$);
END {
	if ($main && $$ == $main) {
		my $status = $?;
		kill 'KILL', $running if $running;
		remove_tree($own_work ? $work : "$work/tmp") if $work;
		$? = $status;
	}
}
$SIG{$_} = sub { exit 128 + 2 } for qw(INT TERM HUP);

# run SECONDS, COMMAND...: true if it ended with 0 in time. It has namespaces of its own: nothing that it started is left,
# and it can write to nothing but the copy and /tmp.
my $shelter = 'mount --bind "$0" "$0" && mount --bind /tmp /tmp && mount -o remount,bind,ro / && exec "$@"';
sub run {
	my ($limit, @command) = @_;
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
		unshift @command, 'prlimit', '--core=0', $sanitize ? () : '--as=20000000000';
		unshift @command, qw(unshare --mount --pid --fork --kill-child --mount-proc sh -c), $shelter, $work;
		exec @command or POSIX::_exit(127);
	}
	my ($end, $status) = (time + $limit);
	while (time < $end) {
		if (waitpid($running, WNOHANG) == $running) {
			$status = $?;
			last;
		}
		select undef, undef, undef, 0.02;
	}
	if (!defined $status) {
		kill 'KILL', $running;
		waitpid $running, 0;
	}
	$running = undef;
	return defined $status && $status == 0;
}

my @bitcoind = $ENV{BITCOIND} ? ("--bitcoind=$ENV{BITCOIND}") : ();
my @build = ('cmake', '--build', "$work/build", '-j2');
@bitcoind or print "mutate.pl: without BITCOIND the scenarios do not run, and many tests are skipped\n";
print "mutate.pl: $total places in " . @files . " files, seed $seed; building in $work\n";
# Only what differs is written, so that little is built again.
for my $file (split /\0/, `git ls-files -z --cached --others --exclude-standard`) {
	my $text = read_file($file) // next;
	my $copy = "$work/src/$file";
	next if ($text eq (read_file($copy) // '')) && -e $copy;
	make_path dirname($copy);
	write_file($copy, $text);
	chmod((stat $file)[2] & 07777, $copy);
}
my @generator = `ninja --version 2>/dev/null` ? ('-G', 'Ninja') : ();
run(600, 'cmake', @generator, '-S', "$work/src", '-B', "$work/build", '-DBUILD_TESTING=ON', '-DCMAKE_BUILD_TYPE=Debug',
	'-DSANITIZE=' . ($sanitize ? 'ON' : 'OFF')) && run(1800, @build)
	or do { system 'tail', '-n', 30, "$work/output"; exit 99 };

# What the optimizing compiler makes of a file; "" if it does not compile. Of the probes, which the kernel's side
# compiles at run time, their text.
my %compile = map { $_->{file} => $_->{command} } @{decode_json(read_file("$work/build/compile_commands.json"))};
sub object_of {
	my ($file) = @_;
	my $path = "$work/src/$file";
	my $command = $compile{$path} or return md5_hex(read_file($path));
	$command =~ s/ -o \S+ -c / -O2 -g0 -w -o '$work\/object' -c / or die "mutate.pl: unknown compiler: $command\n";
	# ccache would not help.
	$command =~ s/^\S*ccache //;
	$command =~ s/ -M[DTF]( \S+)?(?= )//g;
	unlink "$work/object";
	return run(120, 'sh', '-c', "cd '$work/build' && $command") ? md5_hex(read_file("$work/object")) : '';
}

# What a stage needs to be built: everything for an empty list.
sub targets_of {
	my ($stage) = @_;
	return ('--target', 'tpcheck', '--target', 'tpcheck-full') if $stage =~ /^(scenarios|selftest)$/;
	return () if $stage !~ /^unit\.[^|]*$/ && $stage !~ /^unit\.\([^)]*\)$/;
	my @targets = map { s{.*/|\.c$}{}gr } glob "$work/src/tests/unit/*_test.c";
	return map { ('--target', $_) } grep { "unit.$_" =~ /$stage/ } @targets;
}

sub command_of {
	my ($stage) = @_;
	return ("$work/build/tpcheck", 'run', '--require', '--timeout=20', "--artifacts=$work/tmp/artifacts", @bitcoind)
		if $stage eq 'scenarios';
	return ("$work/build/tpcheck", 'selftest') if $stage eq 'selftest';
	my @which = $stage eq 'all' ? ('-E', 'lint|cmake.foreign|package') : ('-R', $stage);
	return ('ctest', '--test-dir', "$work/build", '--stop-on-failure', '--output-on-failure', @which);
}

# The first test that failed, and how many were skipped, as the output of the stage has it.
sub failed_test {
	my $output = read_file("$work/output") // '';
	return $output =~ /: (\S+) \.+\s*\*\*\*(?!Skipped)/ ? $1 : $output =~ /^(?:FAIL|ERROR)\s+(\S+)/m ? $1 : 'ended';
}

sub count_skipped {
	return scalar(() = (read_file("$work/output") // '') =~ /\*\*\*Skipped/g);
}

# The names of what runs for a file.
sub stages_of {
	my ($file) = @_;
	my $layer = $file =~ m{^(?:src/)?(\w+)} ? $1 : '';
	my @names = @{$tests_of{$layer} // ['scenarios']};
	@names = grep { /^(?:unit|scenarios$|selftest$)/ } @names if $quick;
	@names = grep { $_ ne 'scenarios' } @names if !@bitcoind;
	push @names, 'all' if $thorough;
	return @names;
}

# {limit in seconds, how many tests are skipped} of each, found out without any mutation.
my %stages;
sub measure {
	my ($name) = @_;
	run(900, @build) or die "mutate.pl: the sources no longer build\n";
	my $start = time;
	if (!run(1800, command_of($name))) {
		print "mutate.pl: $name: failed without any mutation:\n";
		system 'tail', '-n', 30, "$work/output";
		exit 99;
	}
	$stages{$name} = {limit => 10 + 4 * (time - $start), skipped => count_skipped()};
	print "mutate.pl: $name: $stages{$name}{skipped} tests are skipped on this machine\n" if $stages{$name}{skipped};
}

# (outcome, what killed it)
my %object;
sub try_mutant {
	my ($file, $text, $mutated) = @_;
	my $path = "$work/src/$file";
	$object{$file} //= object_of($file);
	write_file($path, $mutated);
	my $object = object_of($file);
	return ('invalid', '') if $object eq '';
	return ('equivalent', '') if $object eq $object{$file};
	for my $name (stages_of($file)) {
		if (!$stages{$name}) {
			write_file($path, $text);
			measure($name);
			write_file($path, $mutated);
		}
		my $stage = $stages{$name};
		return ('invalid', '') if !run(900, @build, targets_of($name));
		my $start = time;
		if (!run($stage->{limit}, command_of($name))) {
			return ('killed', time - $start >= $stage->{limit} ? "$name: timeout" : "$name: " . failed_test());
		}
		return ('killed', "$name: skipped") if count_skipped() > $stage->{skipped};
	}
	return ('survived', '');
}

my %count = (killed => 0, survived => 0);
my ($out, @survivors);
my $done = $log && -e $log ? read_log($log) : {};
if ($log) {
	open $out, '>>', $log or die "mutate.pl: $log: $!\n";
	$out->autoflush(1);
}
for my $place (@places) {
	last if $count{killed} + $count{survived} >= $sample || ($seconds && time - $began > $seconds);
	my $line = $place->{line} + 1;
	my ($before) = grep { $_->[1] == $line } @{$done->{name_of($place)} // []};
	if ($before) {
		$count{$before->[0]}++;
		push @survivors, ["$place->{file}:$line", $place->{mutation}[3], tidy($place->{old}), new_line($place)]
			if $before->[0] eq 'survived';
		next;
	}
	my $path = "$work/src/$place->{file}";
	my $text = read_file($path);
	my @lines = split /\n/, $text, -1;
	substr($lines[$place->{line}], $place->{mutation}[0], $place->{mutation}[1]) = $place->{mutation}[2];
	my ($outcome, $by) = try_mutant($place->{file}, $text, join "\n", @lines);
	write_file($path, $text);
	$count{$outcome}++;
	my @row = ("$place->{file}:$line", $place->{mutation}[3], tidy($place->{old}), new_line($place));
	print $out join("\t", $outcome, @row, $by), "\n" if $out;
	next if $outcome =~ /invalid|equivalent/;
	printf "%-8s %s: %s: %s\n", $outcome, @row[0, 1, 3];
	push @survivors, \@row if $outcome eq 'survived';
}
my $tried = $count{killed} + $count{survived};
print "\n";
printf "survived: %s: %s\n  - %s\n  + %s\n", @$_ for @survivors;
printf "%d mutants: %d killed, %d survived (%.1f %% killed) in %d s; seed %d\n", $tried, $count{killed}, $count{survived},
	$tried ? 100 * $count{killed} / $tried : 0, time - $began, $seed;
exit(@survivors ? 1 : 0);

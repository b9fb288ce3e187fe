#!/usr/bin/perl
# Tests the tests: breaks one place of the sources at a time and reports the breakages that no test notices.
#
#	mutate.pl [OPTION...] [FILE...]        as root, with $BITCOIND; FILEs relative to the root of the source tree
#
#	--sample=N      how many places to break (default 30), drawn at random from FILEs (default: src and probes)
#	--seed=N        for the draw (default: the time; it is printed)
#	--seconds=N     stop after that time
#	--work=DIR      where the copy is built (default: a new folder in TMPDIR, removed at the end); reused if it is there
#	--log=FILE      one line for each mutant, as tab-separated values: outcome, place, mutation, old line, new line, test
#	--replay=FILE   instead of drawing, try again the survivors of such a log
#	--thorough      run every test on a survivor, not just those of its layer and the scenarios
#	--list          only list the places
#
# A mutant is one line with one of these changes: a condition negated, a statement dropped, a bound moved by one, a
# comparison or a logical operator replaced, a constant changed, a return value replaced. It is compiled in a copy of the
# sources; one that does not compile, or whose object file is the same as before, is no mutant and is drawn again. Then the
# tests run, those of its layer first, until one fails: then it is killed. A test that does not end in 4 times its usual
# time has failed. The sources themselves are not touched.
#
# Exit code: 0 if every mutant was killed, 1 if any survived, 2 wrong usage, 99 if the tests fail without any mutation.
use strict;
use warnings;
use Cwd qw(abs_path getcwd);
use Digest::MD5;
use File::Basename;
use File::Temp qw(tempdir);
use Getopt::Long;
use POSIX qw(:sys_wait_h setpgid);
use Time::HiRes qw(time);

my $root = abs_path(dirname(__FILE__) . '/../..');
my ($sample, $seed, $seconds, $work, $log, $replay, $thorough, $list) = (30, time() & 0xffffff, 0);
GetOptions('sample=i' => \$sample, 'seed=i' => \$seed, 'seconds=i' => \$seconds, 'work=s' => \$work, 'log=s' => \$log,
	'replay=s' => \$replay, 'thorough' => \$thorough, 'list' => \$list)
	or exit 2;
chdir $root or die "mutate.pl: $root: $!\n";
my @files = @ARGV ? @ARGV : split /\n/, `git ls-files 'src/*.c' 'src/*.cc' 'probes/*.bpf.c'`;
my $began = time;

# Which tests can notice a change of a layer, besides the scenarios: patterns for ctest -R, quick ones first.
my %tests_of = (
	base => ['unit.(base|contract|report|trace)', 'unit.(node|notes|probe|run|scen)', 'cli.(usage|abi)|abi.patches'],
	contract => ['unit.contract', 'unit.trace|abi.patches', 'cli.(usage|abi)|harness'],
	notes => ['unit.notes', 'abi.patches|fuzz', 'cli.(usage|abi)|harness$'],
	probe => ['unit.probe', 'harness', 'cli.trace|node.trace'],
	node => ['unit.node', 'node.runner', 'cli.(node|trace)'],
	report => ['unit.report|report', 'cli.(usage|reports)'],
	trace => ['unit.trace', 'cli.trace|node.trace'],
	scene => ['unit.(scene|node_real)', 'node.runner'],
	scenario => ['unit.scen', 'node.runner'],
	run => ['unit.run', 'harness|node', 'cli.(node|trace|places|reports)'],
	cli => ['cli.(usage|abi)|install.interface', 'cli.(node|trace|reports|places)', 'node.trace'],
	probes => ['harness', 'node|cli.trace'],
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
	while ($code =~ /(?<![\w.'"])(\d+)(?![\w.'"])/g) {
		push @found, [$-[1], length $1, $1 + 1, 'constant changed'];
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
	return @found;
}

my @places;
for my $file (@files) {
	open my $in, '<', $file or die "mutate.pl: $file: $!\n";
	my $text = do { local $/; <$in> };
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
	printf "%s:%d: %s\n", $_->{file}, $_->{line} + 1, $_->{mutation}[3] for @places;
	exit 0;
}
if ($replay) {
	open my $in, '<', $replay or die "mutate.pl: $replay: $!\n";
	my %wanted;
	while (<$in>) {
		chomp;
		my @field = split /\t/;
		$wanted{"$field[1]\t$field[2]\t$field[4]"} = 1 if $field[0] eq 'survived';
	}
	@places = grep { $wanted{"$_->{file}:" . ($_->{line} + 1) . "\t$_->{mutation}[3]\t" . new_line($_)} } @places;
	$sample = @places;
} else {
	srand $seed;
	for my $i (reverse 1 .. $#places) {
		my $j = int rand($i + 1);
		@places[$i, $j] = @places[$j, $i];
	}
}

sub new_line {
	my ($place) = @_;
	my $new = $place->{old};
	substr($new, $place->{mutation}[0], $place->{mutation}[1]) = $place->{mutation}[2];
	$new =~ s/^\s+//;
	return $new;
}

# run SECONDS, COMMAND...: true if it ended with 0 in time; its process group is killed otherwise.
sub run {
	my ($limit, @command) = @_;
	my $pid = fork // die "mutate.pl: fork: $!\n";
	if (!$pid) {
		setpgid(0, 0);
		open STDOUT, '>', "$work/output";
		open STDERR, '>&', \*STDOUT;
		open STDIN, '<', '/dev/null';
		exec @command or POSIX::_exit(127);
	}
	setpgid($pid, $pid);
	my $end = time + $limit;
	while (waitpid($pid, WNOHANG) == 0) {
		if (time > $end) {
			kill 'KILL', -$pid;
			waitpid $pid, 0;
			return 0;
		}
		select undef, undef, undef, 0.02;
	}
	my $status = $?;
	kill 'KILL', -$pid;
	return $status == 0;
}

sub digest_of_objects {
	my ($file) = @_;
	my $md5 = Digest::MD5->new;
	for my $object (glob "$work/build/CMakeFiles/*/$file.o $work/build/probes_text.c") {
		next if $object =~ /probes_text/ && $file !~ /^probes/;
		open my $in, '<:raw', $object or next;
		$md5->addfile($in);
	}
	return $md5->hexdigest;
}

sub write_file {
	my ($path, $text) = @_;
	open my $out, '>', $path or die "mutate.pl: $path: $!\n";
	print $out $text;
	close $out or die "mutate.pl: $path: $!\n";
}

my $own_work = !$work;
$work //= tempdir('tpcheck-mutate-XXXXXX', TMPDIR => 1);
mkdir $work;
$work = abs_path($work);
my @bitcoind = $ENV{BITCOIND} ? ("--bitcoind=$ENV{BITCOIND}") : ();
my @build = ('cmake', '--build', "$work/build", '-j2');
my @scenarios = ("$work/build/tpcheck", 'run', '--require', '--timeout=20', "--artifacts=$work/artifacts", @bitcoind);
print "mutate.pl: " . @places . " places in " . @files . " files, seed $seed; building in $work\n";
system("mkdir -p $work/src && git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -pt $work/src") == 0
	or die "mutate.pl: failed to copy the sources\n";
my @generator = `ninja --version 2>/dev/null` ? ('-G', 'Ninja') : ();
run(600, 'cmake', @generator, '-S', "$work/src", '-B', "$work/build", '-DBUILD_TESTING=ON', '-DCMAKE_BUILD_TYPE=Debug')
	&& run(1800, @build)
	or do { system 'tail', '-n', 30, "$work/output"; exit 99 };

# What a stage needs to be built: the unit tests that it names, or everything.
sub targets_of {
	my ($pattern) = @_;
	return () if $pattern !~ /^unit\./;
	my @targets = map { s{.*/|\.c$}{}gr } glob "$work/src/tests/unit/*_test.c";
	return map { ('--target', $_) } grep { "unit.$_" =~ /$pattern/ } @targets;
}

# What runs for a file: {limit in seconds, name, targets, command}, and whether all of it passes unbroken.
my %stages_of;
sub layer_of {
	return $_[0] =~ m{^(?:src/)?(\w+)} ? $1 : '';
}

sub stages {
	my ($file) = @_;
	my $layer = layer_of($file);
	return @{$stages_of{$layer}} if $stages_of{$layer};
	my @stages = map { {
		name => "ctest -R '$_'", targets => [targets_of($_)],
		command => ['ctest', '--test-dir', "$work/build", '--stop-on-failure', '-R', $_]
	} } @{$tests_of{$layer} // []};
	splice @stages, 1, 0, {name => 'scenarios', targets => [], command => \@scenarios};
	push @stages, {
		name => 'ctest', targets => [],
		command => ['ctest', '--test-dir', "$work/build", '--stop-on-failure', '-E', 'lint|cmake.foreign|package']
	} if $thorough;
	for my $stage (@stages) {
		my $start = time;
		if (!run(1800, @{$stage->{command}})) {
			print "mutate.pl: $stage->{name} fails without any mutation:\n";
			system 'tail', '-n', 30, "$work/output";
			exit 99;
		}
		$stage->{limit} = 10 + 4 * (time - $start);
	}
	$stages_of{$layer} = \@stages;
	return @stages;
}

my %count = (killed => 0, survived => 0);
my %digest = map { $_ => digest_of_objects($_) } @files;
my ($out, @survivors);
if ($log) {
	open $out, '>>', $log or die "mutate.pl: $log: $!\n";
	$out->autoflush(1);
}
for my $place (@places) {
	last if $count{killed} + $count{survived} >= $sample || ($seconds && time - $began > $seconds);
	my $path = "$work/src/$place->{file}";
	open my $in, '<', "$root/$place->{file}" or die;
	my $text = do { local $/; <$in> };
	if (!$stages_of{layer_of($place->{file})}) {
		# Timed in an unbroken build.
		run(600, @build) or die "mutate.pl: the sources no longer build\n";
	}
	my @stages = stages($place->{file});
	my @lines = split /\n/, $text, -1;
	substr($lines[$place->{line}], $place->{mutation}[0], $place->{mutation}[1]) = $place->{mutation}[2];
	write_file($path, join "\n", @lines);
	my ($outcome, $by, $looked) = ('survived', '', 0);
	for my $stage (@stages) {
		if (!run(600, @build, @{$stage->{targets}})) {
			$outcome = 'invalid';
			last;
		}
		if (!$looked++ && digest_of_objects($place->{file}) eq $digest{$place->{file}}) {
			$outcome = 'equivalent';
			last;
		}
		next if run($stage->{limit}, @{$stage->{command}});
		($outcome, $by) = ('killed', $stage->{name});
		last;
	}
	write_file($path, $text);
	$count{$outcome}++;
	my $old = $place->{old};
	$old =~ s/^\s+//;
	my @row = ($outcome, "$place->{file}:" . ($place->{line} + 1), $place->{mutation}[3], $old, new_line($place), $by);
	print $out join("\t", @row), "\n" if $out;
	next if $outcome =~ /invalid|equivalent/;
	printf "%-8s %s: %s: %s\n", @row[0, 1, 2, 4];
	push @survivors, \@row if $outcome eq 'survived';
}
system 'rm', '-rf', $work if $own_work;
my $tried = $count{killed} + $count{survived};
print "\n";
printf "survived: %s: %s\n  - %s\n  + %s\n", @{$_}[1 .. 4] for @survivors;
printf "%d mutants: %d killed, %d survived (%.1f %% killed) in %d s; seed %d\n", $tried, $count{killed}, $count{survived},
	$tried ? 100 * $count{killed} / $tried : 0, time - $began, $seed;
exit @survivors ? 1 : 0;

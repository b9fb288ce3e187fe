#!/usr/bin/perl
# Ends runs of tpcheck at random points, kills and replaces their bitcoinds, takes descriptors, memory and room from them,
# and looks after each what is left and how it ended. Run by hand, as root:
#
#	torture.pl [OPTION...] TPCHECK BITCOIND
#
#	--count=N      tries (100)
#	--seconds=N    stop after that time, whatever the count
#	--seed=N       the same choices again; when signals arrive still varies
#	--kinds=A,B    only these; --list names them
#	--busy=N       N processes that keep CPUs busy meanwhile
#	--patience=N   seconds after which a run hangs, and what is still there is left (60)
#	--dir=DIR      where to work (/var/tmp)
#	--imposter=PATH  the program built from imposter.c (tests/imposter beside TPCHECK)
#	--verbose      a line for each try
#
# Exit code: 0; 1 if something was left, a run hung, or ended otherwise than with 0, 1, 2, 77, 99 or by the signal that it
# was sent; 99 if the torture itself failed.
use strict;
use warnings;
no warnings 'portable';
use Config;
use Fcntl;
use File::Temp;
use FindBin;
use Getopt::Long;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(sleep time);

my %opt = (count => 100, seed => time ^ $$, busy => 0, patience => 60, dir => '/var/tmp', seconds => 0);
my @given = @ARGV;
GetOptions(\%opt, qw(count=i seconds=i seed=i kinds=s list busy=i patience=i dir=s imposter=s verbose inside)) or exit 99;

my @signal_names = split ' ', $Config{sig_name};
my %signal_number;
@signal_number{@signal_names} = split ' ', $Config{sig_num};
# Programs end in an orderly way by these, or ignore them.
my @catchable = qw(HUP INT QUIT USR1 USR2 PIPE ALRM TERM XCPU VTALRM PROF IO PWR WINCH URG CHLD CONT TSTP TTIN TTOU);
# By these they die.
my @crashes = qw(ILL TRAP ABRT BUS FPE SEGV SYS XFSZ STKFLT);
my @methods = qw(auto multi perf tracefs ptrace);
my %documented = map { $_ => 1 } 0, 1, 2, 77, 99;

my ($work, $tpcheck, $bitcoind, %victims, @burners, %known_mounts, %table);

sub fail { print STDERR "torture: @_\n"; exit 99 }
sub pick { $_[int rand @_] }
sub between { $_[0] + rand($_[1] - $_[0]) }

sub slurp {
	my ($path) = @_;
	open my $in, '<:raw', $path or return '';
	local $/;
	return scalar(<$in>) // '';
}

sub spit {
	my ($path, $text) = @_;
	open my $out, '>', $path or fail("$path: $!");
	print $out $text;
	close $out;
}

sub must_run { system(@_) == 0 or fail("failed: @_") }

# Processes that run a program of our folder or were started with a variable that names it, except those that are meant
# to run.
sub processes {
	my %meant = map { $_->{pid} => 1 } values %victims;
	my @found;
	for my $pid (map { m{/proc/(\d+)} ? $1 : () } glob '/proc/[0-9]*') {
		my $exe = readlink("/proc/$pid/exe") // next;
		push @found, $pid
			if !$meant{$pid} && ($exe =~ /^\Q$work\E\// || slurp("/proc/$pid/environ") =~ /=\Q$work\E\//);
	}
	return @found;
}

# Network namespaces other than ours that these processes, the victims or we are in or have open. Those that are mounted
# somewhere count as mounts. Without any of these, the kernel ends a namespace.
sub networks {
	my $home = readlink('/proc/self/ns/net') // '';
	my %found;
	for my $pid ($$, processes(), map { $_->{pid} } values %victims) {
		$found{$_} = 1 for grep { /^net:/ && $_ ne $home } map { readlink // '' } "/proc/$pid/ns/net", glob "/proc/$pid/fd/*";
	}
	return sort keys %found;
}

sub events {
	my @found;
	for (split /\n/, slurp("$work/tracefs/uprobe_events")) {
		push @found, $1 if m{^p:(tpcheck_\d+_(\d+)/\S+)} && !-d "/proc/$2";
	}
	return @found;
}

sub mounts { map { (split)[1] => 1 } split /\n/, slurp('/proc/self/mounts') }

# The kernel's complaints about probes that it cannot take out.
sub leaks { scalar grep /failed to unregister/, `dmesg 2>/dev/null` }

# Locations and semaphores of a program's notes, relative to where it is loaded.
sub notes_of {
	my ($path) = @_;
	my (%locations, %semaphores);
	for (`readelf -Wn '$path'`) {
		next unless /Location: (0x[0-9a-f]+), Base: 0x[0-9a-f]+, Semaphore: (0x[0-9a-f]+)/;
		$locations{hex $1} = 1;
		$semaphores{hex $2} = 1 if hex $2;
	}
	return ([sort keys %locations], [sort keys %semaphores]);
}

sub start_victim {
	my ($name) = @_;
	my $path = "$work/victims/$name-" . int(time * 1000);
	my @command = ($path, '__specimen');
	if ($name eq 'bitcoind') {
		mkdir "$work/victims/data";
		@command = ($path, '-regtest', "-datadir=$work/victims/data", qw(-listen=0 -connect=0 -server=0 -printtoconsole=0));
	}
	must_run('cp', $name eq 'bitcoind' ? $bitcoind : "$tpcheck-full", $path);
	pipe(my $in, my $out) or fail("pipe: $!");
	my $pid = fork // fail("fork: $!");
	if (!$pid) {
		setpgrp;
		close $out;
		open STDIN, '<&', $in;
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		exec @command or POSIX::_exit(99);
	}
	my ($locations, $semaphores) = notes_of($path);
	@$locations or fail("$path has no tracepoints");
	$victims{$name} = { pid => $pid, path => $path, out => $out, locations => $locations, semaphores => $semaphores };
	for (1 .. 500) {
		last if (readlink("/proc/$pid/exe") // '') eq $path;
		sleep 0.02;
	}
	my $type = `readelf -Wh '$path'`;
	slurp("/proc/$pid/maps") =~ /^([0-9a-f]+)-[0-9a-f]+ \S+ 0+ .*\Q$path\E$/m or fail("$path is not running");
	my $start = hex $1;
	$victims{$name}{bias} = $type =~ /DYN/ ? $start : 0;
}

sub stop_victim {
	my ($name) = @_;
	my $victim = delete $victims{$name} or return;
	kill KILL => $victim->{pid};
	waitpid $victim->{pid}, 0;
	unlink $victim->{path};
}

# Traps and raised semaphores in the victims.
sub traps {
	my @found;
	for my $name (sort keys %victims) {
		my $victim = $victims{$name};
		open my $mem, '<:raw', "/proc/$victim->{pid}/mem" or do { push @found, "$name is gone"; next };
		my ($trap_cnt, $raised_cnt) = (0, 0);
		for (@{ $victim->{locations} }) {
			sysseek $mem, $_ + $victim->{bias}, 0;
			my $read = sysread $mem, my $byte, 1;
			$trap_cnt++ if $read && $byte eq "\xcc";
		}
		for (@{ $victim->{semaphores} }) {
			sysseek $mem, $_ + $victim->{bias}, 0;
			my $read = sysread $mem, my $bytes, 2;
			$raised_cnt++ if $read && unpack('S', $bytes);
		}
		push @found, "$trap_cnt traps and $raised_cnt raised semaphores in $name" if $trap_cnt || $raised_cnt;
	}
	return @found;
}

sub files { map { s{^\Q$work\E/}{}r } grep { !m{/\.\.?$} } glob("$work/tmp/* $work/tmp/.[!.]*"), glob("$work/small/*") }

# What is left: a reference to a hash from what to names.
sub left {
	my %now = mounts();
	my %left = (
		processes => [processes()],
		networks => [networks()],
		folders => [files()],
		mounts => [grep { !$known_mounts{$_} } keys %now],
		events => [events()],
		traps => [traps()],
	);
	delete @left{ grep { !@{ $left{$_} } } keys %left };
	return \%left;
}

# Removes it, so that the next try starts clean.
sub clean {
	my ($left) = @_;
	kill KILL => @{ $left->{processes} } if $left->{processes};
	system('umount', '-l', $_) for @{ $left->{mounts} // [] };
	for my $event (@{ $left->{events} // [] }) {
		open my $out, '>>', "$work/tracefs/uprobe_events" or next;
		syswrite $out, "-:$event\n";
	}
	system('rm', '-rf', map { "$work/$_" } @{ $left->{folders} }) if $left->{folders};
	if ($left->{traps}) {
		stop_victim($_) for keys %victims;
		start_victim($_) for qw(bitcoind specimen);
	}
}

sub status_text {
	my ($status) = @_;
	return WIFSIGNALED($status) ? 'SIG' . $signal_names[WTERMSIG($status)] : WEXITSTATUS($status);
}

# Starts tpcheck: {args, env, shell, closed, stdout}. The shell text runs before it, in the same process.
sub begin {
	my ($how) = @_;
	my $text = ($how->{shell} // ':') . '; exec "$@"';
	$text .= " $_>&-" for @{ $how->{closed} // [] };
	my $pid = fork // fail("fork: $!");
	if (!$pid) {
		setpgrp;
		%ENV = (PATH => $ENV{PATH}, TMPDIR => "$work/tmp", HOME => "$work/tmp", TERM => 'dumb');
		my $env = $how->{env} // {};
		%ENV = () if $env->{nothing};
		for (grep { $_ ne 'nothing' } keys %$env) {
			if (defined $env->{$_}) { $ENV{$_} = $env->{$_} } else { delete $ENV{$_} }
		}
		chdir($how->{folder} // '/');
		rmdir $how->{folder} if $how->{lose_folder};
		open STDIN, '<', '/dev/null';
		my $stdout = $how->{stdout};
		ref $stdout ? open(STDOUT, '>&', $stdout) : open(STDOUT, '>', $stdout // "$work/out");
		open STDERR, '>', "$work/err";
		exec '/bin/sh', '-c', $text, 'sh', $how->{program} // $tpcheck, @{ $how->{args} } or POSIX::_exit(127);
	}
	return $pid;
}

# Waits for its end; undef if it hangs, and was killed.
sub finish {
	my ($pid, $patience) = @_;
	my $end = time + $patience;
	while (time < $end) {
		return $? if waitpid($pid, WNOHANG) == $pid;
		sleep 0.02;
	}
	kill KILL => $pid;
	waitpid $pid, 0;
	return undef;
}

sub send_signal {
	my ($pid, $name) = @_;
	kill $signal_number{$name}, $pid;
	if ($name =~ /^(STOP|TSTP|TTIN|TTOU)$/) {
		sleep between(0.01, 0.5);
		kill CONT => $pid;
	}
}

# Most signals are sent while tpcheck does something; some after its end.
sub when { my ($most) = @_; $most * rand()**1.3 }

my @patterns = ('utxocache.*', 'validation.*', 'net.inbound_*', 'mempool.*', 'coin_selection.*', '*');
sub some_command {
	my $attach = '--attach=' . pick(@methods);
	my $victim = $victims{ pick(sort keys %victims) };
	return pick(
		[['run', "--bitcoind=$bitcoind", "--artifacts=$work/kept", $attach, pick(@patterns)], 4],
		[['run', "--bitcoind=$bitcoind", "--artifacts=$work/kept", '--format=tap', '--report', "json=$work/report.json"], 4],
		[['selftest', $attach], 1.5],
		[['trace', "--pid=$victim->{pid}", $attach, '--duration=3'], 2],
		[['trace', "--bitcoind=$bitcoind", $attach, '--duration=3'], 3],
		[['doctor', "--bitcoind=$bitcoind"], 1.5],
		[['list'], 0.1],
	);
}

sub end_by {
	my ($signal) = @_;
	my ($args, $most) = @{ some_command() };
	return { args => $args, signal => $signal, at => when($most) };
}

sub short_run { ['run', "--bitcoind=$bitcoind", "--artifacts=$work/kept", '--timeout=5', @_, 'utxocache.*', 'net.inbound_message.*'] }

sub bitcoinds { grep { (readlink("/proc/$_/exe") // '') eq $bitcoind } processes() }

my %kinds = (
	signal => sub { end_by(pick(@catchable)) },
	crash => sub { end_by(pick(@crashes)) },
	kill => sub { end_by('KILL') },
	# During the attach to a running process.
	attach => sub {
		my $victim = $victims{ pick(sort keys %victims) };
		return {
			args => ['trace', "--pid=$victim->{pid}", '--attach=' . pick(@methods), '--duration=3'],
			signal => 'KILL', at => between(0.05, 0.7),
		};
	},
	node => sub {
		my $signal = pick(qw(KILL SEGV ABRT STOP TERM));
		my $at = between(0.1, 3);
		return { args => short_run(), note => "bitcoinds get $signal", meanwhile => sub {
			sleep $at;
			kill $signal_number{$signal}, bitcoinds();
		} };
	},
	imposter => sub {
		my $name = pick(map { s{.*/}{}r } sort glob "$work/imposters/*");
		my $how = { args => ['run', "--bitcoind=$work/imposters/$name", "--artifacts=$work/kept", '--timeout=2',
			'utxocache.spent.chain'], note => $name };
		@$how{qw(signal at)} = (pick(qw(INT TERM HUP)), when(3)) if rand() < 0.4;
		return $how;
	},
	environment => sub {
		my $args = pick(short_run(), ['selftest'], ['doctor'], ["trace", "--bitcoind=$bitcoind", '--duration=0.5']);
		mkdir "$work/lost";
		return { args => $args, %{ pick(
			{ env => { TMPDIR => undef }, note => 'no TMPDIR' },
			{ env => { TMPDIR => '' }, note => 'an empty TMPDIR' },
			{ env => { TMPDIR => 'tmp' }, folder => $work, note => 'a relative TMPDIR' },
			{ env => { TMPDIR => "$work/nowhere" }, note => 'no such TMPDIR' },
			{ env => { TMPDIR => '/proc' }, note => 'an unwritable TMPDIR' },
			{ env => { TMPDIR => "$work/out" }, note => 'TMPDIR is a file' },
			{ env => { nothing => 1 }, note => 'an empty environment' },
			{ env => { HOME => undef, PATH => '' }, note => 'neither HOME nor PATH' },
			{ env => { LC_ALL => 'tr_TR.UTF-8', LANG => 'x/../y', TZ => ':/etc/passwd' }, note => 'odd locale and zone' },
			{ env => { MALLOC_PERTURB_ => 85, OPENSSL_CONF => '/dev/zero', CPATH => '/dev' }, note => 'odd variables' },
			{ closed => [0], note => 'no stdin' },
			{ closed => [1], note => 'no stdout' },
			{ closed => [2], note => 'no stderr' },
			{ closed => [0, 1, 2], note => 'no descriptors' },
			{ folder => "$work/lost", lose_folder => 1, note => 'a deleted working folder' },
			{ shell => 'umask 777', note => 'umask 777' },
			{ shell => 'ulimit -s 256', note => 'a small stack' },
		) } };
	},
	descriptors => sub {
		my $cnt = 10 + int rand 51;
		return { args => pick(short_run(), ['selftest'], ['doctor']), shell => "ulimit -n $cnt", note => "$cnt descriptors" };
	},
	memory => sub {
		my $mib = int 40 * 40**rand;
		return { args => pick(short_run(), ['selftest'], ['doctor']), shell => "ulimit -v " . $mib * 1024, note => "$mib MiB" };
	},
	disk => sub {
		# Mounted for this try; root may fill what is reserved, too.
		my $kib = pick(64, 256, 1024, 4096);
		return { args => pick(short_run(), ['selftest'], ["trace", "--bitcoind=$bitcoind", '--duration=0.5']),
			env => { TMPDIR => "$work/small" }, small => "size=${kib}k,nr_inodes=" . pick(20, 0), note => "$kib KiB" };
	},
	files => sub {
		my $kib = pick(0, 1, 100, 4096);
		return { args => pick(short_run('--report', "json=$work/report.json"), ['selftest']), shell => "ulimit -f " . $kib * 2,
			note => "files of $kib KiB", stdout => pick("$work/out", '/dev/full') };
	},
	reader => sub {
		pipe(my $in, my $out) or fail("pipe: $!");
		fcntl $out, 1031, 4096; # F_SETPIPE_SZ
		return { args => pick(['run', "--bitcoind=$bitcoind", '--format=tap', '--report', "json=$work/report.json"], ['list'],
			['trace', "--bitcoind=$bitcoind", '--duration=2', '--payload=1000'], ['selftest', '--format=json']),
			stdout => $out, unread => $in, note => 'nobody reads', signal => pick(qw(INT TERM)), at => between(1, 6) };
	},
	# Two others end meanwhile.
	crowd => sub {
		my @signals = (pick(qw(INT TERM KILL)), pick(qw(INT TERM KILL)));
		my @others;
		return { args => short_run(), note => "others get @signals", meanwhile => sub {
			for (@signals) {
				my $how = end_by($_);
				push @others, [begin($how), $how];
			}
			for (@others) {
				sleep between(0, 1.5);
				send_signal($_->[0], $_->[1]{signal});
				finish($_->[0], $opt{patience}) // die "another one hangs after SIG$_->[1]{signal}\n";
			}
		}, sudden => scalar grep { $_ eq 'KILL' } @signals };
	},
);

# One try; how it ended, as text, and what was left.
sub try {
	my ($how) = @_;
	if ($how->{small}) {
		must_run('mount', '-t', 'tmpfs', '-o', "mode=1777,$how->{small}", 'tmpfs', "$work/small");
		$known_mounts{"$work/small"} = 1;
	}
	my $pid = begin($how);
	my $hangs = '';
	if ($how->{signal}) {
		my $end = time + $how->{at};
		my $ended = 0;
		while (time < $end && !$ended) {
			my $rest = $end - time;
			sleep($rest < 0.005 ? $rest : 0.005) if $rest > 0;
			my $state = slurp("/proc/$pid/stat");
			$ended = $state eq '' || $state =~ /\) Z /;
		}
		send_signal($pid, $how->{signal});
	}
	eval { $how->{meanwhile}->(); 1 } or $hangs = $@ if $how->{meanwhile};
	my $status = finish($pid, $opt{patience});
	my $text = defined $status ? status_text($status) : 'hangs';
	my $left = left();
	# On a busy machine the kernel needs half a minute to take out the perf events of a whole run.
	my $patience_end = time + $opt{patience};
	while (%$left && time < $patience_end) {
		sleep 0.05;
		$left = left();
	}
	if ($how->{small}) {
		# Files of a process that is left would keep it.
		system('umount', '-l', "$work/small");
		delete $known_mounts{"$work/small"};
	}
	chomp $hangs;
	$left->{others} = [$hangs] if $hangs;
	return ($text, $left);
}

sub is_documented {
	my ($text, $how) = @_;
	return 1 if $documented{$text};
	# Without memory, the loader may fail before tpcheck starts.
	return 1 if $text eq '127' && slurp("$work/err") =~ /error while loading shared libraries/;
	return 0 if $text eq 'hangs' || !$how->{signal};
	return $text eq "SIG$how->{signal}" || $how->{signal} eq 'IO' && $text eq 'SIGPOLL';
}

sub prepare {
	$work = File::Temp::tempdir('tpcheck-torture-XXXXXX', DIR => $opt{dir});
	chmod 0755, $work;
	mkdir "$work/$_" for qw(victims tracefs imposters kept bin);
	mkdir "$work/$_" and chmod 01777, "$work/$_" for qw(tmp small);
	my ($given_tpcheck, $given_bitcoind) = @ARGV;
	# Copies: by these we know what is ours, and disturb nobody else who traces these files.
	must_run('cp', $given_tpcheck, "$work/bin/tpcheck");
	my $full = (grep { -x } "$given_tpcheck-full", $given_tpcheck =~ s{bin/tpcheck$}{libexec/tpcheck/tpcheck-full}r)[0]
		or fail("no tpcheck-full beside $given_tpcheck");
	must_run('cp', $full, "$work/bin/tpcheck-full");
	# What uses libbcc is in a module beside it.
	must_run('cp', $full =~ s{[^/]*$}{tpcheck-bcc.so}r, "$work/bin/tpcheck-bcc.so");
	must_run('cp', $given_bitcoind, "$work/bin/bitcoind");
	($tpcheck, $bitcoind) = ("$work/bin/tpcheck", "$work/bin/bitcoind");
	for (reverse split /\n/, slurp('/proc/self/mounts')) {
		my (undef, $at, $type) = split;
		system('umount', '-l', $at) if $type =~ /^(tracefs|debugfs)$/;
	}
	must_run('mount', '--bind', "$work/tmp", '/tmp');
	system("mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null && mount --bind /sys/kernel/tracing $work/tracefs") == 0
		or print "not tried: tracefs cannot be mounted\n";
	%known_mounts = mounts();
	make_imposters();
	start_victim($_) for qw(bitcoind specimen);
	for (1 .. $opt{busy}) {
		my $pid = fork // fail("fork: $!");
		if (!$pid) { setpgrp; 1 while getppid != 1 }
		push @burners, $pid;
	}
}

sub make_imposters {
	my %scripts = (script_exits => 'exit 0', script_hangs => 'exec sleep 1000', script_execs => "exec '$bitcoind' \"\$@\"",
		script_wraps => "'$bitcoind' \"\$@\"");
	for (sort keys %scripts) {
		spit("$work/imposters/$_", "#!/bin/sh\n$scripts{$_}\n");
		chmod 0755, "$work/imposters/$_";
	}
	my $imposter = $opt{imposter} // $ARGV[0] =~ s{[^/]*$}{tests/imposter}r;
	if (!-x $imposter) {
		print "not tried: programs in place of bitcoind: there is no '$imposter'\n";
		return;
	}
	must_run('cp', $imposter, "$work/imposters/$_") for qw(exits hangs garbage nonsense deaf daemon children);
}

sub tidy {
	return unless $work && $opt{inside} && $opt{inside} == $$;
	kill KILL => @burners;
	stop_victim($_) for keys %victims;
	kill KILL => processes();
	system('umount', '-l', '/tmp');
	system('umount', '-l', "$work/tracefs");
	system('umount', '-l', "$work/small") if $known_mounts{"$work/small"};
	system('rm', '-rf', $work);
}

sub add {
	my ($kind, $text, $left, $bad) = @_;
	my $row = $table{$kind} //= {};
	$row->{tries}++;
	$row->{codes}{$text}++;
	$row->{left}{$_}++ for keys %$left;
	$row->{bad}++ if $bad;
}

sub print_table {
	my ($seconds, $leak_cnt) = @_;
	my @what = qw(processes networks folders mounts events traps others);
	printf "\n%-20s %6s %6s | tries after which something was left: %s\n", 'kind', 'tries', 'bad', 'codes seen';
	printf "%-20s %6s %6s | %s |\n", '', '', '', join ' ', map { sprintf '%9s', $_ } @what;
	for my $kind (sort keys %table) {
		my $row = $table{$kind};
		printf "%-20s %6d %6d | %s | %s\n", $kind, $row->{tries}, $row->{bad} // 0,
			join(' ', map { sprintf '%9s', $row->{left}{$_} // '-' } @what),
			join(' ', map { "$_:$row->{codes}{$_}" } sort keys %{ $row->{codes} });
	}
	printf "%d s, seed %d, %d lines about leaked probes in the kernel's log\n", $seconds, $opt{seed}, $leak_cnt;
}

sub main {
	if ($opt{list}) {
		print map { "$_\n" } sort keys %kinds;
		return 0;
	}
	@ARGV == 2 && -x $ARGV[0] && -x $ARGV[1] or fail('usage: torture.pl [OPTION...] TPCHECK BITCOIND');
	my @kinds = $opt{kinds} ? split(/,/, $opt{kinds}) : sort keys %kinds;
	$kinds{$_} or fail("there is no kind '$_'; --list names them") for @kinds;
	$> == 0 or fail('run it as root');
	# Mounts of its own, which end with it.
	exec "$FindBin::Bin/../own_mounts.sh", $^X, $0, '--inside', @given unless $opt{inside};
	$opt{inside} = $$;
	$SIG{$_} = sub { exit 99 } for qw(HUP INT TERM);
	$SIG{PIPE} = 'IGNORE';
	$| = 1;
	srand $opt{seed};
	prepare();
	my ($begin, $leaks_before) = (time, leaks());
	for my $number (1 .. $opt{count}) {
		last if $opt{seconds} && time - $begin >= $opt{seconds};
		my $kind = pick(@kinds);
		my $how = $kinds{$kind}->();
		my ($text, $left) = try($how);
		my $is_sudden = $how->{sudden} || grep { $_ eq ($how->{signal} // '') } 'KILL', @crashes;
		my $bad = !is_documented($text, $how) || %$left;
		my $what = sprintf '%d %s: %s%s%s: %s', $number, $kind,
			join(' ', map { s{\Q$work\E/}{}gr } @{ $how->{args} }), $how->{note} ? ", $how->{note}" : '',
			$how->{signal} ? sprintf(', SIG%s at %.2f s', $how->{signal}, $how->{at}) : '', $text;
		$what .= "; left: " . join(', ', map { "$_ (" . join(' ', @{ $left->{$_} }) . ')' } sort keys %$left) if %$left;
		print "$what\n" if $opt{verbose} || $bad;
		my $size = -s "$work/err";
		print slurp("$work/err") =~ s/^/    /gmr if $bad && $size && $size < 2000;
		add($is_sudden ? "$kind, sudden" : $kind, $text, $left, $bad);
		clean($left);
	}
	my $leak_cnt = leaks() - $leaks_before;
	print_table(time - $begin, $leak_cnt);
	my ($bad, $bad_sudden) = (0, 0);
	$_ =~ /sudden/ ? $bad_sudden += $table{$_}{bad} // 0 : $bad += $table{$_}{bad} // 0 for keys %table;
	print "$bad bad tries where tpcheck ended by itself, $bad_sudden where it was killed or crashed\n";
	return $bad || $bad_sudden || $leak_cnt ? 1 : 0;
}

my $owner = $$;
END { if ($$ == $owner) { my $code = $?; tidy(); $? = $code } }
exit main();

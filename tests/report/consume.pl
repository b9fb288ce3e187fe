#!/usr/bin/perl
# Reads a report as its consumers do and compares it with what JSON says of the same run:
#
#	consume.pl tap13|junit|github JSON REPORT [--require] [--interrupted]
#
# TAP by the parser of prove, its YAML by libyaml, XML by libxml2, GitHub's commands by the rules that its runner
# documents. Prints what differs, and ends with 1 if anything does.
use strict;
use warnings;
no warnings 'nonchar';
use utf8;
use Encode ();
use JSON::PP ();
use TAP::Parser;
use YAML::XS ();

binmode STDOUT, ':utf8';

my ($format, $json_file, $report_file, @flags) = @ARGV;
my $require = grep { $_ eq '--require' } @flags;
my $interrupted = grep { $_ eq '--interrupted' } @flags;
my ($compared, $wrong) = (0, 0);

sub slurp {
	my ($path) = @_;
	open my $in, '<:raw', $path or die "$path: $!\n";
	local $/;
	return scalar <$in>;
}

sub show { return defined $_[0] ? JSON::PP->new->allow_nonref->ascii->encode("$_[0]") : 'undef' }

sub same {
	my ($what, $got, $want) = @_;
	$compared++;
	return if !defined $got && !defined $want;
	return if defined $got && defined $want && $got eq $want;
	$wrong++;
	print "$what: want ", show($want), ', got ', show($got), "\n";
}

my $run = JSON::PP->new->utf8->decode(slurp($json_file));
my @scenarios = @{ $run->{scenarios} };
die "no scenarios\n" unless @scenarios;

sub is_good {
	my ($scenario) = @_;
	return $scenario->{outcome} eq 'pass' || ($scenario->{outcome} eq 'skip' && !$require);
}

# What a terminal does not simply show, except tabs and newlines.
my $hidden = qr/[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\x{34f}\x{61c}\x{115f}\x{1160}\x{3164}\x{ffa0}\x{180e}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{206f}\x{fe00}-\x{fe0f}\x{feff}\x{fff0}-\x{fffb}\x{e0000}-\x{e0fff}]/;

# As TAP::Parser hands it on: in one line, escapes left in it, blanks at its ends not.
sub escaped {
	my ($text) = @_;
	$text =~ s/[\t\n]|$hidden/ /g;
	$text =~ s/([#\\])/\\$1/g;
	$text =~ s/^\s+|\s+$//g;
	return $text;
}

sub characters {
	my ($text) = @_;
	utf8::decode($text) unless utf8::is_utf8($text);
	return $text;
}

sub check_tap {
	my $parser = TAP::Parser->new({ exec => [ 'cat', $report_file ] });
	my ($at, $bailouts, @comments) = (-1, 0);
	while (my $result = $parser->next) {
		if ($result->is_test) {
			my $scenario = $scenarios[ ++$at ];
			same("$at: description", characters($result->description), '- ' . escaped($scenario->{name}));
			same("$at: ok", $result->is_actual_ok ? 1 : 0, is_good($scenario) ? 1 : 0);
			same("$at: passes", $result->is_ok ? 1 : 0, is_good($scenario) ? 1 : 0);
			same("$at: skip", $result->has_skip ? 1 : 0, $scenario->{outcome} eq 'skip' && !$require ? 1 : 0);
			same("$at: reason", characters($result->explanation), escaped($scenario->{reason} =~ s/\n.*//sr)) if $result->has_skip;
			same("$at: todo", $result->has_todo ? 1 : 0, 0);
		} elsif ($result->is_yaml) {
			my $scenario = $scenarios[$at];
			my $first = $scenario->{findings}[0];
			# The block without the two blanks that TAP puts before its lines.
			my $block = $result->raw =~ s/^  //gmr . "\n";
			utf8::encode($block) if utf8::is_utf8($block);
			my $yaml = YAML::XS::Load($block);
			same("$at: read by TAP::Parser", ref $result->data, 'HASH');
			same("$at: $_", $yaml->{$_}, $scenario->{$_}) for qw(outcome duration_ms reason artifacts);
			same("$at: severity", $yaml->{severity}, is_good($scenario) ? 'comment' : 'fail');
			same("$at: message", $yaml->{message}, $first ? $first->{message} : $scenario->{reason});
			same("$at: wanted", $yaml->{wanted}, $first && $first->{want});
			same("$at: found", $yaml->{found}, $first && $first->{got});
			same("$at: repeat", $yaml->{repeat}, $scenario->{artifacts}); # so the sample has them
			my @findings = @{ $yaml->{findings} || [] };
			same("$at: findings", scalar @findings, scalar @{ $scenario->{findings} });
			for my $i (0 .. $#findings) {
				my $want = $scenario->{findings}[$i];
				same("$at: finding $i: members", join(' ', sort keys %{ $findings[$i] }), join(' ', sort keys %$want));
				same("$at: finding $i: $_", $findings[$i]{$_}, $want->{$_}) for keys %$want;
			}
		} elsif ($result->is_comment) {
			push @comments, characters($result->comment);
		} elsif ($result->is_bailout) {
			$bailouts++;
		} elsif ($result->is_unknown) {
			same('an unknown line', $result->raw, undef);
		}
	}
	for my $member (qw(attach attach_why)) {
		my @got = map { /^$member: (.*)/ ? $1 : () } @comments;
		same("$member: once", scalar @got, defined $run->{$member} ? 1 : 0);
		same($member, $got[0], defined $run->{$member} ? escaped($run->{$member}) : undef);
	}
	same('tests', $at + 1, scalar @scenarios);
	same('plan', $parser->tests_planned, scalar @scenarios);
	same('bailouts', $bailouts, $interrupted ? 1 : 0);
	same('parse errors', join('; ', $parser->parse_errors), '');
}

sub xpath {
	my ($expression) = @_;
	open my $in, '-|:encoding(UTF-8)', 'xmllint', '--xpath', $expression, $report_file or die "xmllint: $!\n";
	local $/;
	my $text = <$in>;
	close $in or die "xmllint --xpath '$expression' failed\n";
	$text =~ s/\n\z//;
	return $text;
}

# What XML cannot hold.
sub xml_text {
	my ($text) = @_;
	$text =~ s/[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]/\x{fffd}/g;
	return $text;
}

sub check_junit {
	my %cnt = (failure => 0, error => 0, skipped => 0);
	same('testcases', xpath('count(//testcase)'), scalar @scenarios);
	same('bitcoind', xpath('string(//property[@name="bitcoind"]/@value)'), xml_text($run->{node}{path}));
	same($_, xpath("string(//property[\@name='$_']/\@value)"), xml_text($run->{$_} // '')) for qw(attach attach_why);
	same('interrupted', xpath('string(//property[@name="interrupted"]/@value)'), $interrupted ? 'true' : 'false');
	for my $i (1 .. @scenarios) {
		my $scenario = $scenarios[ $i - 1 ];
		my $first = $scenario->{findings}[0];
		my ($class, $name) = $scenario->{name} =~ /^(.*)\.([^.]*)$/;
		my $case = "(//testcase)[$i]";
		my $element = { pass => undef, fail => 'failure', skip => $require ? 'error' : 'skipped', error => 'error' }
			->{ $scenario->{outcome} };
		same("$i: class", xpath("string($case/\@classname)"), $class);
		same("$i: name", xpath("string($case/\@name)"), $name);
		same("$i: time", xpath("string($case/\@time)"), sprintf '%.3f', $scenario->{duration_ms} / 1000);
		same("$i: verdicts", xpath("count($case/*[name() != 'system-out'])"), $element ? 1 : 0);
		next unless $element;
		$cnt{$element}++;
		same("$i: message", xpath("string($case/$element/\@message)"),
			xml_text($first ? $first->{message} : $scenario->{reason}));
		next unless $first;
		my $text = xpath("string($case/failure)");
		my $part = xml_text("      want: $first->{want}\n      from: $first->{source}\n      got:  $first->{got}\n");
		same("$i: want, from and got", index($text, $part) >= 0 ? 1 : 0, 1);
		same("$i: output", xpath("string($case/system-out)"),
			xml_text("kept: $scenario->{artifacts}\nrepeat with: $scenario->{artifacts}\n"));
	}
	for my $of ('/testsuites', '/testsuites/testsuite') {
		same("$of: tests", xpath("string($of/\@tests)"), scalar @scenarios);
		same("$of: failures", xpath("string($of/\@failures)"), $cnt{failure});
		same("$of: errors", xpath("string($of/\@errors)"), $cnt{error});
	}
	same('skipped', xpath('string(/testsuites/testsuite/@skipped)'), $cnt{skipped});
}

# https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions: "::name key=value,key=value::data".
# The runner takes blanks before it as nothing, and the old "##[name]" anywhere in a line; after stop-commands only the
# token is heard.
sub commands_of {
	my ($text) = @_;
	my ($token, @commands);
	for my $line (split /\n/, $text) {
		my ($command, $data) = $line =~ /^\s*::(.*?)::(.*)$/s;
		my ($name, $properties) = defined $command ? split(/ /, $command, 2) : ();
		if (defined $token) {
			$token = undef if defined $name && $name eq $token;
			next;
		}
		$name = 'old', $data = $line if !defined $name && $line =~ /##\[/;
		next unless defined $name;
		if ($name eq 'stop-commands') {
			$token = $data;
			next;
		}
		my %property;
		for (split /,/, $properties // '') {
			my ($key, $value) = /^([^=]*)=(.*)$/s;
			$value =~ s/%(0D|0A|3A|2C|25)/chr hex $1/ge;
			$property{$key} = $value;
		}
		$data =~ s/%(0D|0A|25)/chr hex $1/ge;
		push @commands, { name => $name, data => $data, %property };
	}
	same('the token was given again', defined $token ? 0 : 1, 1);
	return @commands;
}

# A pattern for the text as a terminal may show it: see utf8_show. JSON has U+FFFD for bytes that are not UTF-8.
sub shown {
	my ($text) = @_;
	$text =~ s/($hidden)/join '', map { sprintf '\\x%02x', ord } split \/\/, Encode::encode('UTF-8', $1)/ge;
	return join '(?:\x{fffd}|\\\\x[89a-f][0-9a-f])', map { quotemeta } split /\x{fffd}/, $text, -1;
}

sub check_github {
	my $text = Encode::decode('utf8', slurp($report_file));
	if (defined $run->{attach_why}) {
		my $line = shown("observed by $run->{attach}, because BPF cannot be used here: $run->{attach_why}");
		same('the method and why', scalar(() = $text =~ /^$line$/gm), 1);
	}
	my @commands = commands_of($text);
	my (@blames, %blame_of, @reasons, %reason_of);
	for my $scenario (@scenarios) {
		for my $finding (@{ $scenario->{findings} }) {
			my $key = defined $finding->{tracepoint} ? join("\0", $finding->{tracepoint}, $finding->{argument} // 0) : '';
			push @blames, $blame_of{$key} = { first => $finding, scenario => $scenario, name => $scenario->{name}, cnt => 0, level => 'warning' }
				unless $blame_of{$key};
			$blame_of{$key}{cnt}++;
			$blame_of{$key}{level} = 'error' if $scenario->{outcome} eq 'fail';
		}
		next unless $scenario->{outcome} =~ /^(skip|error)$/;
		my $key = "$scenario->{outcome} $scenario->{reason}";
		push @reasons, $reason_of{$key} = { %$scenario, names => [] } unless $reason_of{$key};
		push @{ $reason_of{$key}{names} }, $scenario->{name};
	}
	same('annotations', scalar @commands, @blames + @reasons);
	for my $blame (@blames) {
		my $got = shift @commands;
		my $finding = $blame->{first};
		my $title = $finding->{tracepoint} // $blame->{name};
		$title .= " argument $finding->{argument} ($finding->{argument_name})" if $finding->{argument};
		same("$title: level", $got->{name}, $blame->{level});
		same("$title: title", $got->{title} =~ /^${\ shown($title)}$/ ? 1 : 0, 1);
		my $want = "$finding->{message}\n";
		$want .= "want: $finding->{want}\n" if defined $finding->{want};
		$want .= "from: $finding->{source}\n" if defined $finding->{source};
		$want .= "got: $finding->{got}\n" if defined $finding->{got};
		$want = shown($want);
		same("$title: message", $got->{data} =~ /^$want/ ? $want : $got->{data}, $want);
		my $repeat = $blame->{scenario}{repeat};
		$repeat = shown(defined $repeat ? "repeat with: $repeat" : "first in $blame->{name}");
		same("$title: repeat", $got->{data} =~ /$repeat$/ ? 1 : 0, 1);
		same("$title: count", $got->{data} =~ /^$want$blame->{cnt} findings? in \d+ scenarios?, first in / ? 1 : 0, 1);
	}
	for my $reason (@reasons) {
		my $got = shift @commands;
		same("$reason->{name}: level", $got->{name}, $reason->{outcome} eq 'error' || $require ? 'error' : 'warning');
		my $want = $reason->{reason};
		my @names = @{ $reason->{names} };
		my $cnt = @names;
		$want .= "\na skip counts as an error here (--require)" if $reason->{outcome} eq 'skip' && $require;
		splice @names, 10, $cnt, 'and ' . ($cnt - 10) . ' more' if $cnt > 10;
		$want .= "\n$_" for $cnt > 1 ? @names : ();
		$want = shown($want);
		same("$reason->{name}: message", $got->{data} =~ /^$want$/ ? $want : $got->{data}, $want);
		same("$reason->{name}: title", $got->{title},
			($cnt == 1 ? $reason->{name} : "$cnt scenarios")
				. ($reason->{outcome} eq 'skip' ? ': skipped' : ': no verdict'));
	}
}

my %check = (tap13 => \&check_tap, junit => \&check_junit, github => \&check_github);
($check{$format} or die "$format: no such format\n")->();
print "$format: $compared compared, $wrong wrong\n";
exit($wrong ? 1 : 0);

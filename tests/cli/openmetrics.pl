#!/usr/bin/perl
# Checks an exposition strictly by the rules of OpenMetrics 1.0 that concern counters, gauges and histograms.
#
#	openmetrics.pl <file>
#
# Prints the first offence and ends with 1; else prints each sample's name and labels with its value, sorted.
use strict;
use warnings;

my $file = shift // die "usage: openmetrics.pl <file>\n";
open(my $in, '<:encoding(UTF-8)', $file) or die "$file: $!\n";
local $/;
my $text = <$in>;
sub bad { print "$file: @_\n"; exit 1 }

bad('does not end with # EOF') if $text !~ s/(\A|\n)# EOF\n\z/$1/;
bad('has an empty line') if $text =~ /^$/m && $text ne '';
my ($name, $type, $unit, $has_help, %seen, %samples, %histograms);
my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^\\"\n]|\\[\\"n])*"/;
my %suffixes = (counter => ['_total'], gauge => [''], histogram => ['_bucket', '_count', '_sum']);

for my $line (split /\n/, $text) {
	if ($line =~ /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (\w+)$/) {
		bad("$1 is declared twice") if $seen{$1}++;
		($name, $type, $unit, $has_help) = ($1, $2, undef, 0);
		bad("the type $type is not used here") if !$suffixes{$type};
		bad("$name has the suffix of a sample") if $name =~ /_(total|bucket|count|sum|created|info)$/;
	} elsif ($line =~ /^# UNIT (\S+) (\w+)$/) {
		bad("a unit of $1, not of $name") if $1 ne $name;
		bad("$name does not end with its unit $2") if $name !~ /_\Q$2\E$/;
	} elsif ($line =~ /^# HELP (\S+) (.+)$/) {
		bad("a help of $1, not of $name") if $1 ne $name || $has_help++;
	} elsif ($line =~ /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{($label(?:,$label)*)\})? (\S+)$/) {
		my ($sample, $labels, $value) = ($1, $2 // '', $3);
		my ($suffix) = grep { $sample eq "$name$_" } @{$suffixes{$type}};
		bad("$sample is not of $name") if !defined $suffix;
		bad("$name has no help") if !$has_help;
		bad("'$value' is not a number") if $value !~ /^-?(\d+(\.\d+)?([eE][-+]?\d+)?)$/;
		bad("$sample is negative") if $type ne 'gauge' && $value < 0;
		bad("$sample\{$labels} is there twice") if exists $samples{"$sample\{$labels}"};
		my @names = $labels =~ /(?:^|,)([a-zA-Z0-9_]+)="/g;
		my %names = map { $_ => 1 } @names;
		bad("a label is there twice in $line") if keys %names != @names;
		$samples{"$sample\{$labels}"} = $value;
		if ($type eq 'histogram') {
			my $le = $labels =~ s/,?le="([^"]*)"$// ? $1 : undef;
			bad("$sample has no le") if $suffix eq '_bucket' && !defined $le;
			my $histogram = $histograms{"$name\{$labels}"} //= {le => '-Inf', cnt => 0};
			if ($suffix eq '_bucket') {
				bad("$line is not cumulative") if $value < $histogram->{cnt};
				bad("$line: bounds do not rise") if $le ne '+Inf' && $histogram->{le} ne '-Inf' && $le <= $histogram->{le};
				@$histogram{'le', 'cnt'} = ($le, $value);
			} elsif ($suffix eq '_count') {
				bad("$line: the last bucket has $histogram->{cnt}") if $histogram->{le} ne '+Inf' || $value != $histogram->{cnt};
			}
		}
	} else {
		bad("not understood: $line");
	}
}
binmode STDOUT, ':encoding(UTF-8)';
print "$_ $samples{$_}\n" for sort keys %samples;

/* A script that stands in for bitcoind: it answers RPCs as a test wants, true or not. */
#ifndef TPCHECK_TESTS_FAKE_NODE_H
#define TPCHECK_TESTS_FAKE_NODE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Perl, whose interpreter every Debian has. */
static const char fake_node_script[] =
	"#!/usr/bin/perl\n"
	"use strict;\n"
	"use IO::Select;\n"
	"use IO::Socket::INET;\n"
	"$SIG{PIPE} = 'IGNORE';\n"
	"my ($dir) = map { /^-datadir=(.*)/ ? $1 : () } @ARGV;\n"
	"my ($port) = map { /^-rpcport=(.*)/ ? $1 : () } @ARGV;\n"
	"mkdir \"$dir/regtest\";\n"
	"open my $log, '>', \"$dir/regtest/debug.log\";\n"
	"my %answers = (getmempoolinfo => ['{\"loaded\": true}'],\n"
	"	getnetworkinfo => ['{\"version\": 310000, \"subversion\": \"/fake/\"}']);\n"
	"my %own;\n"
	"while (<DATA>) {\n"
	"	/^log (.*)/ and print($log \"$1\\n\"), next;\n"
	"	/^(\\w+) (.*)/ or next;\n"
	"	$answers{$1} = [] if !$own{$1}++;\n"
	"	push @{$answers{$1}}, $2;\n"
	"}\n"
	"close $log;\n"
	"my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 5, ReuseAddr => 1)\n"
	"	or die 'Unable to bind';\n"
	"open my $cookie, '>', \"$dir/regtest/.cookie\";\n"
	"print $cookie '__cookie__:00';\n"
	"close $cookie;\n"
	/* Whoever connects and says nothing keeps nobody else waiting. */
	"my $select = IO::Select->new($listener);\n"
	"my (%requests, $stops);\n"
	"while (my @ready = $select->can_read) {\n"
	"	for my $peer (@ready) {\n"
	"		exit 0 if $stops && $peer == $listener;\n"
	"		$select->add($listener->accept // ()), next if $peer == $listener;\n"
	"		$requests{$peer} //= '';\n"
	"		my $got = sysread $peer, $requests{$peer}, 65536, length $requests{$peer};\n"
	"		next if $got && $requests{$peer} !~ /\\r\\n\\r\\n.*\\}\\s*$/s;\n"
	"		answer($peer, $requests{$peer}) if $got;\n"
	"		delete $requests{$peer};\n"
	"		$select->remove($peer);\n"
	"		close $peer;\n"
	"	}\n"
	"}\n"
	"sub answer {\n"
	"	my ($peer, $request) = @_;\n"
	"	my ($id) = $request =~ /\"id\":\\s*(\\d+)/;\n"
	"	my ($method) = $request =~ /\"method\":\\s*\"(\\w+)\"/;\n"
	"	$stops = $method eq 'stop' && $answers{stop};\n"
	"	my $list = $answers{$method} // ['error {\"code\": -32601, \"message\": \"Method not found\"}'];\n"
	"	my $answer = @$list > 1 ? shift @$list : $list->[0];\n"
	"	my ($result, $error) = $answer =~ /^error (.*)/ ? ('null', $1) : ($answer, 'null');\n"
	"	my $body = \"{\\\"result\\\": $result, \\\"error\\\": $error, \\\"id\\\": $id}\";\n"
	"	print $peer \"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: \", length $body, \"\\r\\n\\r\\n$body\";\n"
	"}\n"
	"__DATA__\n";

/* Makes it. Each line of answers is "METHOD RESULT", in JSON, or "METHOD error ERROR"; several of a method are given
 * one after the other, the last again and again. After an answer to stop it ends when somebody connects. "log TEXT" is
 * a line of its debug.log. False if it cannot. */
static inline bool
fake_node_make(const char *path, const char *answers)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return false;
	bool ok = fputs(fake_node_script, file) >= 0 && fputs(answers, file) >= 0;
	return !fclose(file) && ok && !chmod(path, 0755);
}

#endif

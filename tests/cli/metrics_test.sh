#!/bin/sh
# tpcheck trace --stats --format=openmetrics: a file that is replaced as a whole, and a server; read by promtool, Prometheus
# and node_exporter, if they are installed.
#	metrics_test.sh <tpcheck> <refuse>
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
trace_metrics() { "$tpcheck" trace --stats --format=openmetrics "$@"; }

# Wrong usage, found before anything is attached to.
run 2 "$tpcheck" trace --pid=1 --format=openmetrics
check "metrics of events" complains 'format=openmetrics needs --stats'
run 2 "$tpcheck" trace --pid=1 --stats --output=x
check "a file for a table" complains 'output and --listen need --format=openmetrics'
run 2 "$tpcheck" trace --pid=1 --stats --format=json --listen=127.0.0.1:0
check "a server of JSON" complains 'output and --listen need --format=openmetrics'
run 2 trace_metrics --pid=1 --listen=127.0.0.1:0 --interval=1
check "an interval for a server" complains 'interval has no effect with --listen'
for address in 0.0.0.0:9332 192.0.2.1:9332 '[::]:9332' '[2001:db8::1]:9332' 128.0.0.1:1; do
	run 2 trace_metrics --pid=1 "--listen=$address"
	check "$address, which others reach" grep -qF "'$address' can be reached by other machines" "$scratch/err"
done
for address in 9332 :9332 127.0.0.1 127.0.0.1: 127.0.0.1:x 127.0.0.1:65536 127.0.0.1:-1 127.0.0.1:+1 127.0.0.1.1:1 '[127.0.0.1]:1' '[::1]' ::1:9332 '[::1:9332' '[]:1' example.org:80 ''; do
	run 2 trace_metrics --pid=1 "--listen=$address"
	check "'$address', which is no address" grep -qF "'$address' is not of the form" "$scratch/err"
done
run 2 trace_metrics --pid=1 --output="$scratch/none/metrics.prom"
check "a folder that does not exist" complains "failed to write '$scratch/none/metrics.prom': No such file or directory; its folder does not exist"
check "said once" [ "$(wc -l <"$scratch/err")" = 1 ]
run 2 trace_metrics --pid=1 --output="$scratch"
check "a folder" complains "failed to write '$scratch': it is not a file"
mkfifo "$scratch/fifo"
run 2 trace_metrics --pid=1 --output="$scratch/fifo"
check "a FIFO" complains "failed to write '$scratch/fifo': it is not a file"
# Killed by the system call 82, rename, between the new file and the old one: the keeper removes the new one.
mkdir "$scratch/killed"
for folder in "$scratch/killed/" ''; do
	# shellcheck disable=SC2016
	run 159 sh -c 'ulimit -c 0; cd "$0" && exec "$@"' "$scratch/killed" "$2" 82 kill "$tpcheck" trace --stats \
		--format=openmetrics --pid=1 --output="${folder}x"
	await test ! -e "$scratch/killed/.x.new"
	rm -f "$scratch/killed/.x.new"
done
if [ "$(id -u)" = 0 ]; then
	mkdir "$scratch/closed" && chmod 755 "$scratch/closed"
	built=$tpcheck
	install_for_everybody
	run 2 setpriv --reuid=$uid --regid=$uid --clear-groups --bounding-set=-all "$tpcheck" trace --stats --format=openmetrics --pid=1 --output="$scratch/closed/x"
	check "a folder of somebody else" complains "failed to write '$scratch/closed/x': Permission denied; .* its folder must be writable"
	tpcheck=$built
fi
if [ ! -e "$(dirname "$tpcheck")/tpcheck-http.so" ]; then
	skip_part "the server: tpcheck was built without libmicrohttpd (Debian: apt-get install libmicrohttpd-dev)"
fi
# Without the library, or the module: the other ways work, and the message says so.
mkdir "$scratch/bare"
cp "$(dirname "$tpcheck")/tpcheck-full" "$(dirname "$tpcheck")/tpcheck-bcc.so" "$scratch/bare/"
run 99 "$scratch/bare/tpcheck-full" trace --stats --format=openmetrics --pid=1 --listen=127.0.0.1:0
check "without libmicrohttpd" complains 'failed to load libmicrohttpd: .*apt-get install libmicrohttpd12.*(--output=FILE) does not require it'
check "only the module needs libmicrohttpd" sh -c "! ldd '$scratch/bare/tpcheck-full' | grep -q microhttpd"

if ! can_trace; then
	skip_part "the parts that trace: $("$tpcheck" doctor | tail -n 1)"
	finish
fi

mkfifo "$scratch/in"
start_specimen() {
	"$(dirname "$tpcheck")/tpcheck-full" __specimen <"$scratch/in" >"$scratch/answers" 3>&- &
	specimen=$!
	exec 3>"$scratch/in"
	said=0
}
end_specimen() {
	exec 3>&-
	wait $specimen
}
start_specimen
send() {
	echo "$1" >&3
	said=$((said + 1))
	await sh -c "[ \$(grep -c done '$scratch/answers') -ge $said ]"
}
# begin ARGUMENT...: starts a trace of the specimen; returns once it has attached.
begin() {
	: >"$scratch/err"
	trace_metrics --pid=$specimen "$@" >"$scratch/out" 2>"$scratch/err" 3>&- &
	tracer=$!
	await complains 'attached to'
}
ends() {
	kill -INT $tracer
	wait $tracer
	got=$?
	check "exit code $got, want $1" [ $got = "$1" ]
}
# valid FILE: by our own parser; its samples go to $scratch/samples.
valid() { "$here/openmetrics.pl" "$1" >"$scratch/samples" || { head -n 3 "$scratch/samples"; false; }; }
has_sample() { grep -qxF -e "$1" "$scratch/samples"; }
trace_metrics() { exec "$tpcheck" trace --stats --format=openmetrics "$@"; }
send 'burst 0'

# Standard output, once at the end.
begin
send 'burst 7'
ends 0
check "OpenMetrics on standard output" valid "$scratch/out"
check "the count" has_sample 'tpcheck_events_total{tracepoint="utxocache:add"} 7'
check "tracepoints that were silent" has_sample 'tpcheck_events_total{tracepoint="utxocache:flush"} 0'
check "nothing was lost" has_sample 'tpcheck_lost_events_total{reason="full_ring"} 0'

# A file: there before anything is attached to, readable by others, complete whenever it is read.
mkdir "$scratch/textfile"
metrics=$scratch/textfile/tpcheck.prom
begin --output="$metrics" --interval=0.05
check "the file is there" valid "$metrics"
check "others may read it" [ "$(stat -c %a "$metrics")" = 644 ]
check "nothing on standard output" [ ! -s "$scratch/out" ]
echo 'burst 300000' >&3
said=$((said + 1))
reads=0
incomplete=0
until [ "$(grep -c done "$scratch/answers")" -ge $said ] && [ $reads -ge 200 ]; do
	reads=$((reads + 1))
	[ "$(tail -n 1 "$metrics")" = '# EOF' ] || incomplete=$((incomplete + 1))
done
check "of $reads reads, $incomplete found a part of a file" [ $incomplete = 0 ]
await grep -q 'utxocache:add"} 300000$' "$metrics"
check "what the file has at last" valid "$metrics"
check "every event" has_sample 'tpcheck_events_total{tracepoint="utxocache:add"} 300000'
check "the distribution of an amount" has_sample 'tpcheck_event_value_satoshis_count{tracepoint="utxocache:add"} 300000'
send 'burst 3'
ends 0
check "the last events are in the file" grep -q 'utxocache:add"} 300003$' "$metrics"
check "no other file" [ "$(ls -A "$scratch/textfile")" = tpcheck.prom ]

# Values: each message type that the protocol does not know is "other".
begin --output="$metrics" --interval=0.05
send 'round 0'
ends 0
check "with all tracepoints" valid "$metrics"
check "message types are bounded" has_sample 'tpcheck_event_size_bytes_total{tracepoint="net:inbound_message",message_type="other"} 200'
check "nanoseconds in seconds" has_sample 'tpcheck_event_duration_seconds_sum{tracepoint="validation:block_connected"} 2.236e-06'
check "microseconds in seconds" grep -q '^tpcheck_event_duration_seconds_sum{tracepoint="utxocache:flush"} 0\.00[0-9]* *$' "$scratch/samples"
check "a state is a gauge" has_sample 'tpcheck_last_height{tracepoint="validation:block_connected"} 1114'
begin --by=peer_id,address,mode --output="$metrics"
send 'round 2'
ends 0
check "hostile values" valid "$metrics"
check "a value of an enumeration" grep -q 'mode="[0-9]*"' "$scratch/samples"

# The folder goes: reported once; the trace goes on, and fails at the end.
begin --output="$metrics" --interval=0.05
mv "$scratch/textfile" "$scratch/gone"
await complains "failed to write '$metrics': No such file or directory"
send 'burst 5'
ends 99
check "reported once" [ "$(grep -c 'failed to write' "$scratch/err")" = 1 ]

# Prometheus's format, which promtool and node_exporter read.
mkdir "$scratch/textfile"
: >"$scratch/err"
"$tpcheck" trace --pid=$specimen --stats --format=prometheus --output="$metrics" 2>"$scratch/err" 3>&- &
tracer=$!
await complains 'attached to'
send 'round 0'
ends 0
check "no EOF in it" sh -c "! grep -q '# EOF' '$metrics'"
if command -v promtool >/dev/null; then
	promtool check metrics <"$metrics" >"$scratch/out" 2>"$scratch/err"
	check "promtool accepts it" [ $? = 0 ]
	check "without a remark" [ ! -s "$scratch/err" -a ! -s "$scratch/out" ]
	# It does find mistakes.
	sed 's/^# HELP.*//' "$metrics" | promtool check metrics >"$scratch/out" 2>&1
	check "promtool finds what is wrong" [ $? != 0 ]
else
	skip_part "the check by promtool: it is not installed (Debian: apt-get install prometheus)"
fi

if [ -e "$(dirname "$tpcheck")/tpcheck-http.so" ] && command -v curl >/dev/null; then
	begin --listen=127.0.0.1:0
	url=$(sed -n 's/^tpcheck trace: metrics are at //p' "$scratch/err")
	check "the address is printed" [ -n "$url" ]
	send 'burst 11'
	await sh -c "curl -s '$url' | grep -q 'utxocache:add\"} 11\$'"
	curl -s -D "$scratch/headers" -o "$scratch/served" "$url"
	check "what is served" valid "$scratch/served"
	check "the type" grep -qi '^content-type: application/openmetrics-text; version=1.0.0; charset=utf-8' "$scratch/headers"
	curl -s -D "$scratch/headers" -H 'Accept: text/plain;version=0.0.4' -o "$scratch/served" "$url"
	check "the older format for who asks for it" grep -qi '^content-type: text/plain; version=0.0.4' "$scratch/headers"
	check "the older format" grep -q '^# TYPE tpcheck_events_total counter$' "$scratch/served"
	check "HEAD" [ "$(curl -s -I -o /dev/null -w '%{http_code}' "$url")" = 200 ]
	check "another path" [ "$(curl -s -o "$scratch/served" -w '%{http_code}' "${url%/metrics}/")" = 404 ]
	check "it points to the right one" grep -q 'see /metrics' "$scratch/served"
	check "no other method" [ "$(curl -s -o /dev/null -w '%{http_code}' -X POST -d x=1 "$url")" = 405 ]
	# Clients that say nothing hold nothing up.
	port=${url##*:}
	port=${port%/metrics}
	perl -MIO::Socket::INET -e '@s = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ARGV[0]) } 1 .. 20; syswrite($s[0], "GET /met"); print "open\n"; $| = 1; print "\n"; sleep 60' "$port" >"$scratch/idle" 3>&- &
	idle=$!
	await grep -q open "$scratch/idle"
	check "beside idle connections" [ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' "$url")" = 200 ]
	send 'burst 13'
	await sh -c "curl -s '$url' | grep -q 'utxocache:add\"} 24\$'"
	check "the trace goes on" sh -c "curl -s '$url' | grep -q 'utxocache:add\"} 24\$'"
	kill $idle
	# The port is in use.
	run 2 "$tpcheck" trace --stats --format=openmetrics --pid=$specimen --listen=127.0.0.1:"$port"
	check "a port that is in use" complains "failed to listen at '127.0.0.1:$port': Address already in use; .* name another port"
	if command -v prometheus >/dev/null; then
		cat >"$scratch/prometheus.yml" <<-END
			global: {scrape_interval: 1s}
			scrape_configs:
			- job_name: tpcheck
			  static_configs: [{targets: ['127.0.0.1:$port']}]
		END
		free=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1:0")->sockport')
		prometheus --config.file="$scratch/prometheus.yml" --storage.tsdb.path="$scratch/tsdb" \
			--web.listen-address=127.0.0.1:"$free" >"$scratch/prometheus.log" 2>&1 3>&- &
		prometheus=$!
		query() { curl -s -G "http://127.0.0.1:$free/api/v1/$1" --data-urlencode "query=$2"; }
		scraped() {
			query query 'tpcheck_events_total{tracepoint="utxocache:add"}' >"$scratch/out"
			json '.data.result[0].value[1] == "24"' "$scratch/out"
		}
		await scraped
		check "Prometheus has read it" scraped
		query query 'up{job="tpcheck"}' >"$scratch/out"
		check "without an error" json '.data.result[0].value[1] == "1"' "$scratch/out"
		curl -s "http://127.0.0.1:$free/api/v1/metadata" >"$scratch/out"
		check "with types and units" json '.data.tpcheck_event_value_satoshis[0] == {type: "histogram", unit: "satoshis", help: "Distribution of the argument value of the tracepoint'\''s events."}' "$scratch/out"
		# The document's queries are accepted.
		queries=0
		sed -n '/^```promql$/,/^```$/{ /^```/d; /^#/d; /^$/d; p }' "$here/../../doc/metrics.md" >"$scratch/queries"
		while read -r promql; do
			queries=$((queries + 1))
			query query "$promql" >"$scratch/out"
			check "doc/metrics.md: $promql" json '.status == "success"' "$scratch/out"
		done <"$scratch/queries"
		check "doc/metrics.md has queries ($queries)" [ $queries -ge 10 ]
		kill $prometheus
		wait $prometheus
	else
		skip_part "Prometheus as a reader: it is not installed (Debian: apt-get install prometheus)"
	fi
	ends 0
	begin --listen='[::1]:0' --output="$metrics"
	url=$(sed -n 's/^tpcheck trace: metrics are at //p' "$scratch/err")
	check "IPv6" [ "$(curl -s -g -o /dev/null -w '%{http_code}' "$url")" = 200 ]
	ends 0
	check "a file as well" valid "$metrics"
elif [ -e "$(dirname "$tpcheck")/tpcheck-http.so" ]; then
	skip_part "the server: curl is not installed (Debian: apt-get install curl)"
fi

# node_exporter reads both formats.
if command -v prometheus-node-exporter >/dev/null && command -v curl >/dev/null; then
	free=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1:0")->sockport')
	prometheus-node-exporter --collector.disable-defaults --collector.textfile --collector.textfile.directory="$scratch/textfile" \
		--web.listen-address=127.0.0.1:"$free" >/dev/null 2>&1 3>&- &
	exporter=$!
	for format in openmetrics prometheus; do
		: >"$scratch/err"
		"$tpcheck" trace --pid=$specimen --stats --format=$format --output="$metrics" 2>"$scratch/err" 3>&- &
		tracer=$!
		await complains 'attached to'
		send 'burst 21'
		ends 0
		await sh -c "curl -s 'http://127.0.0.1:$free/metrics' | grep -q 'utxocache:add\"} 21\$'"
		curl -s "http://127.0.0.1:$free/metrics" >"$scratch/out"
		check "$format: node_exporter has the events" says '^tpcheck_events_total{tracepoint="utxocache:add"} 21$'
		check "$format: without an error" says '^node_textfile_scrape_error 0$'
	done
	kill $exporter
	wait $exporter
else
	skip_part "node_exporter as a reader: it or curl is not installed (Debian: apt-get install prometheus-node-exporter curl)"
fi
end_specimen

# The keeper is killed: by ptrace, which does not need it to observe, the trace and its file are as usual. The two methods
# do not follow each other in one process.
if "$tpcheck" selftest --attach=ptrace >/dev/null 2>&1; then
	start_specimen
	send 'burst 0'
	begin --attach=ptrace --output="$metrics" --interval=0.05
	check "the keeper is killed" kill -KILL "$(pgrep -P $tracer -x usdt-keeper)"
	send 'burst 5'
	ends 0
	check "every event" grep -q 'utxocache:add"} 5$' "$metrics"
	check "no other file" [ "$(ls -A "$scratch/textfile")" = tpcheck.prom ]
	end_specimen
else
	skip_part "a killed keeper: ptrace does not work here"
fi
finish

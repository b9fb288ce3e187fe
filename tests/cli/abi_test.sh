#!/bin/sh
# tpcheck abi and tpcheck diff: on the specimens of all architectures, on files that are no binaries, and on a real
# bitcoind if there is one.
. "$(dirname "$0")/lib.sh"
specimens=$(cd "$(dirname "$0")/../specimens/foreign" && pwd)
copy_bitcoind
unset BITCOIND
native=$specimens/x86-64-gcc
pretenders=$2

# Every specimen is clean, whatever its architecture, compiler and kind.
for path in "$specimens"/*-*; do
	run 0 "$tpcheck" abi "$path"
	check "${path##*/}: the release is found in the file" says '^compared with master: the file says v31.99.0$'
	check "${path##*/}: a verdict at the end" sh -c "tail -n 1 '$scratch/out' | grep -qx 'the tracepoints are as documented in master'"
	check "${path##*/}: nothing on stderr" quiet
	run 0 "$tpcheck" abi --format=json "$path"
	check "${path##*/}: JSON" json '.outcome == "pass" and .findings == [] and (.tracepoints | length) == 20 and
		.binary.release == "master" and .binary.version == "v31.99.0" and
		(.tracepoints | all(.documented and (.locations[0].semaphore | test("^0x"))))' "$scratch/out"
	# From the head of the file: its class, its byte order, and its type, where 3 is a position-independent program.
	kind=$(perl -e 'read(STDIN, $head, 18); ($class, $data) = unpack("x4CC", $head);
		print $class * 32, $data == 1 ? " little " : " big ", unpack($data == 1 ? "v" : "n", substr($head, 16)) == 3 ? "true" : "false"' <"$path")
	check "${path##*/}: $kind" [ "$(jq -r '.binary | "\(.bits) \(.byte_order) \(.position_independent)"' "$scratch/out")" = "$kind" ]
done
run 0 "$tpcheck" abi --format=json "$specimens/mips-gcc"
check "32 bit, big-endian" json '.binary.bits == 32 and .binary.byte_order == "big" and .binary.machine == "mips" and (.binary.position_independent | not)' "$scratch/out"
run 0 "$tpcheck" abi "$specimens/arm-gcc"
check "what libbcc cannot do on arm" says '^info:  libbcc cannot read arguments on arm'
check "a size_t is as wide as a pointer" says '^note:  argument 5 (size) of net:inbound_message: documented as uint64; the code passes a size_t'
run 0 "$tpcheck" abi "$native"
check "where documentation and code differ" says '^note:  argument 5 (established) of net:closed_connection: documented as uint64; the code passes a signed'

# A release other than the file's.
run 1 "$tpcheck" abi --release=28 "$native"
check "compared with the given release" says '^compared with v28: given by --release$'
check "an extra argument" says '^WRONG: mempool:replaced has 8 arguments in the binary.s note; 7 are documented'
check "a tracepoint of a later release" says '^info:  net:closed_connection is not documented in v28 (documented since v29): 5 arguments'
check "the count at the end" says '^2 findings: the tracepoints are not as documented in v28$'

# Patched notes. sed keeps lengths.
patched() {
	LC_ALL=C sed "$2" "$native" >"$scratch/$1"
	if cmp -s "$native" "$scratch/$1"; then
		echo "FAILED: nothing was patched: $1"
		failures=$((failures + 1))
	fi
}
patched renamed 's/utxocache\x00spent\x00/utxocache\x00spenX\x00/'
run 1 "$tpcheck" abi "$scratch/renamed"
check "a missing tracepoint" says '^WRONG: utxocache:spent is missing: master documents it (since v23), but'
check "an undocumented tracepoint" says '^info:  utxocache:spenX is not documented in master: 5 arguments (8 bytes, unsigned; '
run 1 "$tpcheck" abi --format=json "$scratch/renamed"
check "both in JSON" json '.outcome == "fail" and (.findings | length) == 1 and .findings[0].tracepoint == "utxocache:spent" and
	.findings[0].argument == null and .information[0].tracepoint == "utxocache:spenX"' "$scratch/out"
patched narrowed 's/\(rejected\x00\)8@/\14@/'
run 1 "$tpcheck" abi --format=json "$scratch/narrowed"
check "a width: tracepoint, argument, want and got" json '.findings | length == 1 and .[0].tracepoint == "mempool:rejected" and .[0].argument == 1 and
	.[0].argument_name == "txid" and .[0].want == "8 bytes, unsigned" and .[0].got == "4 bytes, unsigned"' "$scratch/out"
run 1 "$tpcheck" diff "$native" "$scratch/narrowed"
check "the width in diff" says '^- `mempool:rejected` argument 1 (txid): 4 bytes, unsigned, was pointer to 32 bytes (8 bytes, unsigned)'
patched xmm 's/\(closed_connection\x00-8@[^ ]* \)8@[^ ]\{6\} /\18@%xmm3  /; s/\(closed_connection\x00-8@[^ ]* \)8@[^ ]\{7\} /\18@%xmm3   /'
run 1 "$tpcheck" abi "$scratch/xmm"
check "an xmm register, and what consumers read" says '^WRONG: argument 2 (address) of net:closed_connection cannot be read: the operand is in the SSE register %xmm3, which BPF cannot read; libbcc reads it as 0'

# A stripped file has the same result.
if command -v strip >/dev/null; then
	mkdir "$scratch/whole" "$scratch/stripped"
	for path in "$native" "$scratch/renamed" ${bitcoind:+"$bitcoind"}; do
		cp "$path" "$scratch/whole/file"
		strip -o "$scratch/stripped/file" "$path"
		(cd "$scratch/whole" && "$tpcheck" abi file; echo $?) >"$scratch/answer.whole"
		(cd "$scratch/stripped" && "$tpcheck" abi file; echo $?) >"$scratch/answer.stripped"
		check "$path stripped" cmp "$scratch/answer.whole" "$scratch/answer.stripped"
	done
fi

# Comparing.
run 0 "$tpcheck" diff "$specimens/x86-64-gcc" "$specimens/aarch64-clang"
check "equal on all architectures" says '^No change.$'
run 0 "$tpcheck" diff --release=master "$native"
run 1 "$tpcheck" diff "$native" "$scratch/renamed"
check "a removed tracepoint breaks" says '^- `utxocache:spent`: removed, with 5 arguments: txid pointer to 32 bytes, vout uint32,'
check "a new tracepoint does not" sh -c "sed -n '/^Compatible/,\$p' '$scratch/out' | grep -q 'utxocache:spenX.: new, with 5 arguments'"
run 0 "$tpcheck" diff --release=31 "$native"
run 1 "$tpcheck" diff 28 "$native"
check "the release as a word" says 'compared with the documentation of v28:$'
run 1 "$tpcheck" diff --release=28 "$native"
check "new tracepoints" [ "$(grep -c '^- `net:.*new, with' "$scratch/out")" = 5 ]
check "an argument after the others" sh -c "sed -n '/^Compatible/,\$p' '$scratch/out' | grep -q 'mempool:replaced. argument 8 (is_txid): new: bool (1 byte, unsigned), after'"
check "a change of meaning" sh -c "sed -n '/^Breaking/,/^Compatible/p' '$scratch/out' | grep -q 'mempool:replaced. argument 7 (replacement_fee): the fee is the modified fee'"
check "semaphores in one line" says '^- every tracepoint: has a semaphore now'
run 1 "$tpcheck" diff --release=28 --format=json "$native"
check "JSON of a diff" json '.outcome == "fail" and .old.path == null and .old.release == "v28" and .new.version == "v31.99.0" and
	.breaking == ([.changes[] | select(.breaking)] | length) and (.breaking + .compatible) == (.changes | length) and
	any(.changes[]; .kind == "argument added" and .argument == 8 and .argument_name == "is_txid" and .old == null)' "$scratch/out"
run 99 "$tpcheck" diff "$native" "$specimens/arm-gcc"
check "pointers of two sizes" complains '32-bit'

# Files that are not ELF, or that claim nonsense.
: >"$scratch/empty"
printf 'text\n' >"$scratch/text"
mkfifo "$scratch/fifo"
mkdir "$scratch/folder"
head -c 3000 "$native" >"$scratch/cut"
cp "$native" "$scratch/sparse"
truncate -s 20G "$scratch/sparse"
truncate -s 20G "$scratch/hole"
while read -r bytes name; do
	printf "$bytes" >"$scratch/other"
	run 99 "$tpcheck" abi "$scratch/other"
	check "the format of other files" complains "it is not an ELF file, but $name"
done <<'END'
\037\213 a gzip archive; unpack it
\3757zXZ an xz archive; unpack it
PK\003\004 a zip archive; unpack it
MZ a program for Windows
\317\372\355\376 a program for macOS
END
for file in empty text fifo folder cut hole nowhere; do
	run 99 timeout 5 "$tpcheck" abi "$scratch/$file"
	check "$file: the file is named" complains "ERROR .*$scratch/$file"
	run 99 timeout 5 "$tpcheck" abi --format=json "$scratch/$file"
	check "$file: also in JSON" json '.outcome == "error" and (.reason | length) > 10 and .tracepoints == []' "$scratch/out"
	run 99 timeout 5 "$tpcheck" diff "$native" "$scratch/$file"
	run 99 timeout 5 "$tpcheck" diff "$scratch/$file" "$native"
done
# A program that is not Bitcoin Core has no tracepoints either; but as NEW it must not pass for a change.
run 77 "$tpcheck" diff /bin/ls "$native"
check "OLD is a stranger" complains '^SKIP .*is not Bitcoin Core'
check "nothing for a file of Markdown" [ ! -s "$scratch/out" ]
run 77 "$tpcheck" diff /bin/ls /bin/ls
run 99 "$tpcheck" diff --require /bin/ls "$native"
for old in "$native" --release=31; do
	run 99 "$tpcheck" diff "$old" /bin/ls
	check "NEW is a stranger" complains '^ERROR .*is not Bitcoin Core'
	run 99 "$tpcheck" diff --format=json "$old" /bin/ls
	check "NEW is a stranger, in JSON" json '.outcome == "error" and (.reason | test("is not Bitcoin Core"))' "$scratch/out"
done
run 99 timeout 5 "$tpcheck" abi /dev/zero
run 0 timeout 5 "$tpcheck" abi "$scratch/sparse"
if command -v objcopy >/dev/null; then
	objcopy --remove-section .note.stapsdt "$native" "$scratch/bare"
	run 77 "$tpcheck" abi "$scratch/bare"
	check "no tracepoints: the remedy" says '^SKIP .*WITH_USDT=ON.*systemtap-sdt-dev'
	run 77 "$tpcheck" abi --format=json "$scratch/bare"
	check "JSON of a skip" json '.outcome == "skip" and (.reason | test("WITH_USDT"))' "$scratch/out"
	check "that they were removed" says "it was built with them, but its section .note.stapsdt was removed"
	run 99 "$tpcheck" abi --require "$scratch/bare"
	check "required, the reason is the same" says '^SKIP .*WITH_USDT=ON'
	# A build that lost all its tracepoints breaks every consumer.
	run 1 "$tpcheck" diff "$native" "$scratch/bare"
	check "20 removed tracepoints" [ "$(grep -c '^- `[a-z_]*:[a-z_]*`: removed, with' "$scratch/out")" = 20 ]
	check "and why" says "^'$scratch/bare' has no tracepoints: .*WITH_USDT=ON.*\.\$"
	run 1 "$tpcheck" diff --format=json "$native" "$scratch/bare"
	check "the same in JSON" json '.outcome == "fail" and .breaking == 20 and (.reason | test("WITH_USDT")) and .new.version == "v31.99.0" and .new.release == "master"' "$scratch/out"
	run 1 "$tpcheck" diff --release=31 "$scratch/bare"
	run 77 "$tpcheck" diff "$scratch/bare" "$native"
	check "why nothing was compared" complains "^SKIP .*its section .note.stapsdt was removed"
	check "nothing for a file of Markdown" [ ! -s "$scratch/out" ]
	run 99 "$tpcheck" diff --require "$scratch/bare" "$native"
	# Debug information only.
	for path in "$native" ${bitcoind:+"$bitcoind"}; do
		cp "$path" "$scratch/program"
		chmod 755 "$scratch/program"
		objcopy --only-keep-debug "$path" "$scratch/program.dbg"
		run 99 "$tpcheck" abi "$scratch/program.dbg"
		check "debug information only" complains "it has only the debug information of a program, not its code; give the program itself, which may be '$scratch/program'\$"
		run 99 "$tpcheck" diff "$scratch/program" "$scratch/program.dbg"
		objcopy --compress-debug-sections "$path" "$scratch/compressed"
		run 0 "$tpcheck" abi "$scratch/compressed"
	done
	# A million notes, by doubling them.
	objcopy -O binary --only-section=.note.stapsdt --set-section-flags .note.stapsdt=alloc "$native" "$scratch/notes"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		cat "$scratch/notes" "$scratch/notes" >"$scratch/twice"
		mv "$scratch/twice" "$scratch/notes"
	done
	objcopy --update-section ".note.stapsdt=$scratch/notes" "$native" "$scratch/million" 2>/dev/null
	rm "$scratch/notes"
	run 99 timeout 5 "$tpcheck" abi "$scratch/million"
	check "a million notes" complains 'claims to have'
	rm "$scratch/million"
fi
# Programs without tracepoints.
run 77 "$tpcheck" abi "$pretenders/old_node_specimen"
check "a node without tracepoints" says 'has no tracepoints: it was built without USDT; build it with -DWITH_USDT=ON'
run 77 "$tpcheck" abi "$pretenders/rpc_client_specimen"
check "another program of Bitcoin Core" says 'has no tracepoints: it is bitcoin-cli, not a node; give the path of a bitcoind$'
run 77 "$tpcheck" abi "$tpcheck"
check "tpcheck itself, which knows all of these by their texts" says 'has no tracepoints: it is not Bitcoin Core'
run 77 "$tpcheck" abi "$pretenders/launcher_specimen"
check "the launcher" says "has no tracepoints: it is the launcher 'bitcoin'; give the bitcoind or bitcoin-node that it starts"
mkdir -p "$scratch/core/bin" "$scratch/core/libexec"
cp "$pretenders/launcher_specimen" "$scratch/core/bin/bitcoin"
touch "$scratch/core/bin/bitcoind" "$scratch/core/libexec/bitcoin-node"
chmod 755 "$scratch/core/libexec/bitcoin-node"
run 77 "$tpcheck" abi "$scratch/core/bin/bitcoin"
check "the launcher, with what it starts" says "it is the launcher 'bitcoin'; give what it starts: '$scratch/core/libexec/bitcoin-node'\$"
chmod 755 "$scratch/core/bin/bitcoind"
run 77 "$tpcheck" abi "$scratch/core/bin/bitcoin"
check "a bitcoind is preferred" says "give what it starts: '$scratch/core/bin/bitcoind'\$"
cp "$scratch/core/bin/bitcoind" "$scratch/core/libexec"
run 77 "$tpcheck" abi "$scratch/core/bin/bitcoin"
check "that in libexec first" says "give what it starts: '$scratch/core/libexec/bitcoind'\$"
run 1 "$tpcheck" diff "$native" "$pretenders/old_node_specimen"
check "a build without tracepoints" says "^'.*' has no tracepoints: it was built without USDT"
run 99 "$tpcheck" abi --require /bin/ls
run 77 "$tpcheck" abi /bin/ls
check "a stranger" says "'/bin/ls' has no tracepoints: it is not Bitcoin Core; give the path of a bitcoind\$"
# No section table: e_shoff, e_shnum and e_shstrndx are 0. UPX leaves its name as well.
cp "$native" "$scratch/bald"
head -c 8 /dev/zero | dd of="$scratch/bald" bs=1 seek=40 conv=notrunc 2>/dev/null
head -c 4 /dev/zero | dd of="$scratch/bald" bs=1 seek=60 conv=notrunc 2>/dev/null
run 99 "$tpcheck" abi "$scratch/bald"
check "no section table" complains 'has no section table, so its tracepoints cannot be found; give the file from before'
printf 'UPX!' | dd of="$scratch/bald" bs=1 seek=600 conv=notrunc 2>/dev/null
run 99 "$tpcheck" abi "$scratch/bald"
check "packed" complains 'is packed by UPX, so its tracepoints cannot be found, nor traced; unpack it (upx -d)$'
# Other programs with tracepoints.
libc=$(ldd "$tpcheck" | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')
if [ -n "$libc" ] && readelf -n "$libc" 2>/dev/null | grep -q stapsdt; then
	run 1 "$tpcheck" abi "$libc"
	check "tracepoints of libc" says '^info:  libc:.* is not documented in master'
	check "the assumed release" says '^compared with master: the file gives no version, and none of its tracepoints is documented$'
fi

# The file is not run, and no other program is needed.
cp "$tpcheck" "$scratch/alone"
run 0 "$scratch/alone" abi "$native"
run 99 "$scratch/alone" list
check "the missing program is named" complains 'tpcheck-full'
chmod 600 "$scratch/renamed"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp "$native" "$scratch/readable"
	chmod 644 "$scratch/readable"
	run 0 setpriv --reuid=$uid --regid=$group --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs "$scratch/alone" abi "$scratch/readable"
	run 99 setpriv --reuid=$uid --regid=$group --clear-groups "$scratch/alone" abi "$scratch/renamed"
	check "a file that may not be read" complains 'Permission denied'
fi

if [ -x "$bitcoind" ]; then
	run 0 "$tpcheck" abi "$bitcoind"
	check "a real bitcoind: no findings" says '^the tracepoints are as '
	run 0 "$tpcheck" diff "$bitcoind" "$bitcoind"
	# A limit on the address space bounds the memory. A sanitizer reserves terabytes.
	if ! nm -D "$tpcheck" 2>/dev/null | grep -q __asan_init; then
		run 0 sh -c 'ulimit -v 32768 && exec "$@"' sh "$tpcheck" abi "$bitcoind"
	fi
else
	echo "not tried: a real bitcoind; set BITCOIND, or put one into PATH"
fi
finish

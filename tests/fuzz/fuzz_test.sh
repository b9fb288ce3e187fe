#!/bin/sh
# Runs the fuzz target for a while, starting with the specimens. Without libFuzzer it only replays these.
#
#	fuzz_test.sh PROGRAM fuzzer|replay
#
# FUZZ_SECONDS is the duration (30). The folder FUZZ_CORPUS keeps what was found, and the next run starts with it.
set -eu
program=$1 kind=$2
specimens=$(cd "$(dirname "$0")/../specimens/foreign" && pwd)
dict=$(cd "$(dirname "$0")" && pwd)/notes.dict
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tpcheck-fuzz-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/seeds" "$scratch/found"
cp "$specimens"/*-* "$scratch/seeds"
# Only the notes, for each machine, after two bytes that choose it (see notes_fuzz.c).
if command -v objcopy >/dev/null; then
	machine=0
	for name in x86-64-gcc aarch64-gcc arm-gcc riscv64-gcc powerpc64le-gcc s390x-gcc i386-gcc; do
		# objcopy copies sections of files for any machine.
		objcopy -O binary --only-section=.note.stapsdt --set-section-flags .note.stapsdt=alloc "$specimens/$name" "$scratch/notes" 2>/dev/null ||
			continue
		{ printf "\\$(printf %03o $machine)\\001" && cat "$scratch/notes"; } >"$scratch/seeds/notes-$name"
		machine=$((machine + 1))
	done
fi
if [ "$kind" = replay ]; then
	"$program" "$scratch"/seeds/*
	echo "SKIP: there is no clang with libFuzzer (packages clang and libclang-rt-*-dev): the specimens were replayed without mutations"
	exit 77
fi
cd "$scratch"
if ! "$program" -max_total_time="${FUZZ_SECONDS:-30}" -timeout=10 -rss_limit_mb=2048 -max_len=16384 -dict="$dict" -print_final_stats=1 \
	"${FUZZ_CORPUS:-$scratch/found}" "$scratch/seeds" >"$scratch/log" 2>&1; then
	tail -n 60 "$scratch/log"
	for file in crash-* timeout-* oom-* leak-*; do
		[ -f "$file" ] && echo "$file:" && base64 "$file" | head -n 40
	done
	exit 1
fi
grep -E 'INITED|^stat::|^Done' "$scratch/log"

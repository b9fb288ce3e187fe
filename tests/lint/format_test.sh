#!/bin/sh
# Checks that the sources are formatted as .clang-format says, by the one version whose output they have: other versions
# format differently.
#
#	format_test.sh <root of the source tree>
set -u
version=14
cd "${1:?usage: format_test.sh <root>}" || exit 2

clang_format=
for program in clang-format-$version clang-format; do
	if command -v $program >/dev/null && $program --version | grep -q "version $version\."; then
		clang_format=$program
		break
	fi
done
if [ -z "$clang_format" ]; then
	echo "SKIP: there is no clang-format $version here (Debian: apt-get install clang-format-$version)"
	exit 77
fi

# The check can fail.
if printf 'int  x;\n' | $clang_format --dry-run --Werror 2>/dev/null; then
	echo "clang-format reports nothing for a source that is not formatted"
	exit 1
fi
find src tests -name '*.c' -o -name '*.h' -o -name '*.cc' | sort | xargs $clang_format --dry-run --Werror

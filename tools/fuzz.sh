#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time, one after the other: fuzz.sh 5s
set -euo pipefail
time=${1:?usage: fuzz.sh TIME}

while read -r file; do
	package=./$(dirname "$file")
	while read -r target; do
		echo "== $package $target"
		go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time"
	done < <(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file")
done < <(git ls-files '*_test.go' | xargs grep -l '^func Fuzz')

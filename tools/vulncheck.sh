#!/usr/bin/env bash
# Looks for known vulnerabilities in the code that the program calls. Fails if there is one. Without the database of
# vulnerabilities (https://vuln.go.dev) it prints a notice and succeeds.
#
#   vulncheck.sh GOVULNCHECK [ARGUMENTS]
set -euo pipefail

output=$("$@" 2>&1) && code=0 || code=$?
if [ "$code" = 1 ] && grep -q '^govulncheck: fetching vulnerabilities: ' <<<"$output"; then
	echo "NOTICE: not checked for known vulnerabilities: ${output#govulncheck: }" >&2
	exit 0
fi
printf '%s\n' "$output"
exit "$code"

#!/bin/sh
# Prints the version of a binary, as Go recorded it, as packages order it: v1.2.3-rc.1 as 1.2.3~rc.1, and a commit after a
# tag, v1.2.4-0.20260102150405-0123456789ab, as 1.2.4~git20260102150405.0123456789ab.
version=$(echo "$1" | sed -nE 's/-(0\.)?([0-9]{14})-([0-9a-f]{12})/~git\2.\3/
	s/\.0\.([0-9]{14})-([0-9a-f]{12})/.0.git\1.\2/
	s/-/~/
	s/^v([0-9])/\1/p')
if [ -z "$version" ]; then
	echo "\"$1\" is no version: this takes a build in a git checkout" >&2
	exit 1
fi
echo "$version"

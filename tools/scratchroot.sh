#!/usr/bin/env bash
# Makes a small Debian with systemd and rpm in a folder, for tests that install packages (as root; some 100 MB, one minute).
#
#   scratchroot.sh FOLDER
set -euo pipefail
target=$1
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
	echo "not made, for want of root or debootstrap: $target" >&2
	exit 0 # the tests say what they miss, and fail under CI
fi
mkdir -p "$(dirname "$target")"
new=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$new"' EXIT
chmod 755 "$new"
debootstrap --variant=minbase --include=systemd,rpm bookworm "$new" "$mirror" >"$new.log" 2>&1 || { tail -20 "$new.log" >&2; exit 1; }
rm -rf "$new.log" "$new"/var/cache/apt/* "$new"/var/lib/apt/lists/* "$new"/usr/share/{doc,locale,man,zoneinfo}/*
mv --no-target-directory "$new" "$target"

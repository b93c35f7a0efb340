#!/usr/bin/env bash
# Installs a small Debian with additional packages in a folder (as root; about a minute): a release from Debian's
# mirror, or a copy of one that was created before.
#
#   scratchroot.sh FOLDER RELEASE PACKAGE...     such as trixie
#   scratchroot.sh FOLDER OTHER_FOLDER PACKAGE...
set -euo pipefail
target=$1 from=$2
shift 2
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
	echo "not made, because root or debootstrap is missing: $target" >&2
	exit 0 # the tests report what is missing, and fail under CI
fi
mkdir -p "$(dirname "$target")"
new=$(mktemp -d "$target.XXXXXX")
exec 3>&2 >"$new.log" 2>&1
trap '[ $? = 0 ] || tail -20 "$new.log" >&3; rm -rf "$new" "$new.log"' EXIT

if [ -d "$from" ]; then
	cp --archive --reflink=auto --no-target-directory "$from" "$new"
else
	chmod 755 "$new"
	debootstrap --variant=minbase "$from" "$new" "$mirror"
fi
in_root() { chroot "$new" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
printf '#!/bin/sh\nexit 101\n' | install -m 755 /dev/stdin "$new/usr/sbin/policy-rc.d" # nothing is started now
in_root apt-get update -qq -o Acquire::Check-Valid-Until=false # the mirror may be a snapshot
in_root apt-get install -y -qq --no-install-recommends "$@"
rm "$new/usr/sbin/policy-rc.d"
rm -rf "$new"/var/cache/apt/* "$new"/var/lib/apt/lists/* "$new"/usr/share/{doc,locale,man,zoneinfo}/*
mv --no-target-directory "$new" "$target"

#!/usr/bin/env bash
# Creates localhost/gobase in a store of buildah: the base image of the Dockerfile's first stage in the tests. It is a
# Debian with everything that the stage needs except Go, which the tests mount (as root; half a minute).
#
#   gobase.sh SCRATCH_ROOT STORE
set -euo pipefail
from=$1 store=$2

if [ ! -d "$from" ] || [ "$(id -u)" != 0 ] || ! command -v buildah >/dev/null; then
	echo "not made, because root, buildah or $from is missing: $store" >&2
	exit 0 # the tests log which program is missing, and fail under CI
fi
mkdir -p "$(dirname "$store")"
new=$(mktemp -d "$store.XXXXXX")
trap 'rm -rf "$new"' EXIT
export BUILDAH_ISOLATION=chroot
in_store() { buildah --storage-driver vfs --root "$new/root" --runroot "$new/run" "$@"; }
container=$(in_store from scratch)
in_store copy --quiet "$container" "$from" / >/dev/null
in_store run "$container" -- sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends make git ca-certificates' >"$new/log" 2>&1 ||
	{ tail -20 "$new/log" >&2; exit 1; }
in_store config --env PATH=/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
in_store commit --quiet --rm "$container" localhost/gobase >/dev/null
mv --no-target-directory "$new" "$store"

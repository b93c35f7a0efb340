#!/usr/bin/env bash
# Runs a command as root in another Debian, in a folder that scratchroot.sh created. The programs are those of that
# Debian. This folder, Go, Go's caches and /etc/hosts are mounted at their usual paths until the command ends.
#
#   inroot.sh ROOT COMMAND...
set -euo pipefail
root=$1
shift

if [ -z "${IN_ROOT-}" ]; then
	if [ "$(id -u)" != 0 ] || [ ! -x "$root/usr/bin/env" ]; then
		echo "MISSING COMPONENT: root, or a Debian at $root; not run: $*" >&2
		[ -z "${CI-}" ] && exit 0 || exit 1
	fi
	export IN_ROOT=1
	exec unshare --mount --propagation private "$0" "$root" "$@"
fi

go=$(go env GOROOT)
mount --rbind "$root" "$root" # pivot_root wants a mount point
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp" # before the others: one of them may be in /tmp
for folder in "$PWD" "$go" "$(go env GOMODCACHE)" "$(go env GOCACHE)" /proc /sys /dev; do
	mkdir -p "$root$folder"
	mount --rbind "$folder" "$root$folder"
done
touch "$root/etc/hosts"
mount --bind /etc/hosts "$root/etc/hosts"
mkdir -p "$root/mnt/old"
here=$PWD
cd "$root"
pivot_root . mnt/old # chroot would not do: tests boot systemd, which needs a root that is a mount
umount -l /mnt/old
cd "$here"
# -buildvcs=false: git is not installed there.
exec env PATH="$go/bin:/usr/sbin:/usr/bin:/sbin:/bin" GOFLAGS="${GOFLAGS-} -buildvcs=false" "$@"

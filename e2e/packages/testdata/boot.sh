#!/usr/bin/env bash
# Boots the systemd of the Debian in a folder, as the first process of new namespaces: boot.sh FOLDER.
# Of this machine it shares the kernel only.
set -euo pipefail
cd "$1"
mount --make-rprivate /
mount --bind . .
cd "$1"
mkdir -p old
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys # settings of the kernel are everybody's
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
	touch "dev/$device"
	mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
echo 127.0.0.1 localhost >etc/hosts
ip link set lo up
printf '[Journal]\nAudit=no\n' >etc/systemd/journald.conf # the kernel's audit is everybody's, too
ln -sf /dev/null etc/systemd/system/systemd-journald-audit.socket
ln -sf /dev/null etc/systemd/system/tmp.mount # Debian 13 has it: it would hide what the tests put there
echo 0123456789abcdef0123456789abcdef >etc/machine-id
pivot_root . old
umount -l /old
mount --make-rshared /
exec env -i container=test PATH=/usr/sbin:/usr/bin \
	/usr/lib/systemd/systemd --unit=basic.target --log-target=journal --show-status=no

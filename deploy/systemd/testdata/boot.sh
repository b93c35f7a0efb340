#!/usr/bin/env bash
# Boots systemd as the first process of new namespaces, on a root of its own: boot.sh ROOT BINARY UNIT. ROOT is an empty
# folder. Of this machine it shares the kernel, the network, and /usr, which it cannot change.
set -euo pipefail
root=$1 binary=$2 unit=$3

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
mkdir -p .usr/upper .usr/work usr etc/systemd/system var run tmp dev proc sys mnt root home srv old
mount -t overlay -o "lowerdir=/usr,upperdir=$root/.usr/upper,workdir=$root/.usr/work" overlay usr
for name in bin sbin lib lib64; do [ ! -e "/$name" ] || ln -s "usr/$name" "$name"; done
chmod 1777 tmp

cp -a /etc/{alternatives,hosts,passwd,group,shadow,gshadow,nsswitch.conf,ld.so.cache,pam.d,security,login.defs,sudoers,sudo.conf} etc/ 2>/dev/null || true
install -D -m 755 "$binary" usr/bin/signal-sidecar
install -D -m 644 "$unit" usr/lib/systemd/system/signal-sidecar.service
# The kernel's audit is everybody's, too.
printf '[Journal]\nAudit=no\n' >etc/systemd/journald.conf
ln -s /dev/null etc/systemd/system/systemd-journald-audit.socket
echo 0123456789abcdef0123456789abcdef >etc/machine-id

mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys # settings of the kernel are everybody's
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty fuse; do
	touch "dev/$device"
	mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd

pivot_root . old
umount -l /old
mount --make-rshared /
exec env -i container=test PATH=/usr/sbin:/usr/bin \
	/usr/lib/systemd/systemd --unit=basic.target --log-target=journal --show-status=no

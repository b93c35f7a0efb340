#!/usr/bin/env bash
# The real programs that the tests run, and the Debian packages that they come in.
#
#   components.sh install          install what is missing (as root, on Debian)
#   components.sh install GROUP    install the programs that only make test-all needs: browser, containers or packaging
#   components.sh missing          list what is missing; tests that need it were skipped
set -euo pipefail

declare -A packages
case ${2:-} in
"")
	packages=(
		[curl]=curl
		[haproxy]=haproxy
		[ip]=iproute2
		[jq]=jq
		[prometheus]=prometheus
		[promtool]=prometheus
		[prosody]=prosody
		[socat]=socat
		[strace]=strace
		[sudo]=sudo
		[top]=procps
		[systemd-analyze]=systemd
		[shellcheck]=shellcheck
		[man]=man-db
		[mandoc]=mandoc
		[zsh]=zsh
		[fish]=fish
	)
	;;
browser) packages=([chromium]=chromium) ;;
containers) packages=([buildah]=buildah [debootstrap]=debootstrap) ;;
packaging)
	packages=([lintian]=lintian [debootstrap]=debootstrap [rpm]=rpm [ip]=iproute2 [qemu-aarch64-static]=qemu-user-static)
	;;
*)
	echo "$0: no group ${2}" >&2
	exit 2
	;;
esac

PATH=$PATH:/usr/sbin:/usr/local/sbin

# missing prints the packages of the programs that are not installed.
missing() {
	local program
	for program in "${!packages[@]}"; do
		command -v "$program" >/dev/null || echo "${packages[$program]}"
	done | sort -u
}

mapfile -t wanted < <(missing)
((${#wanted[@]})) || exit 0

case ${1:-} in
install)
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "not installed, because root or apt-get is missing: ${wanted[*]}" >&2
		exit 0 # the tests log which program is missing, and fail under CI
	fi
	export DEBIAN_FRONTEND=noninteractive
	# Services that the packages would start have no business on a machine that tests.
	[ -e /usr/sbin/policy-rc.d ] || printf '#!/bin/sh\nexit 101\n' | install -m 755 /dev/stdin /usr/sbin/policy-rc.d
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
	;;
missing)
	echo
	echo "MISSING COMPONENTS: ${wanted[*]}. The tests that need them were skipped."
	;;
*)
	echo "usage: $0 install|missing [browser|containers|packaging]" >&2
	exit 2
	;;
esac

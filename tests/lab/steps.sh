# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What scenarios of the virtual host have in common: steps, waiting, masks as the kernel
# has them. Sourced.
set -o pipefail
passed=0
failed=0

pass() { passed=$((passed + 1)); echo "PASS: $*"; }
fail() { failed=$((failed + 1)); echo "FAIL: $*"; }
now_ms() { awk '{ print int($1 * 1000) }' /proc/uptime; }
step() { printf -- '--- %s\n' "$*"; }

retry() { # SECONDS COMMAND...: a slow machine has six times as long
	local end=$(($(now_ms) + $1 * 6000))
	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
}
check() { # TEXT COMMAND...
	local text=$1
	shift
	if "$@"; then pass "$text"; else fail "$text"; return 1; fi
}
check_soon() { # TEXT SECONDS COMMAND...
	local text=$1 began
	began=$(now_ms)
	shift
	if retry "$@"; then pass "$text ($(($(now_ms) - began)) ms)"; else fail "$text"; fi
}

pid_of() { cat "/run/qemu-server/$1.pid"; }
vcpu_mask() {
	local t
	for t in /proc/"$(pid_of "$1")"/task/*; do
		grep -q '^CPU ' "$t/comm" && taskset -cp "${t##*/}" | sed 's/.*: //'
	done | sort -u
}
cpus_of() { cat "/sys/devices/system/node/node$1/cpulist"; }
vm_json() { qmpin ps "$1" -j | jq -e "$2" >/dev/null; }
logged() { journalctl -u qmpind -o cat --no-pager | grep -q -- "$1"; }
settings() { # LINE...: as [qmpin]; in force with the next start or reload
	printf '%s\n' '[qmpin]' 'rebalance = no' 'adopt = now' 'probe = no' 'widen_wait_pct = 0' "$@" \
		>/etc/qmpin/qmpin.conf
}

# /mnt/share/root is the result of `make install DESTDIR=...`.
install_qmpin() {
	cp -a /mnt/share/root/. /
	ldconfig
	systemd-sysusers
	mkdir -p /etc/qmpin/conf.d /etc/systemd/system/qmpind.service.d
	# other work on a small machine must not fail this
	printf '[Service]\nTimeoutStartSec=90\n' >/etc/systemd/system/qmpind.service.d/lab.conf
	systemctl daemon-reload
}

finish() {
	echo
	echo "# PASS: $passed"
	echo "# FAIL: $failed"
	[ "$failed" = 0 ]
}

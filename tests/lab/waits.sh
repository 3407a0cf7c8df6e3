# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Part of first-path: a VM that waits for CPUs while others idle.

widening() { # PERCENT
	printf '%s\n' '[qmpin]' 'rebalance = no' "widen_wait_pct = $1" >/etc/qmpin/conf.d/lab.conf
	systemctl reload qmpind
}
# More CPUs than before, those among them.
wider() { # MASK
	python3 -c '
import subprocess, sys
def cpus(text):
    ends = [[int(n) for n in item.split("-")] for item in text.split(",")]
    return {c for e in ends for c in range(e[0], e[-1] + 1)}
sys.exit(not cpus(sys.argv[1]) < cpus(sys.argv[2]))' "$1" "$(vcpu_masks 120)"
}

step "a VM that waits while CPUs idle"
# A guest that never sleeps: a boot sector that jumps to itself.
{ printf '\353\376'; head -c 508 /dev/zero; printf '\125\252'; } >/tmp/busy.img
truncate -s 1M /tmp/busy.img
widening 5
vm start 120 --vcpus 1 --qemu=-drive --qemu=file=/tmp/busy.img,format=raw,if=none,id=boot \
	--qemu=-device --qemu=ide-hd,drive=boot
check_soon "placed" 20 settled 120
squeezed=$(vcpu_masks 120)
# shellcheck disable=SC2016 # the service's own shell
systemd-run --quiet --unit=hogs taskset -c "$squeezed" \
	sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do while :; do :; done & done; wait'
check_soon "widened" 20 wider "$squeezed"
check_soon "told with what it waited" 8 logged 'vm 120: vCPU 0 .* (waiting; .*widened since it waited'
qmpin ps
systemctl stop hogs
widened=$(vcpu_masks 120)
# Three audits on, nobody has any reason to wait: it rests all the same.
sleep 6
check "not narrowed again before it has rested" [ "$(vcpu_masks 120)" = "$widened" ]
vm stop 120
widening 0
# shellcheck disable=SC2034 # first-path reads it
kept103=$(masks 103)

#!/bin/bash
# SPDX-License-Identifier: MIT
# A scenario of its own, on the virtual host as first-path: where the memory of VMs is,
# vCPUs that go to it, and memory that comes after its vCPUs, as the kernel tells it.
# shellcheck source=SCRIPTDIR/steps.sh
. "$(dirname "$0")/steps.sh"

runs_on() { [ "$(vcpu_mask "$1")" = "$(cpus_of "$2")" ]; }

# MiB of a VM's memory on a node, by its cgroup.
mib_on() {
	awk -v node="N$2" '$1 == "anon" || $1 == "shmem" {
		for (i = 2; i <= NF; i++) { split($i, p, "="); if (p[1] == node) sum += p[2] } }
		END { print int(sum / 1048576) }' \
		"/sys/fs/cgroup/qemu.slice/$1.scope/memory.numa_stat"
}
has_on() { [ "$(mib_on "$1" "$2")" -ge "$3" ]; }
spread() {
	local node
	for node in 0 1 2 3; do printf 'node %s: %s MiB  ' "$node" "$(mib_on "$1" "$node")"; done
	echo
}

step "the host"
install_qmpin
settings

step "vCPUs go to memory that is in place"
# preferred: not bound, so it may be moved
numactl --preferred=2 vm start 110 --vcpus 2 --mem 400 --prealloc
spread 110
check "the memory is on node 2" has_on 110 2 380
numactl --preferred=3 vm start 111 --vcpus 2 --mem 300 --prealloc
check "the service starts" systemctl start qmpind ||
	{ journalctl -u qmpind --no-pager | tail; exit 1; }
check_soon "vm 110 is placed on node 2" 20 runs_on 110 2
check_soon "vm 111 is placed on node 3" 20 runs_on 111 3
check_soon "shown as local" 20 vm_json 110 '.vms[0].memory_local_pct > 95'
qmpin ps

step "memory that QEMU binds"
vm start 112 --vcpus 2 --mem 128 --numa cpus=0-1,hostnodes=1,memory=128,policy=bind
check_soon "its vCPUs are on that node" 20 runs_on 112 1

step "without the drop-in nothing moves, and it is said"
settings "reserved_cpus = $(cpus_of 2)" '[vm 110]' 'memory = migrate'
systemctl reload qmpind
left() { ! runs_on 110 2; }
check_soon "vm 110 has left node 2" 20 left
check_soon "shown as far" 20 vm_json 110 '.vms[0].memory_local_pct < 10'
check_soon "refused and told" 30 logged 'vm 110: .*not permitted (see memory-migrate.conf)'
check "the memory is where it was" has_on 110 2 380

step "with the drop-in it comes after its vCPUs"
cp "$(find /usr -name memory-migrate.conf)" /etc/systemd/system/qmpind.service.d/
settings 'memory_migrate_mib_per_s = 40' "reserved_cpus = $(cpus_of 2)" \
	'[vm 110]' 'memory = migrate'
systemctl daemon-reload
check "restarts" systemctl restart qmpind
for node in 0 1 3; do runs_on 110 "$node" && to=$node; done
echo "vm 110 runs on node ${to:-?}"
check_soon "begun and told" 30 logged 'vm 110: moving [0-9]* MiB of its memory to node'
began=$(now_ms)
check "QEMU answers meanwhile" vm qmp 110 query-status
check_soon "all of it moved" 60 logged 'vm 110: [0-9]* MiB of its memory moved in'
took=$(($(now_ms) - began))
spread 110
check "the kernel says so, too" has_on 110 "${to:-9}" 380
check "not faster than it may" [ "$took" -gt 5000 ]
check_soon "shown as local again" 20 vm_json 110 '.vms[0].memory_local_pct > 95'
check "vm 111 was left alone" has_on 111 3 280
check "the VM still runs" vm qmp 110 query-status
journalctl -u qmpind -o cat --no-pager | grep 'of its memory'

step "a VM that ends while its memory moves"
settings 'memory_migrate_mib_per_s = 1' "reserved_cpus = $(cpus_of "${to:-0}")" \
	'[vm 110]' 'memory = migrate'
systemctl reload qmpind
migrates() { pgrep -f qmpin-migrate >/dev/null; }
check_soon "it is moved on" 40 migrates
vm stop 110 --purge
no_migrate() { ! migrates; }
check_soon "nothing is left of it" 10 no_migrate
check "exit was clean" systemctl stop qmpind
journalctl -u qmpind -p warning -o cat --no-pager
journalctl -u qmpind -o cat --no-pager | head -60
finish

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
# QEMU's own pages stay: a twentieth of so small a VM.
check_soon "shown as local again" 20 vm_json 110 '.vms[0].memory_local_pct > 90'
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

step "huge pages that somebody has pinned, as a passed-through device would"
echo 140 >/sys/devices/system/node/node2/hugepages/hugepages-2048kB/nr_hugepages
mountpoint -q /dev/hugepages || mount -t hugetlbfs none /dev/hugepages
huge_on() { # VM NODE PAGES
	grep -q "huge .*N$2=$3 " "/proc/$(pid_of "$1")/numa_maps"
}
settings
systemctl reload qmpind
numactl --preferred=2 vm start 113 --vcpus 2 --mem 256 --qemu=-machine \
	--qemu=memory-backend=ram --qemu=-object --qemu=memory-backend-file,id=ram,size=256M,\
mem-path=/dev/hugepages/113,share=on,prealloc=on
check "they are on node 2" huge_on 113 2 128
check_soon "so is vm 113" 20 runs_on 113 2
cat >/tmp/pin.py <<'P'
import ctypes, mmap, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
size = os.stat(sys.argv[1]).st_size
pages = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), size)
buffer = (ctypes.c_uint64 * 2)(ctypes.addressof(ctypes.c_char.from_buffer(pages)), size)
ring = libc.syscall(425, 1, (ctypes.c_uint8 * 120)())  # io_uring_setup
if ring < 0 or libc.syscall(427, ring, 0, buffer, 1) < 0:  # IORING_REGISTER_BUFFERS
    sys.exit(os.strerror(ctypes.get_errno()))
print("pinned", flush=True)
time.sleep(3600)
P
coproc python3 /tmp/pin.py /dev/hugepages/113
read -r pinned <&"${COPROC[0]}"
check "pinned" [ "$pinned" = pinned ]
settings 'memory_migrate_mib_per_s = 1000' "reserved_cpus = $(cpus_of 2)" \
	'[vm 113]' 'memory = migrate'
systemctl reload qmpind
check_soon "told that they do not move" 60 logged 'vm 113: .*pages do not move (pinned'
check "nor did they" huge_on 113 2 128
kill "$COPROC_PID"

step "huge pages that move"
for node in 0 1 3; do runs_on 113 "$node" && from=$node; done
settings 'memory_migrate_mib_per_s = 1000' "reserved_cpus = $(cpus_of 2),$(cpus_of "${from:-0}")" \
	'[vm 113]' 'memory = migrate'
systemctl reload qmpind
on_another() {
	for node in 0 1 3; do [ "$node" != "$from" ] && runs_on 113 "$node" && to=$node; done
	[ -n "$to" ]
}
to=
check_soon "vm 113 goes to another node" 20 on_another
check_soon "all of them moved" 60 logged 'vm 113: [0-9]* MiB of its memory moved in'
check "the kernel says so, too" huge_on 113 "${to:-9}" 128
check_soon "shown as local" 20 vm_json 113 '.vms[0].memory_local_pct > 95'
journalctl -u qmpind -o cat --no-pager | grep 'vm 113: .*memory'

check "exit was clean" systemctl stop qmpind
journalctl -u qmpind -p warning -o cat --no-pager
journalctl -u qmpind -o cat --no-pager | head -60
finish

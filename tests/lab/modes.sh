# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Part of first-path: cores for themselves, on a host where each node has two of them.

# Are VM 104's vCPUs each on a CPU of its own, on cores where no other VM's thread may run
# and CPU 0 is not; and has each vCPU of VM 103 a whole core? One program: starting one
# takes a second here.
on_own_cores() {
	python3 -c '
import os, sys
def core(cpu):
    with open("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % cpu) as f:
        ends = [[int(n) for n in item.split("-")] for item in f.read().strip().split(",")]
    return frozenset(c for e in ends for c in range(e[0], e[-1] + 1))
def masks(vm):
    with open("/run/qemu-server/%s.pid" % vm) as f:
        tasks = "/proc/%s/task" % f.read().strip()
    for tid in os.listdir(tasks):
        with open("%s/%s/comm" % (tasks, tid)) as f:
            yield f.read().startswith("CPU "), frozenset(os.sched_getaffinity(int(tid)))
own = [m for vcpu, m in masks(104) if vcpu]
cores = {core(c) for m in own for c in m}
others = {core(c) for vm in (100, 101, 102, 103) for _, m in masks(vm) for c in m}
whole = [m for vcpu, m in masks(103) if vcpu]
sys.exit(not (len(own) == len(set(own)) == 2 and all(len(m) == 1 for m in own) and
              not cores & others and core(0) not in cores and
              len(whole) == 4 and all(core(min(m)) == m for m in whole)))'
}

step "a dedicated VM comes late, another one has cores"
settings '[vm 104]' 'mode = dedicated' '[vm 103]' 'mode = core'
vm start 104 --vcpus 2
check_soon "cores of their own" 20 on_own_cores
check_soon "all others are where they should be" 8 all_legal
check_soon "told with the reason" 8 logged 'vm 104: vCPU.* (appeared; '
explained=$(qmpin explain 104)
echo "$explained"
check "explained" grep -q 'Its mode is dedicated (vm_section)' <<<"$explained"

step "the dedicated VM ends"
vm stop 104 --purge
settings
check_soon "all others are where they should be" 8 all_legal
# shellcheck disable=SC2034 # for the steps behind this
kept100=$(masks 100) kept103=$(masks 103)

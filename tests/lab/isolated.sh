#!/bin/bash
# SPDX-License-Identifier: MIT
# A scenario of its own, on a virtual host booted with isolcpus=10-11 and nohz_full=14:
# the kernel starts every process without the first two. They are used for VMs that ask
# for them and for no others, and undone as if nothing had been.
# shellcheck source=SCRIPTDIR/steps.sh
. "$(dirname "$0")/steps.sh"

sys=/sys/devices/system/cpu

# The masks of these threads: `all` of the VM, its `vcpu`s or the `other`s, and what is
# to hold of them: `outside`, `exactly` these CPUs, `single` ones of them.
masks_are() { # VM all|vcpu|other outside|exactly|single CPUS
	python3 - "$@" <<'P'
import os, sys
vm, which, how, text = sys.argv[1:]
cpus = set()
for item in text.split(","):
    first, _, last = item.partition("-")
    cpus |= set(range(int(first), int(last or first) + 1))
with open("/run/qemu-server/%s.pid" % vm) as f:
    tasks = "/proc/%s/task" % f.read().strip()
masks = []
for tid in os.listdir(tasks):
    with open("%s/%s/comm" % (tasks, tid)) as f:
        is_vcpu = f.read().startswith("CPU ")
    if which == "all" or (which == "vcpu") == is_vcpu:
        masks.append(os.sched_getaffinity(int(tid)))
single = all(len(m) == 1 for m in masks) and len(set.union(*masks)) == len(masks)
sys.exit(not {"outside": not any(m & cpus for m in masks),
              "exactly": all(m == cpus for m in masks),
              "single": single and all(m <= cpus for m in masks)}[how])
P
}
settled() { vm_json "$1" '.vms[0].threads | length > 2 and all(.want != null and .want == .have)'; }
none_is_on() { # CPUS VM...
	local cpus=$1 id
	shift
	for id in "$@"; do masks_are "$id" all outside "$cpus" || return 1; done
}
as_before() { masks_are 101 all exactly "$usual"; }

step "the host"
install_qmpin
settings
online=$(cat $sys/online)
usual=0-9,12-${online#*-}
check "two CPUs are isolated" [ "$(cat $sys/isolated)" = 10-11 ]
vm start 100 --vcpus 3
vm start 101 --vcpus 2
vm start 102 --vcpus 1 --affinity 11
check "processes start without them" masks_are 100 all exactly "$usual"

step "VMs that do not ask, or may not"
settings '[vm 101]' 'mode = pin'
check "the service starts" systemctl start qmpind ||
	{ journalctl -u qmpind --no-pager | tail; exit 1; }
check_soon "vm 100 placed" 20 settled 100
check_soon "vm 101 placed" 20 settled 101
check "neither is on them, nor on CPU 14" none_is_on 10-11,14 100 101
check "the mask they came with is no limit" vm_json 100 ".vms[0].limit == \"$online\""
named() { vm_json 102 '.vms[0].note | test("limit 11 .*1 online, 0 reserved, 1 isolated")'; }
check_soon "why nothing is done about one under taskset on one of them is told" 20 named
check "it is left there" masks_are 102 all exactly 11
explained=$(qmpin explain 100)
check "explained" grep -q 'isolated CPUs 10-11,14: only pin and dedicated' <<<"$explained"

step "one that asks"
settings 'isolated_cpus = 10-11' '[vm 101]' 'mode = pin'
systemctl reload qmpind
vm stop 101
vm start 101
check_soon "its vCPUs are there, one each" 20 masks_are 101 vcpu single 10-11
check_soon "its other threads are not" 8 masks_are 101 other outside 10-11,14
check "nor is vm 100" none_is_on 10-11,14 100
check "settled" settled 101
systemctl restart qmpind
check_soon "a restart knows it" 20 settled 101
check "and moves nothing" masks_are 101 vcpu single 10-11

step "one of them goes offline"
echo 0 >$sys/cpu10/online
off_the_gone() { masks_are 101 all outside 10 && settled 101 && settled 100; }
check_soon "its vCPU has another place" 20 off_the_gone
qmpin ps
check "vm 100 has not come to the other one" none_is_on 11,14 100
echo 1 >$sys/cpu10/online
known() { vm_json 101 ".vms[0].limit == \"$online\""; }
check_soon "it is back" 20 known
check_soon "all have what is wanted" 20 settled 101

step "undone"
check "restore" qmpin restore 101
check "no thread may run on an isolated CPU" as_before
check "exit was clean" systemctl stop qmpind
check "masks are as they were" as_before
journalctl -u qmpind -p warning -o cat --no-pager
journalctl -u qmpind -o cat --no-pager | head -60
finish

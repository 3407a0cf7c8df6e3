# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Part of first-path: what cgroups leave VMs changes while they run, others use the host,
# and a whole node goes. VM 101 is under taskset 0-2, VM 102 pinned one to one.
repairs() { qmpin status -j | jq .repairs; }

allow() { # UNIT CPUS
	systemctl set-property --runtime "$1" AllowedCPUs="$2"
}

# Every thread of these VMs may use these CPUs only, and has what is wanted.
inside() { # CPUS VM...
	local cpus=$1
	shift
	for id in "$@"; do qmpin ps "$id" -j; done | jq -s 'map(.vms[])' | python3 -c '
import json, os, sys
def cpus(text):
    ends = [[int(n) for n in item.split("-")] for item in text.split(",") if item]
    return {c for e in ends for c in range(e[0], e[-1] + 1)}
may = cpus(sys.argv[1])
for t in (t for vm in json.load(sys.stdin) for t in vm["threads"]):
    have = os.sched_getaffinity(t["tid"])
    if not have <= may or t["want"] is None or have != cpus(t["want"]):
        sys.exit(1)' "$cpus"
}

# When something was last done for a reason: milliseconds since boot.
done_ms() { # CAUSE
	journalctl -u qmpind -o json --no-pager | jq -rs --arg why "($1" 'map(select(.MESSAGE |
		tostring | contains($why))) | last | .__MONOTONIC_TIMESTAMP[:-3]'
}

step "the cpuset of qemu.slice"
settings 'audit_interval_ms = 1000'
warned=$(warnings | wc -l)
before=$(repairs)
allow qemu.slice 0-7
began=$(now_ms)
check_soon "narrowed: all VMs are inside" 20 inside 0-7 100 101 102 103
echo "done $(($(done_ms cgroup) - began)) ms after it was narrowed"
check "vm 101 stays inside its taskset" [ "$(vcpu_masks 101)" = 0-2 ]
check_soon "told as that" 5 logged 'vm 1.*(cgroup[:;] '
kept101=$(masks 101)
allow qemu.slice 0-15
check_soon "widened: all VMs are where they should be" 20 all_legal
check "vm 101 not moved" same_masks 101 "$kept101"
check "nobody's drift" [ "$(repairs)" = "$before" ]

step "the cpuset of one VM"
kept100=$(masks 100)
allow 103.scope 12-15
check_soon "it is inside" 20 inside 12-15 103
# A controller that is switched on for all scopes may set all masks, which is drift.
check_soon "vm 100 not moved" 20 keeps 100 "$kept100"
allow 103.scope 0-15
allow 101.scope 8-11
named() { vm_json 101 '.vms[0].note | test("limit 0-2 and .*cgroup.s cpuset 8-11")'; }
check_soon "one that leaves nothing is named" 20 named
allow 101.scope 0-15
placed_again() { [ "$(vcpu_masks 101)" = 0-2 ] && settled 101; }
check_soon "and the VM is placed again" 20 placed_again

step "a VM that starts in a narrow cpuset"
allow qemu.slice 4-7
retry 20 inside 4-7 100
vm start 105 --vcpus 2
check_soon "it is placed inside" 20 settled 105
allow qemu.slice 0-15
wide() { vm_json 105 '.vms[0].limit | test("^0-[0-9]+$")'; }
check_soon "which is no limit for ever" 20 wide
vm stop 105 --purge
check_soon "all others are where they should be" 20 all_legal

step "a quota, and a busy service"
systemctl set-property --runtime 103.scope CPUQuota=50%
quota_known() { qmpin explain 103 | grep -qi quota; }
check_soon "the quota is known" 30 quota_known
systemctl set-property --runtime 103.scope CPUQuota=
before=$(qmpin status -j | jq '.background_cpus // 0')
systemd-run --quiet --unit=busy --slice=busy -p AllowedCPUs=15 sh -c 'while :; do :; done'
others_use() { qmpin status -j | jq -e ".background_cpus > $1" >/dev/null; }
check_soon "use by others is known" 60 others_use "$before + 0.1"
qmpin status | grep others
systemctl stop busy

step "a whole node goes offline under VMs that sleep"
settings 'audit_interval_ms = 60000'
retry 20 all_legal
node=$(for cpu in $(vcpu_masks 102); do
	for n in /sys/devices/system/cpu/cpu"$cpu"/node*; do echo "${n##*node}"; done
done | grep -vx 0 | head -1)
node=${node:-3}
list=$(cat "/sys/devices/system/node/node$node/cpulist")
cpus=$(seq "${list%-*}" "${list#*-}")
echo "node $node: CPUs $list"
check "vm 102 sleeps" monitor 102 stop
known=$(changes)
for cpu in $cpus; do echo 0 >"/sys/devices/system/cpu/cpu$cpu/online"; done
began=$(now_ms)
check_soon "told" 8 more_changes "$known"
check_soon "all VMs are where they should be" 20 all_legal
echo "done $(($(done_ms 'host CPUs') - began)) ms after the last CPU went"
check "nothing is pinned to no CPU" vm_json 102 '.vms[0].threads | all(.have != "")'
check "vm 102 wakes" monitor 102 cont
check "where it was put" all_legal
for cpu in $cpus; do echo 1 >"/sys/devices/system/cpu/cpu$cpu/online"; done
check_soon "the node is back: all VMs are where they should be" 20 all_legal
settings
retry 20 all_legal
# A mask may be set while a cpuset or a node is half-way: such warnings are right.
stormy=$((stormy + $(warnings | wc -l) - warned))
# shellcheck disable=SC2034 # for the steps behind this
kept100=$(masks 100) kept101=$(masks 101) kept103=$(masks 103)

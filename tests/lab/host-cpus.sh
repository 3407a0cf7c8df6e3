# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Part of first-path: CPUs of the host go and come. VM 102 is pinned one to one. Audits
# are far apart meanwhile: what happens soon was made to happen by the kernel's events.
sys=/sys/devices/system/cpu

settings() { # LINE...: as [qmpin]; reloaded
	printf '%s\n' '[qmpin]' 'adopt = now' "$@" '[vm 102]' 'mode = pin' >/etc/qmpin/qmpin.conf
	systemctl reload qmpind
}

changes() { journalctl -u qmpind -o cat --no-pager | grep -c "host's CPUs have changed"; }
more_changes() { [ "$(changes)" -gt "$1" ]; }

# When the last change was logged: milliseconds since boot.
changed_ms() {
	journalctl -u qmpind -o json --no-pager | jq -rs 'map(select(.MESSAGE | tostring |
		test("CPUs have changed"))) | last | .__MONOTONIC_TIMESTAMP[:-3]'
}

switch() { # CPU 0|1: and it is told long before an audit would have seen it
	local known before after
	known=$(changes) before=$(now_ms)
	echo "$2" >"$sys/cpu$1/online"
	after=$(now_ms)
	retry 8 more_changes "$known"
	echo "took $((after - before)) ms, told $(($(changed_ms) - after)) ms later"
	check "told at once" [ $(($(changed_ms) - after)) -le 10000 ]
}

# Every thread of every VM has in the kernel what is wanted, and that is something.
all_legal() {
	for id in 100 101 102 103; do qmpin ps $id -j; done | jq -s 'map(.vms[])' | python3 -c '
import json, os, sys
def cpus(text):
    ends = [[int(n) for n in item.split("-")] for item in text.split(",") if item]
    return {c for e in ends for c in range(e[0], e[-1] + 1)}
online = cpus(open("/sys/devices/system/cpu/online").read().strip())
vms = json.load(sys.stdin)
for t in (t for vm in vms for t in vm["threads"]):
    have = os.sched_getaffinity(t["tid"])
    if not have or t["want"] is None or have != cpus(t["want"]) & online:
        sys.exit(1)
sys.exit(len(vms) != 4)'
}

step "a host CPU goes offline and comes back"
settings 'audit_interval_ms = 60000'
gone=$(vcpu_masks 102 | head -1)
others=$(vcpu_masks 102 | tail -n +2)
kept100=$(masks 100) kept103=$(masks 103)
echo "CPU $gone"
switch "$gone" 0
elsewhere() { ! vcpu_masks 102 | grep -qx "$gone" && [ "$(vcpu_masks 102 | wc -l)" = 3 ]; }
check_soon "its vCPU has another CPU of its own" 8 elsewhere
unmoved() { [ "$(comm -12 <(vcpu_masks 102 | sort) <(sort <<<"$others") | wc -l)" = 2 ]; }
check "the VM's other vCPUs are where they were" unmoved
check_soon "vm 100 not moved" 8 keeps 100 "$kept100"
check_soon "vm 103 not moved" 8 keeps 103 "$kept103"
switch "$gone" 1
check_soon "all VMs are where they should be" 8 all_legal
check "nothing is pinned to no CPU" vm_json 102 '.vms[0].threads | all(.have != "")'

step "a CPU is gone and back before anybody looks"
known=$(changes)
kept100=$(masks 100)
tid=$(vcpu_tids 100 | head -1)
systemctl kill -s STOP --kill-who=main qmpind
echo 0 >"$sys/cpu13/online"
taskset -cp 0-15 "$tid" >/dev/null # as the kernel would a thread of that CPU alone
echo 1 >"$sys/cpu13/online"
systemctl kill -s CONT --kill-who=main qmpind
check_soon "what was widened is put back" 8 same_masks 100 "$kept100"
check_soon "not as somebody's drift" 8 logged 'vm 100: vCPU .* (host CPUs'
check "no other CPUs than before" [ "$(changes)" = "$known" ]

# Here a CPU needs longer to come or go than qmpind waits for the next one: it is seen
# half-way, without caches or with masks that are not kept, and warnings are right.
step "storms"
known=$(changes)
stormy=$(warnings | wc -l)
echo off >$sys/smt/control
check_soon "without SMT: told" 8 more_changes "$known"
check_soon "without SMT: all VMs are where they should be" 8 all_legal
echo on >$sys/smt/control
for value in 0 1 0 1; do
	for cpu in 1 2 5 10 15; do echo $value >$sys/cpu$cpu/online; done
done
check_soon "after all of it: all VMs are where they should be" 8 all_legal
check "vm 101 stays inside its taskset" [ "$(vcpu_masks 101)" = 0-2 ]
echo "$(($(changes) - known)) changes told of 36"
check "all CPUs are back" [ "$(cat $sys/online)" = 0-15 ]
stormy=$(($(warnings | wc -l) - stormy))
settings
kept100=$(masks 100) kept103=$(masks 103)

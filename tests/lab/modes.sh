# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Part of first-path: cores for themselves, on a host where each node has two of them.

# Core of each CPU of a list, such as 4-5: its threads.
cores_of() { # CPULIST
	python3 -c '
import sys
def cpus(text):
    ends = [[int(n) for n in item.split("-")] for item in text.split(",") if item]
    return [c for e in ends for c in range(e[0], e[-1] + 1)]
for c in cpus(sys.argv[1]):
    print(open("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % c).read().strip())
' "$1" | sort -u
}

# Cores on which threads of these VMs may run.
cores_used() { # VM...
	local id
	for id; do masks "$id" | cut -d ' ' -f 2; done | sort -u |
		while read -r mask; do cores_of "$mask"; done | sort -u
}

step "a dedicated VM comes late"
settings '[vm 104]' 'mode = dedicated' '[vm 103]' 'mode = core'
vm start 104 --vcpus 2
one_cpu_each() { [ "$(vcpu_masks 104 | grep -cE '^[0-9]+$')" = 2 ]; }
check_soon "each of its vCPUs has a CPU" 10 one_cpu_each
alone() { [ -z "$(comm -12 <(cores_used 100 101 102 103) <(cores_used 104))" ]; }
check_soon "nobody else is on its cores" 5 alone
check "CPU 0's core is not among them" [ "$(cores_used 104 | grep -c '^0')" = 0 ]
for id in 100 101 102 103 104; do check_soon "vm $id settled" 10 settled "$id"; done
whole_cores() { # every vCPU's mask is one core
	vcpu_masks 103 | while read -r mask; do [ "$(cores_of "$mask")" = "$mask" ] || exit 1; done
}
check "vm 103: guest cores on the host's" whole_cores
check "told with the reason" logged 'vm 104: vCPU.* (appeared; '
qmpin explain 104
explained() { qmpin explain 104 | grep -q 'Its mode is dedicated (vm_section)'; }
check "explained" explained
adds_up='(.chosen.terms | map(.ns) | add) - .chosen.total_ns | . < 0.01 and . > -0.01'
check "what it costs adds up" jq -e "$adds_up" <(qmpin explain 104 -j)

step "the dedicated VM ends"
vm stop 104 --purge
settings
check_soon "all others are where they should be" 8 all_legal
# shellcheck disable=SC2034 # for the steps behind this
kept100=$(masks 100) kept103=$(masks 103)

# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2086,SC2154 # $vms are several; see package.sh
# Part of package.sh: what an administrator does with the installed service.

# A VM's configuration as an editor leaves it, changed by sed.
edit() { # VM SED
	sed "$2" "/etc/pve/qemu-server/$1.conf" >/etc/pve/edited &&
		mv /etc/pve/edited "/etc/pve/qemu-server/$1.conf"
}
refused() { vm_json "$1" '.vms[0].refused != null'; }

step "VMs opt out and in"
then=$(masks 101)
edit 102 '1i tags: web;qmpin-off'
edit 100 '1i #qmpin%3A off'
check_soon "off by its tag" 20 has_mode 102 off tag
check_soon "off by its description" 20 has_mode 100 off description
check_soon "the masks of the one" 20 all_have 102 0-15
check_soon "and of the other are given back" 20 all_have 100 0-15
check "the third has not moved" same_masks "$then" 101
check_soon "the journal tells" 10 logged 'vm 102: mode off (tag): its configuration has changed'
edit 102 's/^tags: .*/tags: qmpin-pin/'
edit 100 1d
check_soon "on again, but not pinned: refused" 20 refused 102
check_soon "it is placed again" 20 is_placed 102
check_soon "and so is the other" 20 is_placed 100
edit 102 '/^tags:/d'
echo 'select = tagged' >>/etc/qmpin/conf.d/lab.conf
check "only those that ask for it" systemctl reload qmpind
check_soon "none does" 20 has_mode 102 off config
edit 100 '1i tags: qmpin'
check_soon "one does" 20 has_mode 100 auto default
cp "$keep/lab.conf" /etc/qmpin/conf.d/lab.conf
edit 100 '/^tags:/d'
check "and all again" systemctl reload qmpind
for id in $vms; do check_soon "vm $id placed" 20 settled "$id"; done

step "reload"
cp /etc/qmpin/qmpin.conf "$keep/qmpin.conf"
pinned() { [ "$(vcpu_mask 102 | grep -cvx '[0-9]*')" = 0 ]; }
printf '[vm 102]\nmode = pin\n' >/etc/qmpin/qmpin.conf
check "a good file" systemctl reload qmpind
check_soon "vm 102 pinned one to one" 20 pinned
check_soon "settled" 20 settled 102
then=$(masks $vms)
printf '[vm 102]\nmode = float\n[qmpin]\nsettle_ms = ten\n' >/etc/qmpin/qmpin.conf
check "a bad file" systemctl reload qmpind
check_soon "file and line are named" 20 logged '/etc/qmpin/qmpin.conf:4: settle_ms'
told() { qmpin status 2>&1 | grep -q 'last reload failed: /etc/qmpin/qmpin.conf:4: '; }
check_soon "by qmpin status too" 20 told
check "no thread has moved" same_masks "$then" $vms
printf '[vm 102]\nmode = pin\n' >/etc/qmpin/qmpin.conf
check "the good one again" qmpin reload
check "$LAB_MUTATIONS broken ones" "$here/mutate.py" "$LAB_SEED" \
	"$LAB_MUTATIONS" $vms
cp "$keep/qmpin.conf" /etc/qmpin/qmpin.conf
check "as shipped" qmpin reload
for id in $vms; do check_soon "vm $id placed" 20 settled "$id"; done

step "every command, with the service as confined as it is"
for command in status ps "ps 102" "explain 102" "apply --all --dry-run" "apply --all" "restore 102" "apply 102" \
	"release 102" "mode 102 observe" "mode 102 --reset" latency topology metrics \
	"heatmap -o /tmp/heatmap.svg" "config show" "config check" reload version; do
	check "qmpin $command" quiet qmpin $command
done
qmpin doctor
check_soon "settled" 20 settled 102
shared() { vm_json 100 '.vms[0].share == "yield"'; }
check_soon "the monitor of a VM is held: pidfd_getfd" 20 shared
taskset -acp 0-15 "$(pid_of 100)" >/dev/null
check_soon "drift is repaired: sched_setaffinity" 20 is_placed 100
echo 0 >/sys/devices/system/cpu/cpu15/online
check_soon "a CPU that goes is noticed: uevents" 20 logged 'CPUs have changed: 15 are online'
echo 1 >/sys/devices/system/cpu/cpu15/online
check_soon "and that it comes" 20 logged 'CPUs have changed: 16 are online'
check_soon "others' use is known: cgroups" 30 \
	eval "qmpin status -j | jq -e '.background_cpus != null' >/dev/null"
for id in $vms; do check_soon "vm $id placed" 20 settled "$id"; done

# In the unit's own place, so that it is the unit that is tested; qmpind is off meanwhile.
step "what its confinement leaves, and what not"
then=$(masks $vms)
setpriv --reuid=65534 --regid=65534 --clear-groups sleep 3600 &
stranger=$!
systemctl stop qmpind
drop_in confined Type=oneshot WatchdogSec=0 Restart=no "StandardOutput=file:$keep/confined" \
	ExecStart= "ExecStart=/usr/bin/python3 $here/confined.py 100 $stranger"
check "runs" systemctl start qmpind || journalctl -u qmpind -o cat --no-pager | tail
while read -r verdict what; do
	case "$verdict" in
	PASS:) pass "$what" ;;
	*) fail "$what" ;;
	esac
done <"$keep/confined"
check "it came to its end" grep -q 'end what belongs to users' "$keep/confined"
kill "$stranger"
rm "$dropins/confined.conf"
systemctl daemon-reload
check "qmpind itself again" systemctl start qmpind
for id in $vms; do check_soon "vm $id is known" 20 settled "$id"; done
check "no thread has moved" same_masks "$then" $vms

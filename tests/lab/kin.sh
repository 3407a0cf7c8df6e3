# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Part of first-path: processes beside QEMU, in the VM's scope and outside of it, and vhost,
# whose threads are the kernel's before Linux 6.4 and QEMU's own since.

scope_of() { echo "/sys/fs/cgroup/qemu.slice/$1.scope"; }
as_emulator() { [ "$(allowed "$2" 2>/dev/null)" = "$(allowed "$(pid_of "$1")")" ]; } # VM PID
in_class() { # VM PID CLASS
	vm_json "$1" ".vms[0].threads | any(.tid == $2 and .class == \"$3\" and .want == .have)"
}
unknown() { vm_json "$1" ".vms[0].threads | all(.tid != $2)"; } # VM PID
# Both kinds of thread of vhost, by their name.
vhost_of() { # VM
	grep -lsx "vhost-$(pid_of "$1")" /proc/[0-9]*/task/*/comm | head -n 1 |
		cut -d/ -f5 | grep .
}

step "helpers of a VM"
if command -v swtpm >/dev/null; then
	mkdir -p /tmp/tpm100
	swtpm socket --tpm2 --tpmstate dir=/tmp/tpm100 --ctrl type=unixio,path=/tmp/tpm100.sock &
else
	echo "no swtpm here: a process that sleeps"
	sleep 3600 &
fi
helper=$!
sleep 3600 &
stranger=$!
echo "$helper" >"$(scope_of 100)/cgroup.procs"
check_soon "found within an audit" 4 vm_json 100 '.vms[0].threads | any(.class == "helper")'
check_soon "and set when it stays" 8 in_class 100 "$helper" helper
check "where the emulator is" as_emulator 100 "$helper"
qmpin ps 100
check "a process outside of the scope is not touched" [ "$(allowed "$stranger")" = 0-15 ]
systemctl restart qmpind
check_soon "a restart knows it" 10 in_class 100 "$helper" helper
taskset -acp 0-15 "$helper" >/dev/null
check_soon "drift is repaired" 8 as_emulator 100 "$helper"
echo "$stranger" >"$(scope_of 101)/cgroup.procs"
check_soon "another VM's helper is that VM's" 10 in_class 101 "$stranger" helper
check "and inside its limit" [ "$(allowed "$stranger")" = "$(allowed "$(pid_of 101)")" ]
kill "$helper" "$stranger"
wait "$helper" "$stranger" 2>/dev/null
check_soon "forgotten" 5 unknown 100 "$helper"

step "vhost"
modprobe vhost_vsock
if [ -e /dev/vhost-vsock ]; then
	vm start 105 --vcpus 1 --qemu=-device --qemu=vhost-vsock-pci,guest-cid=105
	check_soon "its thread runs" 5 vhost_of 105
	vhost=$(vhost_of 105)
	echo "thread $vhost of kernel $(uname -r), process $(awk '/^Tgid/ {print $2}' "/proc/$vhost/status"), QEMU $(pid_of 105)"
	grep -x "$vhost" "$(scope_of 105)/cgroup.procs"
	check_soon "known as vhost" 20 in_class 105 "$vhost" vhost
	check "where the emulator is" as_emulator 105 "$vhost"
	mkdir /sys/fs/cgroup/elsewhere
	pid_of 105 >/sys/fs/cgroup/elsewhere/cgroup.procs
	taskset -cp 0-15 "$vhost" >/dev/null
	check_soon "also when QEMU has no scope of its own" 8 as_emulator 105 "$vhost"
	check "known as vhost" in_class 105 "$vhost" vhost
	vm stop 105 --purge
	check_soon "gone" 5 rmdir /sys/fs/cgroup/elsewhere
else
	fail "no vhost_vsock in this kernel"
fi

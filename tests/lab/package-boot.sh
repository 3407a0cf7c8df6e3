# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2086,SC2154 # $vms are several; see package.sh
# Part of package.sh: boots in which /etc/pve hangs, first without qmpind, then with it.
# Times are the guest's CLOCK_MONOTONIC, which its emulated CPUs do not stretch: there
# everything takes longer, with qmpind and without.
EMULATED=20 # TCG is 10 to 30 times slower than a CPU

booted() { systemctl is-active -q pve-guests && systemctl is-active -q multi-user.target; }
# What the stand-in for pve-guests waited for is over, and it starts: milliseconds later.
waited() {
	local unit last=0 now
	for unit in $(systemctl show -P After pve-guests); do
		now=$(usec ActiveEnter "$unit")
		[ "${now:-0}" -le "$last" ] || last=$now
	done
	echo $((($(usec InactiveExit pve-guests) - last) / 1000))
}
is_hung() { ! (timeout -s KILL 3 ls /etc/pve) >/dev/null 2>&1; }

step "boot $LAB_BOOT"
check_soon "all is started" 60 booted
check "/etc/pve hangs" is_hung
guests=$(($(usec InactiveExit pve-guests) / 1000))
after=$(waited)
echo "pve-guests starts $guests ms after the kernel, $after ms after what it waits for"
if [ "$LAB_BOOT" = 2 ]; then
	check "qmpind does not run" [ "$(systemctl is-active qmpind)" = inactive ]
	check "nobody has placed the VMs" as_before
	check "qmpind starts with the host again" systemctl -q enable qmpind
	echo "$guests $after" >"$keep/guests"
	return
fi

read -r guests_without after_without <"$keep/guests"
echo "without qmpind it was $guests_without ms, $after_without ms"
# How long what comes before takes differs by more than that from boot to boot.
check "pve-guests starts no more than 2 s later after what it waits for" \
	[ "$after" -le $((after_without + 2000)) ]
check "nobody waits for qmpind" [ "$(systemctl show -P Before qmpind | tr ' ' '\n' |
	grep -cvE '^(shutdown|multi-user)\.target$')" = 0 ]
check_soon "qmpind runs" 20 systemctl is-active -q qmpind
ready=$((($(usec ActiveEnter) - $(usec InactiveExit)) / 1000))
echo "qmpind is ready $ready ms after its start"
check "within a second, on a real CPU" [ "$ready" -le $((1000 * EMULATED)) ]
for id in $vms; do check_soon "vm $id placed by what the host says" 30 settled "$id"; done
check "vm 102 too, which says off" is_placed 102
check_soon "the journal tells" 10 logged '/etc/pve does not answer'

step "it stops and starts while a child of it hangs"
then=$(masks $vms)
stuck() { pgrep -x -r D qmpin-pve >/dev/null; }
check_soon "a child cannot be killed" 30 stuck
began=$(now_ms)
systemctl stop qmpind
echo "stopped after $(($(now_ms) - began)) ms: $(systemctl show -P Result qmpind)"
began=$(now_ms)
check "starts" systemctl start qmpind
echo "started after $(($(now_ms) - began)) ms"
for id in $vms; do check_soon "vm $id is known" 20 settled "$id"; done
check "no thread has moved" same_masks "$then" $vms

step "/etc/pve answers again"
systemctl -q disable --now pve-cluster pve-guests
umount -l /etc/pve
rm /etc/systemd/system/pve-cluster.service /etc/systemd/system/pve-guests.service
systemctl daemon-reload
check_soon "vm 102 is off by its tag" 60 has_mode 102 off tag
check_soon "its masks are given back" 20 all_have 102 0-15
check "the others have not moved" same_masks "$then" 100 101
check_soon "no child is left over" 20 eval '! stuck'
sed -i '/^tags:/d' /etc/pve/qemu-server/102.conf
check_soon "and on again" 20 is_placed 102

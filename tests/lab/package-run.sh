# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2086,SC2154 # $vms are several; see package.sh
# Part of package.sh, before the first reboot: installed, used, upgraded, killed.

step "the host"
# what was there to make the image: services of packages are started
rm -f /usr/sbin/policy-rc.d
mkdir -p "$keep" "$dropins"
printf '[qmpin]\nrebalance = no\nwiden_wait_pct = 0\nprobe = no\nadopt = now\n' >"$keep/lab.conf"
# other work on a small machine must not fail this
printf '[Service]\nTimeoutStartSec=90\n' >"$dropins/lab.conf"
systemctl daemon-reload
ls /mnt/share/debs
vm start 100 --vcpus 3
vm start 101 --vcpus 2 --affinity 0-2
files >"$keep/files.before"

step "it is installed"
# before, as an administrator's tools would
mkdir -p /etc/qmpin/conf.d
cp "$keep/lab.conf" /etc/qmpin/conf.d/lab.conf
check "installs" quiet dpkg -i "$old"
check "runs" systemctl is-active -q qmpind
check "starts with the host" systemctl is-enabled -q qmpind
for id in 100 101; do check_soon "vm $id placed" 20 settled "$id"; done
check "vm 100 on one node" is_placed 100
check "vm 101 stays inside its taskset" [ "$(vcpu_mask 101)" = 0-2 ]
vm start 102 --vcpus 2
check_soon "a VM that comes later is placed" 20 is_placed 102
check "members of the group may look" \
	[ "$(stat -c %G:%a /run/qmpin/io.qmpin.ro)" = qmpin:660 ]
check "its configuration can be read by all" \
	[ "$(stat -c %U:%a /etc/qmpin/qmpin.conf)" = root:644 ]
explained() { journalctl -u qmpind -x --no-pager | grep -q 'Subject: Threads of VM 100 '; }
check "the journal's catalog explains" explained
# a QEMU that takes long to answer is worth a warning, and is one on a busy machine
journalctl -u qmpind -p warning -o cat --no-pager
check "nothing is wrong" [ -z "$(journalctl -u qmpind -p err -o cat --no-pager)" ]

# shellcheck source=SCRIPTDIR/package-use.sh
. "$here/package-use.sh"

step "it is upgraded"
echo '# mine' >>/etc/qmpin/qmpin.conf
pid=$(main_pid)
then=$(masks $vms)
check "upgrades" quiet dpkg -i "$new"
check "runs" systemctl is-active -q qmpind
check "it is another process" [ "$(main_pid)" != "$pid" ]
echo "away for $((($(usec ActiveEnter) - $(usec InactiveEnter)) / 1000)) ms"
check "no thread has moved" same_masks "$then" $vms
for id in $vms; do check_soon "vm $id is known" 20 settled "$id"; done
check "nor has it now" same_masks "$then" $vms
check "what was changed in the configuration is kept" grep -q '^# mine' /etc/qmpin/qmpin.conf

step "it is killed, and hangs"
another() { local now; now=$(main_pid); [ "$now" != 0 ] && [ "$now" != "$1" ]; }
pid=$(main_pid)
systemctl kill -s KILL qmpind
check_soon "kill -9: started again" 15 another "$pid"
check_soon "and settled" 20 settled 102
drop_in watchdog WatchdogSec=5
systemctl restart qmpind
check_soon "settled" 20 settled 102
pid=$(main_pid)
kill -STOP "$pid"
check_soon "watchdog: started again" 30 another "$pid"
check_soon "and settled" 20 settled 102
rm "$dropins/watchdog.conf"
systemctl daemon-reload
check "no thread has moved" same_masks "$then" $vms

# /etc/pve hangs from the next boots on, so VMs start from copies. The stand-ins are
# ordered as on Proxmox VE, where VMs start when all else is there, but that /etc/pve is
# mounted as early as can be. qmpind is left out of the first one.
step "before the reboot"
cp -r /etc/pve/qemu-server "$keep/confs"
echo 'tags: qmpin-off' >>/etc/pve/qemu-server/102.conf
install -m 755 "$here/hung-pve" "$keep/hung-pve"
cat >/etc/systemd/system/pve-cluster.service <<U
[Unit]
DefaultDependencies=no
After=lab-setup.service
Before=basic.target
[Service]
ExecStartPre=/sbin/modprobe fuse
ExecStart=$keep/hung-pve /etc/pve
ExecStartPost=/bin/sh -c 'until grep -q " /etc/pve fuse " /proc/mounts; do sleep 0.1; done'
[Install]
WantedBy=basic.target
U
cat >/etc/systemd/system/pve-guests.service <<U
[Unit]
After=network.target pve-cluster.service
[Service]
Type=oneshot
RemainAfterExit=yes
Environment=LAB_PVE=$keep/confs
ExecStart=/bin/sh -c 'for vm in $vms; do /usr/local/sbin/vm start \$vm; done'
[Install]
WantedBy=multi-user.target
U
systemctl daemon-reload
systemctl -q enable pve-cluster pve-guests
check "qmpind does not start with the host" systemctl -q disable qmpind

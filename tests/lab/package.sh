#!/bin/bash
# SPDX-License-Identifier: MIT
# A scenario of its own, on the virtual host as first-path, without `make install`: the
# Debian package is installed, upgraded, removed, purged, and installed again, while VMs
# run. /mnt/share/debs has two versions of it. Masks are read from the kernel before and
# after each step, and all file names before the first and after the last.
# shellcheck source=SCRIPTDIR/steps.sh
. "$(dirname "$0")/steps.sh"

export DEBIAN_FRONTEND=noninteractive
old=$(find /mnt/share/debs -name 'qmpin_*.deb' ! -name '*+1_*')
new=$(find /mnt/share/debs -name 'qmpin_*+1_*.deb')
vms="100 101 102"

# "VM tid mask" of all threads of VMs.
masks() {
	local vm t
	for vm in "$@"; do
		for t in /proc/"$(pid_of "$vm")"/task/*; do
			echo "$vm ${t##*/} $(taskset -cp "${t##*/}" | sed 's/.*: //')"
		done
	done | sort -k 1,2
}
# Those that were there then have the masks they had then.
same_masks() { # MASKS VM...
	local then=$1
	shift
	join -j 2 -o 0,1.3,2.3 <(masks "$@" | sort -k 2,2) <(sort -k 2,2 <<<"$then") |
		awk '{ bad += $2 != $3 } END { exit !NR || bad }'
}
# Every thread of a VM has this mask.
all_have() { [ "$(masks "$1" | awk '{ print $3 }' | sort -u)" = "$2" ]; }
settled() { vm_json "$1" '.vms[0].threads | length > 2 and all(.want != null and .want == .have)'; }
is_placed() { settled "$1" && [ "$(vcpu_mask "$1")" != 0-15 ]; }
main_pid() { systemctl show -P MainPID qmpind; }
usec() { systemctl show -P "$1TimestampMonotonic" qmpind; }
quiet() { "$@" >/tmp/said 2>&1 || { cat /tmp/said; return 1; }; }

# What dpkg and systemd keep in books of their own is not ours, and VMs come and go.
files() {
	find / -xdev \( -path /proc -o -path /sys -o -path /tmp -o -path /var/log \
		-o -path /var/cache -o -path /mnt -o -path /var/lib/systemd/catalog \
		-o -path /etc/pve \) -prune -o -print |
		grep -Ev '^/var/lib/dpkg/.*(-old|[lL]ock.*)$|^/etc/(g|passwd|shadow).*-$|^/etc/.pwd.lock$' |
		sort
	find /run -xdev -path '*qmpin*' | sort
}
nothing_left() {
	files >/tmp/files.after
	diff /tmp/files.before /tmp/files.after
}
as_before() { # the masks of the VMs are those they had without qmpind
	all_have 100 0-15 && all_have 101 0-2 && all_have 102 0-15
}
serves() { local vm; for vm in $vms; do vm qmp "$vm" query-status >/dev/null || return 1; done; }

step "the host"
printf '[qmpin]\nrebalance = no\nwiden_wait_pct = 0\nprobe = no\nadopt = now\n' >/tmp/lab.conf
mkdir -p /etc/systemd/system/qmpind.service.d
# other work on a small machine must not fail this
printf '[Service]\nTimeoutStartSec=90\n' >/etc/systemd/system/qmpind.service.d/lab.conf
systemctl daemon-reload
ls /mnt/share/debs
vm start 100 --vcpus 3
vm start 101 --vcpus 2 --affinity 0-2
files >/tmp/files.before

step "it is installed"
# before, as an administrator's tools would
mkdir -p /etc/qmpin/conf.d
cp /tmp/lab.conf /etc/qmpin/conf.d/lab.conf
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
check "nothing is wrong" [ -z "$(journalctl -u qmpind -p warning -o cat --no-pager)" ]

step "it is upgraded"
echo '# mine' >>/etc/qmpin/qmpin.conf
pid=$(main_pid)
# shellcheck disable=SC2086 # several
then=$(masks $vms)
check "upgrades" quiet dpkg -i "$new"
check "runs" systemctl is-active -q qmpind
check "it is another process" [ "$(main_pid)" != "$pid" ]
echo "away for $((($(usec ActiveEnter) - $(usec InactiveEnter)) / 1000)) ms"
# shellcheck disable=SC2086
check "no thread has moved" same_masks "$then" $vms
for id in $vms; do check_soon "vm $id is known" 20 settled "$id"; done
# shellcheck disable=SC2086
check "nor has it now" same_masks "$then" $vms
check "what was changed in the configuration is kept" grep -q '^# mine' /etc/qmpin/qmpin.conf

step "it is killed, and hangs"
another() { local now; now=$(main_pid); [ "$now" != 0 ] && [ "$now" != "$1" ]; }
pid=$(main_pid)
systemctl kill -s KILL qmpind
check_soon "kill -9: started again" 15 another "$pid"
check_soon "and settled" 20 settled 102
printf '[Service]\nWatchdogSec=5\n' >/etc/systemd/system/qmpind.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart qmpind
check_soon "settled" 20 settled 102
pid=$(main_pid)
kill -STOP "$pid"
check_soon "watchdog: started again" 30 another "$pid"
check_soon "and settled" 20 settled 102
rm /etc/systemd/system/qmpind.service.d/watchdog.conf
systemctl daemon-reload
# shellcheck disable=SC2086
check "no thread has moved" same_masks "$then" $vms

# The services of a boot, without the boot (see README.md): what is off comes with multi-user.target. The
# stand-in is ordered as on Proxmox VE, where VMs start when all else is there.
step "a boot beside pve-guests"
cat >/etc/systemd/system/pause.target <<'U'
[Unit]
Requires=basic.target dbus.service
After=basic.target
AllowIsolate=yes
U
cat >/etc/systemd/system/pve-guests.service <<'U'
[Unit]
After=network.target basic.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'cut -d" " -f1 /proc/uptime >/run/pve-guests.began'
[Install]
WantedBy=multi-user.target
U
systemctl daemon-reload
systemctl -q enable pve-guests
check "all services end" systemctl isolate pause.target
check "qmpind, too" [ "$(systemctl is-active qmpind)" = inactive ]
began=$(now_ms)
check "they start" systemctl isolate multi-user.target
check_soon "qmpind runs" 20 systemctl is-active -q qmpind
delay=$(awk -v began="$began" '{ print int($1 * 1000 - began) }' /run/pve-guests.began)
ready=$(($(usec ActiveEnter) / 1000 - began))
started=$((($(usec ActiveEnter) - $(usec ExecMainStart)) / 1000))
echo "pve-guests after $delay ms, qmpind ready after $ready ms, $started ms from its start"
check "nobody waits for qmpind" [ "$(systemctl show -P Before qmpind | tr ' ' '\n' |
	grep -cvE '^(shutdown|multi-user)\.target$')" = 0 ]
check_soon "VMs are known" 20 settled 102
# shellcheck disable=SC2086
check "no thread has moved" same_masks "$then" $vms
systemctl -q disable --now pve-guests
rm /etc/systemd/system/pause.target /etc/systemd/system/pve-guests.service /run/pve-guests.began
systemctl daemon-reload

step "it is removed"
check "a mode for good" quiet qmpin mode 102 pin --permanent
check "removed" quiet dpkg -r qmpin
cat /tmp/said
check "it does not run" [ "$(systemctl is-active qmpind)" = inactive ]
check "nor its guard" [ -z "$(pgrep qmpin)" ]
check "all masks are those of before" as_before
check "no socket and no record is left" [ ! -e /run/qmpin ]
check "monitors serve others" serves
check "the configuration is kept" grep -q '^# mine' /etc/qmpin/qmpin.conf

step "it is installed again, and removed while it is off"
check "installs" quiet dpkg -i "$new"
for id in $vms; do check_soon "vm $id placed" 20 settled "$id"; done
pinned() { [ "$(vcpu_mask 102 | grep -cvx '[0-9]*')" = 0 ]; }
check_soon "vm 102 in the mode that it was given for good" 20 pinned
systemctl stop qmpind
check "masks stay while it is off" pinned
check "removed" quiet dpkg -r qmpin
check "all masks are those of before" as_before
check "no record is left" [ ! -e /run/qmpin ]

step "it is purged"
check "purged" quiet dpkg -P qmpin
check "no file is left" nothing_left
check "monitors serve others" serves

step "installed and purged at once"
mkdir -p /etc/qmpin/conf.d
cp /tmp/lab.conf /etc/qmpin/conf.d/lab.conf
check "installs" quiet dpkg -i "$new"
check_soon "vm 100 placed" 20 is_placed 100
check "purged" quiet dpkg -P qmpin
check "no file is left" nothing_left
check "all masks are those of before" as_before

journalctl -u qmpind -p warning -o cat --no-pager
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# A scenario of its own, on the virtual host as first-path, without `make install`: the
# Debian package is installed, upgraded, removed, purged, and installed again, while VMs
# run, and the host is rebooted twice. /mnt/share/debs has two versions of it. Masks are
# read from the kernel before and after each step, and all file names before the first and
# after the last. What a boot needs of the one before is in $keep.
# shellcheck source=SCRIPTDIR/steps.sh
. "$(dirname "$0")/steps.sh"

export DEBIAN_FRONTEND=noninteractive
here=$(dirname "$0")
keep=/var/lib/lab
old=$(find /mnt/share/debs -name 'qmpin_*.deb' ! -name '*+1_*')
new=$(find /mnt/share/debs -name 'qmpin_*+1_*.deb')
vms="100 101 102"
dropins=/etc/systemd/system/qmpind.service.d

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
has_mode() { vm_json "$1" ".vms[0] | .mode == \"$2\" and .mode_origin == \"$3\""; }
main_pid() { systemctl show -P MainPID qmpind; }
# When a unit became active (ActiveEnter) or began to (InactiveExit) ..., in microseconds.
usec() { systemctl show -P "$1TimestampMonotonic" "${2:-qmpind}"; }
quiet() { "$@" >/tmp/said 2>&1 || { cat /tmp/said; return 1; }; }

# What dpkg and systemd keep in books of their own is not ours, and VMs come and go.
files() {
	find / -xdev \( -path /proc -o -path /sys -o -path /tmp -o -path /var/tmp -o -path /var/log \
		-o -path /var/cache -o -path /mnt -o -path /var/lib/systemd -o -path /etc/pve \
		-o -path "$keep" \) -prune -o -print |
		grep -Ev '^/var/lib/dpkg/.*(-old|[lL]ock.*)$|^/etc/(g|passwd|shadow).*-$|^/etc/.pwd.lock$' |
		sort
	find /run -xdev -path '*qmpin*' | sort
}
nothing_left() {
	files >"$keep/files.after"
	diff "$keep/files.before" "$keep/files.after"
}
as_before() { # the masks of the VMs are those they had without qmpind
	all_have 100 0-15 && all_have 101 0-2 && all_have 102 0-15
}
serves() { local vm; for vm in $vms; do vm qmp "$vm" query-status >/dev/null || return 1; done; }
drop_in() { # NAME LINE...: of [Service]; the daemon is not started anew
	local name=$1
	shift
	printf '%s\n' '[Service]' "$@" >"$dropins/$name.conf"
	systemctl daemon-reload
}

# shellcheck disable=SC2034 # counted on by steps.sh
[ ! -e "$keep/counts" ] || read -r passed failed <"$keep/counts"
if [ "$LAB_BOOT" = 1 ]; then
	# shellcheck source=SCRIPTDIR/package-run.sh
	. "$here/package-run.sh"
else
	# shellcheck source=SCRIPTDIR/package-boot.sh
	. "$here/package-boot.sh"
fi
if [ "$LAB_BOOT" = 3 ]; then
	# shellcheck source=SCRIPTDIR/package-end.sh
	. "$here/package-end.sh"
fi
echo "$passed $failed" >"$keep/counts"
[ "$LAB_BOOT" = 3 ] || exit 0
finish

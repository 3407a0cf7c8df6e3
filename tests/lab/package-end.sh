# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # see package.sh
# Part of package.sh, at its end: removed, installed again, purged.

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
cp "$keep/lab.conf" /etc/qmpin/conf.d/lab.conf
check "installs" quiet dpkg -i "$new"
check_soon "vm 100 placed" 20 is_placed 100
check "purged" quiet dpkg -P qmpin
check "no file is left" nothing_left
check "all masks are those of before" as_before

journalctl -u qmpind -p warning -o cat --no-pager

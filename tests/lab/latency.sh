# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Part of first-path: the installed service measures latencies with the real qmpin-probe,
# under the unit's confinement. On emulated CPUs few visits have a result, or none; what
# is measured is not to be trusted anyway.

probes() { pgrep -x qmpin-probe >/dev/null; }
no_probe() { ! probes; }
kept() { stat -c '%U %a' /var/lib/qmpin/latency-* 2>/dev/null; }

ask() { # in the background, for long enough
	qmpin probe --exhaustive >/dev/null 2>&1 &
	asked=$!
	check_soon "qmpin probe: a child measures" 5 probes
}

step "latencies between the host's CPUs"
check_soon "measured, and not trusted in a virtual machine" 30 logged \
	'latency: measured .*: not trusted (the host is itself a virtual machine)'
check_soon "the child has ended" 5 no_probe
check "kept, for root only" [ "$(kept)" = "root 600" ]
untrusted() { qmpin latency -j | jq -e '(.trusted | not) and (.source | test("virtual"))' >/dev/null; }
check "said to clients too" untrusted
before=$(main_pid)
ask
# No VM is on CPU 3: none is moved.
echo 0 >/sys/devices/system/cpu/cpu3/online
check_soon "a CPU goes meanwhile: told" 8 logged "CPUs have changed: 15 are online"
check "qmpind runs on" [ "$(main_pid)" = "$before" ]
kill "$asked"
wait "$asked" 2>/dev/null
echo 1 >/sys/devices/system/cpu/cpu3/online
check_soon "given up when nobody waits" 8 logged 'latency: a probe was given up'
systemctl reload qmpind
check_soon "a reload measures again" 8 probes

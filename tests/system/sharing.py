# SPDX-License-Identifier: MIT
"""What tests of the shared monitor need: QEMUs of several versions, rivals like Proxmox's
tools (tests/share/rival), a daemon that shares in a given way, and who is served.

Long runs: QMPIN_SOAK multiplies how often the random things are done (1 in make check).
"""
import json
import os
import re
import signal
import subprocess

from daemon import die_with_parent
from runner import BUILD, SLACK, SOURCE, Skip, check, now, retry

RIVAL = os.path.join(BUILD, "tests", "share", "rival")
VERSION = os.path.join(SOURCE, "tests", "qemus", "qemu-version")
SOAK = float(os.environ.get("QMPIN_SOAK", "1"))
# A connection that was there when its other end died: what its client sees.
CUT = ("closed", "read: ECONNRESET", "send: EPIPE", "send: ECONNRESET")
_found = {}


def qemu(version):
    """The program that is this version of QEMU."""
    if version not in _found:
        p = subprocess.run([VERSION, version], text=True, stdin=subprocess.DEVNULL,
                           capture_output=True)
        _found[version] = (p.stdout.strip(), p.stderr.strip().split("\n")[-1])
    path, why = _found[version]
    if not path:
        raise Skip(why)
    return path


def start_vms(host, version, ids, **more):
    """VMs of a version of QEMU."""
    host.qemu = qemu(version)
    more.setdefault("cpus", host.need_cpus(2))
    vms = [host.start_vm(i, wait=False, **more) for i in ids]
    for vm in vms:
        vm.vcpus()
    return vms


def config(share="auto", more="", ways=None):
    """A configuration; ways: {VMID: share}."""
    text = "[qmpin]\nmode = pin\nadopt = now\nshare = %s\n%s\n" % (share, more)
    for vmid, way in (ways or {}).items():
        text += "[vm %d]\nshare = %s\n" % (vmid, way)
    return text


def shared(d, vmid, way):
    """The VM is shared this way and watched, or just used by somebody."""
    vm = d.vm(vmid)
    return vm and vm["share"] == way and vm["state"] in ("watching", "yielded")


def wait_shared(d, way, *vmids, timeout=10.0):
    for vmid in vmids:
        retry(lambda: shared(d, vmid, way),
              "VM %d is shared: %s" % (vmid, way), timeout)
    d.wait_settled(*vmids, timeout=timeout)


def served(path):
    """Sockets (inodes) of clients that QEMU serves at the path now."""
    with open("/proc/net/unix") as f:
        rows = [line.split() for line in f]
    return [row[6] for row in rows if row[-1] == path and row[5] == "03"]


def monitors(vm):
    """What this QEMU has of ours: (objects, chardevs)."""
    objects = [o["name"] for o in vm.monitor.run("qom-list", path="/objects")]
    chardevs = [c["label"] for c in vm.monitor.run("query-chardev")]
    return ([o for o in objects if o.startswith("qmpin")],
            [c for c in chardevs if c.startswith("qmpin")])


def fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def sockets(pid):
    """Descriptors that are sockets: what is kept open between audits varies."""
    count = 0
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            count += os.readlink("/proc/%d/fd/%s" % (pid, fd)).startswith("socket:")
        except FileNotFoundError:
            pass
    return count


def threads(pid):
    return len(os.listdir("/proc/%d/task" % pid))


def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", f.read(), re.M).group(1))


def guard_of(pid):
    """The process that is the guard of a daemon, or None."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            children = f.read().split()
    except FileNotFoundError:
        return None
    for child in children:
        try:
            with open("/proc/%s/comm" % child) as f:
                if f.read().strip() == "qmpin-guard":
                    return int(child)
        except FileNotFoundError:
            pass
    return None


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * q))]


class Rival:
    """A running rival on these VMs; see tests/share/rival for the options."""

    def __init__(self, host, vms, *options):
        check(os.path.exists(RIVAL), "%s is not built (make check builds it)", RIVAL)
        argv = [RIVAL] + [str(o) for o in options] + [vm.qmp_path for vm in vms]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE,
                                        preexec_fn=die_with_parent)
        host.helpers.append(self.process)

    def wait(self, timeout=60.0):
        """What it suffered."""
        out, _ = self.process.communicate(timeout=timeout * SLACK)
        return json.loads(out)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait()


def run_rival(host, vms, *options, timeout=60.0):
    return Rival(host, vms, *options).wait(timeout)


def unharmed(result, what, excused=lambda failure: False):
    """No command failed, but for those excused. Some must have been sent."""
    check(result["commands"] > 0, "%s: no command was sent", what)
    bad = [f for f in result["failures"] if not excused(f)]
    check(result["failed"] == len(result["failures"]) and not bad,
          "%s: %d of %d commands failed: %s; the first: %s", what, result["failed"],
          result["commands"], result["reasons"], (bad or result["failures"])[:2])


def cut_at(moments, room=0.05):
    """Excuses a connection that was cut while it was there, at one of the moments."""
    def excused(failure):
        first, last = failure["began_us"] / 1e6, failure["ended_us"] / 1e6
        return failure["why"] in CUT and any(
            first - room <= m <= last + room for m in moments)
    return excused


def most_at_once(failures):
    """How many clients of one VM were cut off by one thing that happened."""
    cut = sorted((f["socket"], f["ended_us"]) for f in failures)
    most = run = 0
    last = ("", 0)
    for path, at in cut:
        run = run + 1 if path == last[0] and at - last[1] < 50000 else 1
        most, last = max(most, run), (path, at)
    return most


def plug_times(result):
    """Seconds from the reply to device_add to the mask; all plugged vCPUs must have it.
    Those that inherited one CPU from the main thread say nothing."""
    late = [p for p in result["plugs"] if p["pinned_us"] is None]
    check(not late, "%d of %d plugged vCPUs were not pinned: %s", len(late),
          len(result["plugs"]), late[:3])
    took = [(p["pinned_us"] - p["replied_us"]) / 1e6 for p in result["plugs"]
            if p["n_cpus"] > 1]
    check(took, "all plugged vCPUs inherited one CPU")
    return took


def pause(random, most):
    """Let a random time go by, often a short one."""
    end = now() + most * random.random() ** 3
    retry(lambda: now() >= end, "time goes by", most + 5, step=0.001)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What VMs say about themselves in their Proxmox configurations: opting in and out while
they run, what they may not ask for, which word is the strongest, and what happens when
the cluster's files are bad, gone or hang."""
import json
import os
import sys

from runner import SLACK, check, holds, main, now, retry
from vmhost import Host, MaskWatch, put_file

# What is placed runs on the first CPU, what is left alone on both.
BOTH, PLACED = {0, 1}, {0}
WAITS = "waits for its configuration: /etc/pve does not answer"
BASE = "[qmpin]\nadopt = now\nreserved_cpus = 1\nmode = float\n"


class Cluster:
    """The files of /etc/pve, as pmxcfs has them."""

    def __init__(self, host):
        self.dir = host.path("etc", "pve")
        self.confs = os.path.join(self.dir, "nodes", "here", "qemu-server")
        os.makedirs(self.confs)
        os.symlink("nodes/here/qemu-server", os.path.join(self.dir, "qemu-server"))
        self.versions, self.count = {}, 0
        self._count()

    def file(self, name, text):
        """None: it goes."""
        put_file(os.path.join(self.dir, name), text)

    def unmount(self):
        """Only the place is left."""
        os.rename(self.dir, self.dir + ".away")
        os.mkdir(self.dir)

    def mount(self):
        os.rmdir(self.dir)
        os.rename(self.dir + ".away", self.dir)

    def _count(self):
        self.count += 1
        ids = {str(i): {"node": "here", "type": "qemu", "version": v}
               for i, v in self.versions.items()}
        self.file(".vmlist", json.dumps({"version": self.count, "ids": ids}))
        self.file(".version", json.dumps({"starttime": 1, "vmlist": self.count}))

    def vms(self, texts):
        """Configurations by VMID, None: it goes. They count together."""
        for vmid, text in texts.items():
            self.file("qemu-server/%d.conf" % vmid, text)
            self.versions[vmid] = self.count + 1
            if text is None:
                del self.versions[vmid]
        self._count()


def start_vms(host, *vmids):
    host.need_cpus(2)
    return {i: host.start_vm(i, vcpus=1, cpus=BOTH) for i in vmids}


def says(d, vmid, mode, origin):
    vm = d.vm(vmid)
    return vm and (vm["mode"], vm["mode_origin"]) == (mode, origin)


def at(vm, cpus):
    return vm.masks()[vm.pid] == cpus and all(m == cpus for m in vm.vcpu_masks().values())


def wait_at(vm, cpus, timeout=10):
    retry(lambda: at(vm, cpus), "VM %d is on %s" % (vm.id, cpus), timeout)


def opting(host):
    """VMs opt out and in by tag and by description while they run"""
    pve = Cluster(host)
    vms = start_vms(host, 100, 101, 102, 103, 104)
    pve.vms({100: "cores: 1\ntags: web;qmpin-off\n",
             101: "#Mail%3A the old one\n#qmpin%3A off\ncores: 1\n",
             102: "name: plain\n",
             103: "#qmpin%3A pin smt=isolate\n",
             104: "affinity: 1\npinning: 1\n"})
    d = host.started(BASE)
    d.wait_settled(102, 103)
    retry(lambda: says(d, 100, "off", "tag") and says(d, 101, "off", "description") and
          says(d, 104, "observe", "default"), "modes are known", 5)
    check(all(at(vms[i], BOTH) for i in (100, 101, 104)), "who is off was touched")
    check(not d.lines(r"^qmpind: vm (100|101|104): vCPU.* -> "), "it was touched")
    code, out, _ = d.command("ps", "--columns", "vm,mode,note")
    for line in ("100 off (tag) ", "101 off (description) ", "103 float "
                 "pin refused: description may not set modes", "104 observe "):
        check(code == 0 and line in " ".join(out.split()) + " ", "%r: %s", line, out)
    d.wait_line(r"^qmpind: warning: vm 103: pin refused: description may not set modes")
    d.wait_line(r"^qmpind: warning: vm 104: only observed: 'pinning:' ")
    check("asked for  pin refused: " in d.command("ps", "103")[1], "ps 103")
    check("It asked for more: pin refused: " in d.command("explain", "103")[1], "explain")
    check("VM 100 is not managed: off by its tag" in d.command("explain", "100")[2],
          "explain 100: %s", d.command("explain", "100"))
    # and now the other way round, all at once
    pve.vms({100: "cores: 1\ntags: web\n", 101: "#qmpin%3A on\n",
             102: "name: plain\ntags: qmpin-off\n", 103: "tags: qmpin-observe\n"})
    for i in (100, 101):
        wait_at(vms[i], PLACED)
    retry(lambda: says(d, 102, "off", "tag") and says(d, 103, "observe", "tag"),
          "they are off", 5)
    wait_at(vms[102], BOTH)
    d.wait_line(r"^qmpind: vm 102: mode off \(tag\): its configuration has changed")
    check(d.command("mode", "102", "float")[0] == 0, "mode by hand")
    check(says(d, 102, "float", "runtime"), "by hand is stronger than a tag")
    texts = [h["text"] for h in d.command_json("explain", "102")["history"]]
    check("mode off (tag)" in texts, "%s", texts)
    # the file of a VM that runs goes: it says what it said last
    pve.vms({103: None})
    pve.vms({100: "tags: qmpin-off\n"})
    d.reload()    # which looks at once
    retry(lambda: says(d, 100, "off", "tag"), "a look after it has gone", 5)
    check(says(d, 103, "observe", "tag"), "what it said was forgotten")
    wait_at(vms[100], BOTH)
    # one that is off is not touched either when it starts later
    pve.vms({105: "tags: qmpin-off\n"})
    vms[105] = host.start_vm(105, vcpus=1, cpus=BOTH)
    retry(lambda: says(d, 105, "off", "tag") and d.vm(105)["threads"], "it is seen", 5)
    check(at(vms[105], BOTH) and not d.lines(r"^qmpind: vm 105: .* -> "), "it was touched")
    watch = MaskWatch([t for vm in vms.values() for t in vm.vcpus().values()])
    d.kill()
    d.start()
    d.wait_settled(101, 102)
    retry(lambda: says(d, 100, "off", "tag"), "it is read again", 5)
    # and again while there is nothing of it: what they said last counts
    d.kill()
    pve.unmount()
    late = start_vms(host, 106, 107)
    d.start()
    d.wait_settled(101, 102)
    retry(lambda: all(d.vm(i)["note"] == WAITS for i in late), "who is new waits", 5)
    check(says(d, 100, "off", "tag") and says(d, 105, "off", "tag") and
          says(d, 103, "observe", "tag"), "forgotten: %s", d.vms())
    changes, _ = watch.stop()
    check(not changes, "a restart moved something: %s", changes)
    check(all(at(vm, BOTH) for vm in late.values()), "who is not known was touched")
    pve.mount()
    pve.vms({106: "tags: qmpin-off\n", 107: "cores: 1\n"})
    d.reload()
    wait_at(late[107], PLACED)
    check(says(d, 106, "off", "tag") and at(late[106], BOTH), "it is off: %s", d.vm(106))


def trusted(host):
    """what VMs may ask for where the administrator trusts them, and whose word counts"""
    pve = Cluster(host)
    vms = start_vms(host, 100, 101, 102, 103)
    pve.vms({100: "tags: qmpin-pin\n", 101: "#qmpin%3A dedicated\n",
             102: "#qmpin%3A core smt=avoid emulator=follow\ntags: qmpin-off\n",
             103: "#qmpin%3A pin\ntags: qmpin-off\naffinity: 1\n"})
    d = host.started(BASE + "description = full\n[vm 103]\nmode = float\n")
    retry(lambda: says(d, 102, "core", "description"), "the description counts", 10)
    check(says(d, 103, "float", "vm_section"), "its section is stronger: %s", d.vm(103))
    check(says(d, 100, "float", "config") and says(d, 101, "float", "config"), "trusted")
    check(d.vm(100)["refused"] == "pin refused: tag qmpin-pin is not registered",
          "%s", d.vm(100))
    check(d.vm(101)["refused"] == "dedicated refused: allow_dedicated is not set",
          "%s", d.vm(101))
    retry(lambda: "affinity" in (d.vm(103)["note"] or ""), "affinity: 1 is reserved", 5)
    check(at(vms[103], BOTH), "an affinity that cannot be kept leaves it as it is")
    pve.file("datacenter.cfg", "registered-tags: a;qmpin-pin\n")
    pve.vms({103: "cores: 1\naffinity: 0\n"})
    retry(lambda: says(d, 100, "pin", "tag"), "the tag is registered", 5)
    d.wait_line(r"^qmpind: vm 100: mode pin \(tag\): what it may ask for has changed")
    wait_at(vms[103], PLACED)
    d.configure(BASE + "description = ignore\n")
    d.reload()
    check(all(says(d, i, "float", "config") for i in vms), "ignored: %s", d.vms())
    check(d.vm(101)["refused"] is None, "%s", d.vm(101))


def clustered(host):
    """the cluster's file lies under the host's; a bad one leaves what was good"""
    pve = Cluster(host)
    vms = start_vms(host, 100, 101)
    pve.vms({100: "cores: 1\n", 101: "tags: qmpin\n"})
    pve.file("qmpin.conf", "[qmpin]\nselect = tagged\nmode = pin\nadopt = gradual\n")
    os.mkdir(host.path("etc", "qmpin"))
    own = host.path("etc", "qmpin", "qmpin.conf")
    with open(own, "w") as f:
        f.write(BASE.replace("mode = float\n", "") + "probe = no\n")
    d = host.started("", "--config", host.path("etc", "qmpin"))
    retry(lambda: says(d, 100, "off", "cluster"), "it does not ask for it", 5)
    wait_at(vms[101], PLACED)
    check(says(d, 101, "pin", "cluster"), "the cluster's mode: %s", d.vm(101))
    check(d.vm(100)["note"] == "select = tagged, and it does not ask for it", "note")
    check(at(vms[100], BOTH), "who does not ask was touched")
    pve.file("qmpin.conf", "[qmpin]\nmode = fast\n")
    d.reload()
    d.wait_line(r"^qmpind: warning: /etc/pve/qmpin.conf:2: mode: \"fast\" .*: the last good one stays")
    check(any("qmpin.conf:2" in w for w in d.status()["warnings"]), "status")
    check(says(d, 101, "pin", "cluster") and says(d, 100, "off", "cluster"), "it stays")
    # what was not asked for of the host's files does not come in with it
    with open(own) as f:
        good = f.read()
    with open(own, "w") as f:
        f.write(good + "mode = none\n")
    pve.file("qmpin.conf", "[qmpin]\nmode = core\n")
    wait_at(vms[100], PLACED)
    check(says(d, 100, "core", "cluster"), "%s", d.vm(100))
    check(not d.status()["warnings"], "all is well: %s", d.status())
    pve.file("qmpin.conf", None)
    with open(own, "w") as f:
        f.write(good)
    d.reload()
    retry(lambda: says(d, 100, "auto", "default"), "it has gone", 5)
    # and a bad one that comes and goes again
    pve.file("qmpin.conf", "select\n")
    d.reload()
    d.wait_line(r"^qmpind: warning: /etc/pve/qmpin.conf:1: .*: it does not count")
    pve.file("qmpin.conf", None)
    d.reload()
    retry(lambda: not d.status()["warnings"], "nothing is left of it", 5)


def hanging(host):
    """while /etc/pve hangs VMs wait for its deadline, and nothing else does"""
    stuck = host.path("stuck")
    with open(stuck, "w") as f:
        f.write("#!/bin/sh\nexec sleep 600\n")
    os.chmod(stuck, 0o755)
    pve = Cluster(host)
    pve.vms({100: "tags: qmpin-off\n"})
    off = start_vms(host, 100)[100]
    d = host.started(BASE)
    retry(lambda: says(d, 100, "off", "tag") and d.vm(100)["threads"], "it is off", 5)
    d.stop()
    vms = start_vms(host, 101)
    began = now()
    d = host.daemon(BASE, env={"QMPIN_PVE": stuck})
    d.start()
    check(now() - began < 3 * SLACK, "it was ready late")
    retry(lambda: d.vm(101) and d.vm(101)["pid"] == vms[101].pid, "it is seen", 5)
    if now() - began < 3:
        holds(lambda: at(vms[101], BOTH), "it was placed too early", 1)
    wait_at(vms[101], PLACED)
    check(says(d, 100, "off", "tag") and at(off, BOTH), "it was off: %s", d.vm(100))
    check(now() - began > 4, "nobody has waited")
    d.wait_line(r"^qmpind: warning: /etc/pve does not answer: the last known")
    check(any("does not answer" in w for w in d.status()["warnings"]), "status")
    late = host.start_vm(102, vcpus=1, cpus=BOTH)
    wait_at(late, PLACED, 4)


def named(host):
    """who waits for its configuration does so until it is applied by name"""
    pve = Cluster(host)
    pve.unmount()
    vm = start_vms(host, 103)[103]
    d = host.started(BASE)
    retry(lambda: (d.vm(103) or {}).get("note") == WAITS, "it waits", 10)
    for words in (["--all", "--dry-run"], ["--all"]):
        moves = d.command_json("apply", *words)["moves"]
        check(moves == [] and at(vm, BOTH), "it was not named: %s", moves)
    moves = d.command_json("apply", "103", "--dry-run")["moves"]
    check(moves and at(vm, BOTH), "a dry run: %s", moves)
    moves = d.command_json("apply", "103")["moves"]
    check(moves and at(vm, PLACED), "it was named: %s", moves)


if __name__ == "__main__":
    sys.exit(main([opting, trusted, clustered, hanging, named], Host))

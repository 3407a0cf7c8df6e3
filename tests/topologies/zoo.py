#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Load a zoo of host topologies and compare each with the facts that are known of it.

  zoo.py [WORD...]     only those whose name holds one of the words

Trees that synth.py writes: every preset and a set of odd ones. Trees of real machines:
$QMPIN_SHARED/topologies/*.tar.xz with their *.expected.json, by default ../shared beside
the project; left out with a message where they are not there. Where lstopo can read a
tree, the XML it writes must give the same model. $QMPIN_TOPO_DUMP is the program under
test (tests/tools/topo_dump).

Exit status 0, or 1 when one fails. Python 3 standard library only.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import synth  # noqa: E402

SRCDIR = os.environ.get('srcdir', os.path.join(HERE, '../..'))
SHARED = os.environ.get('QMPIN_SHARED', os.path.join(SRCDIR, '../shared'))
DUMP = os.path.abspath(os.environ.get('QMPIN_TOPO_DUMP', 'tests/tools/topo_dump'))
LSTOPO = shutil.which('lstopo-no-graphics') or shutil.which('lstopo')

# name: (preset or spec, changes)
ODD = {
    'offline': ('amd-epyc-9354-nps4', 'offline=3,7-9,35'),
    'offline-node': ('amd-epyc-7351p-nps4', 'offline=0-3,16-19'),
    'offline-cpu0': ('amd-ryzen-7950x', 'offline=0,16'),
    'maps': ('intel-xeon-8480-2s-snc4', 'files=maps'),
    'maps-offline': ('amd-epyc-9354-nps4', 'files=maps offline=3,7-9 node_ids=0,2,5,9'),
    'old-kernel': ('amd-epyc-7351p-nps4', 'files=maps online_file=0 meminfo=0 nodelink=0'),
    'old-kernel-offline': ('amd-epyc-7351p-nps4', 'online_file=0 offline=5,21'),
    'node-gaps': ('amd-epyc-9654-2s-nps1', 'node_ids=3,1000'),
    'no-distances': ('intel-xeon-8480-2s', 'dist=none'),
    'no-package-ids': ('amd-epyc-9354-nps4', 'package_ids=-1'),
    'strange-package-ids': ('intel-xeon-8480-2s', 'package_ids=36,131072'),
    'more-possible': ('amd-ryzen-7950x', 'possible=1024'),
    'shuffled': ('amd-epyc-9354-nps4', 'numbering=shuffle'),
    'adjacent': ('intel-xeon-6338-2s-dell', 'numbering=adjacent'),
    'node-interleaved': ('intel-xeon-8480-2s-snc4', 'numbering=node-interleaved'),
    'no-l3': ('amd-epyc-9354-nps4', 'l3=none'),
    'no-nodes': ('amd-ryzen-7950x', 'nodes=0'),
    'clusters': ('ampere-altra-max-2s', 'cluster=4'),
    'sockets-in-a-node': ('vm-sockets-as-cpus', 'sockets_per_node=4 sockets=8'),
    'cxl-offline': ('intel-xeon-cxl-2s', 'offline=0-15,32-47'),
    'uneven': ('intel-xeon-6980p-2s-snc3', 'offline=0-42'),
    'huge-node': ('vm-1cpu', 'mem=64T'),
}
# Refused, with a message that holds these words.
REFUSED = {
    'lists-only': ('amd-epyc-9354-nps4', 'files=lists', 'finds no CPU topology'),
    'too-many-cpus': ('vm-1cpu', 'cores=2049 l3=none', 'larger than this program'),
    'node-id-too-high': ('intel-xeon-8480-2s', 'node_ids=0,1024', 'at most 1023'),
}
KINDS = {'intel-core-1370p-hybrid-1n-20t': {'P': range(12), 'E': range(12, 20)}}


class Zoo:
    def __init__(self, words):
        self.words = words
        self.passed = self.failed = self.skipped = 0

    def wanted(self, name):
        return not self.words or any(w in name for w in self.words)

    def report(self, name, faults):
        if faults:
            self.failed += 1
            for fault in faults[:5]:
                print('FAIL %s: %s' % (name, fault))
        else:
            self.passed += 1
            print('ok   %s' % name)
        sys.stdout.flush()

    def skip(self, why):
        self.skipped += 1
        print('skip %s' % why)


def dump(path):
    """The model as JSON, or the refusal as text."""
    p = subprocess.run([DUMP, path], capture_output=True, text=True, check=False)
    if p.returncode == 0:
        return json.loads(p.stdout), None
    return None, 'exit %d: %s' % (p.returncode, p.stderr.strip())


def compare_facts(model, expected):
    faults = []
    for key in ('summary', 'online'):
        if model[key] != expected[key]:
            faults.append('%s: %s, expected %s' % (key, model[key], expected[key]))
    for cpu, facts in expected['cpus'].items():
        for key, value in facts.items():
            if key == 'package' and value is not None and value < 0:
                value = None
            got = model['cpus'].get(cpu, {}).get(key, 'nothing')
            if got != value:
                faults.append('CPU %s: %s is %s, expected %s' % (cpu, key, got, value))
    if set(model['nodes']) != set(expected['nodes']):
        faults.append('nodes: %s, expected %s' % (set(model['nodes']), set(expected['nodes'])))
    for node, facts in expected['nodes'].items():
        for key in ('cpus', 'mem_kib', 'distance'):
            got = model['nodes'].get(node, {}).get(key, 'nothing')
            if got != facts[key]:
                faults.append('node %s: %s is %s, expected %s' % (node, key, got, facts[key]))
    return faults


def check_tiers(model):
    """Each tier partitions the CPUs and is made of whole domains of the one before."""
    faults, before = [], [{cpu} for cpu in model['online']]
    for tier in model['tiers']:
        domains = [set(synth.ranges(text)) for text in tier['domains']]
        if sorted(cpu for d in domains for cpu in d) != model['online']:
            faults.append('tier %s is no partition' % tier['name'])
        owner = {cpu: i for i, d in enumerate(domains) for cpu in d}
        if any(len({owner.get(cpu) for cpu in d}) != 1 for d in before):
            faults.append('tier %s cuts through the one before' % tier['name'])
        if len(domains) == len(before) and len(before) > 1:
            faults.append('tier %s adds nothing' % tier['name'])
        before = domains
    if len(before) != 1 or model['tiers'][-1]['name'] != 'host':
        faults.append('the last tier is not the host')
    return faults


def check_kinds(name, model):
    expected = {str(cpu): kind for kind, cpus in KINDS.get(name, {}).items() for cpu in cpus}
    got = {cpu: facts['kind'] for cpu, facts in model['cpus'].items() if facts['kind']}
    return [] if got == expected else ['kinds: %s, expected %s' % (got, expected)]


def xml_of(tree, xml):
    """False where lstopo refuses the tree."""
    env = {k: v for k, v in os.environ.items() if not k.startswith('HWLOC_')}
    env.update(HWLOC_FSROOT=tree, HWLOC_COMPONENTS='linux,stop')
    subprocess.run([LSTOPO, '--whole-system', '--of', 'xml', xml], env=env, check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return os.path.exists(xml)


def comparable(model, has_nodes):
    """The model without what XML cannot say: memory that is free, isolated CPUs, that
    there are no nodes, the distance of a single one to itself."""
    out = json.loads(json.dumps(model))
    del out['isolated']
    for node in out['nodes'].values():
        del node['free_kib']
        if len(out['nodes']) == 1:
            node['distance'] = None
    if not has_nodes:
        out['nodes'] = {}
        out['summary']['nodes'] = out['summary']['nodes_with_cpus'] = 0
        for cpu in out['cpus'].values():
            cpu['node'] = None
    return out


def check_xml(tree, model, scratch):
    xml = os.path.join(scratch, 'host.xml')
    if LSTOPO is None or not xml_of(tree, xml):
        return []
    again, refusal = dump(xml)
    os.unlink(xml)
    if refusal:
        return ['as XML: ' + refusal]
    a = comparable(model, model['nodes'])
    b = comparable(again, model['nodes'])
    return ['as XML: %s differ' % key for key in a if a[key] != b[key]]


def check_tree(name, tree, expected, scratch):
    model, refusal = dump(tree)
    if refusal:
        return [refusal]
    return (compare_facts(model, expected) + check_tiers(model) + check_kinds(name, model) +
            check_xml(tree, model, scratch))


def scratch_parent():
    """Trees are 100 000 small files: in memory where there is room."""
    if 'TMPDIR' in os.environ or not os.access('/dev/shm', os.W_OK):
        return None
    fs = os.statvfs('/dev/shm')
    return '/dev/shm' if fs.f_bavail * fs.f_frsize > 2 << 30 else None


def scratch_dir():
    return tempfile.TemporaryDirectory(prefix='qmpin-zoo-', dir=scratch_parent())


def synthetic(zoo, name, base, changes):
    spec = dict(synth.PRESETS[base][1])
    spec.update(synth.parse_spec(changes))
    machine = synth.Machine(spec)
    with scratch_dir() as scratch:
        tree = os.path.join(scratch, name)
        machine.write(tree)
        if name in REFUSED:
            model, refusal = dump(tree)
            words = REFUSED[name][2]
            fine = model is None and words in refusal and tree in refusal
            zoo.report(name, [] if fine else ['not refused with "%s": %s' % (words, refusal)])
            return
        zoo.report(name, check_tree(name, tree, machine.expected(name), scratch))


def real(zoo, archive):
    name = os.path.basename(archive)[:-len('.tar.xz')]
    if not zoo.wanted(name):
        return
    with open(archive[:-len('.tar.xz')] + '.expected.json', encoding='utf-8') as f:
        expected = json.load(f)
    with scratch_dir() as scratch:
        subprocess.run(['tar', '-xJf', archive, '-C', scratch], check=True)
        zoo.report(name, check_tree(name, os.path.join(scratch, name), expected, scratch))


def main():
    zoo = Zoo(sys.argv[1:])
    if LSTOPO is None:
        zoo.skip('XML: there is no lstopo (package hwloc-nox)')
    archives = sorted(glob.glob(os.path.join(SHARED, 'topologies', '*.tar.xz')))
    if not archives:
        zoo.skip('real machines: no topologies/*.tar.xz in %s (QMPIN_SHARED)' % SHARED)
    for archive in archives:
        real(zoo, archive)
    for name in synth.PRESETS:
        if zoo.wanted(name):
            synthetic(zoo, name, name, '')
    for name, case in list(ODD.items()) + list(REFUSED.items()):
        if zoo.wanted(name):
            synthetic(zoo, name, case[0], case[1])
    print('%d passed, %d failed, %d skipped' % (zoo.passed, zoo.failed, zoo.skipped))
    sys.exit(1 if zoo.failed else 0)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write a made-up host topology as a sysfs tree, for machines no public dump covers.

  synth.py --list                                   the presets
  synth.py --preset amd-epyc-9654-2s-nps4 --out T   T/sys/devices/system/{cpu,node}/...
  synth.py --spec 'sockets=2 nodes=4 l3=3 cores=8 smt=2 dist=10/12/32 mem=96G' --out T
  synth.py --spec @machine.json --out T             the same keys, as a JSON object
  synth.py --preset NAME --set 'offline=3,7-9 files=maps' --out T      preset, then changes
     more: --latency FILE.csv|FILE.json [--seed N] [--latency-format full|tri]
           --expected FILE.json   what a reader must find (form of *.expected.json here)

Python 3 standard library only; same arguments, same output, byte for byte.

Keys (JSON or key=value; in key=value, lists are comma separated, values hold no blanks)
  sockets    packages                                                     (1)
  nodes      NUMA nodes per socket; 0 = no NUMA directory at all          (1)
  sockets_per_node   more than one socket in a node (then nodes=1)        (1)
  l3         L3 groups per node; "socket" = one L3 for the whole socket even when it has
             several nodes (Intel SNC); "none" = no L3 described          (1)
  cores      cores per L3 group, or per node when l3 is socket or none; a list is used
             in turn, group after group: 43,43,42                         (4)
  smt        threads per core; a list is used in turn inside a group: 2,2,1,1   (1)
  cluster    cores sharing an L2 and a cluster_id (0: each core its own)  (0)
  numbering  split: first threads of all cores, then second threads (usual on x86)
             adjacent: siblings side by side (POWER, hybrid)
             socket-interleaved, node-interleaved: neighbours in number are in different
             sockets/nodes, second threads last (many Dell machines)
             shuffle: any order (uses --seed)                             (split)
  dist       local/socket/remote, several remote values = by ring hop of the sockets:
             10/12/21,31; or "none"; in JSON also a full matrix           (10/12/32)
  mem        memory per node: 64G, 512M or KiB; a list is used in turn    (16G)
  free       share of it in MemFree                                       (0.8)
  node_ids   ids of the nodes with CPUs: 0,1,8,9                          (0,1,2...)
  memory_nodes   JSON list of nodes without CPUs: {"id":8,"mem":"128G","near":0,
             "near_distance":14,"far_distance":24}                        (none)
  offline    CPUs present but offline: 3,7-9                              (none)
  possible   number of possible CPUs, more than present                   (as present)
  package_ids   physical_package_id of each socket; -1 as some platforms  (0,1,...)
  core_slots core_id step per L3 group; more than cores leaves gaps       (cores)
  files      both; maps (old kernels, hex); lists (cpulist, *_list; no real kernel, and
             lstopo refuses it)                                           (both)
  online_file   0: no cpu/online, present, possible (old kernels)         (1)
  meminfo, nodelink   0: leave meminfo / the cpuN/nodeM links out         (1)
  l1d l1i l2 l3_size  cache sizes as the kernel prints them               (32K 32K 1024K 32768K)
  hugepages  JSON {"2048": pages per node, "1048576": ...}                (none)
  ns         core-to-core latency of two threads that share, from near to far, ...
             smt/cluster/l3/node/socket/remote                            (9/20/24/95/125/200)
  hop_ns     more for each further ring hop of the sockets                (40)
  jitter     relative standard deviation of one measurement; 0.3 with tilt=0 and equal ns
             looks like a guest on an unpinned host                       (0.02)
  tilt       largest relative offset common to one pair of groups         (0.06)
  spikes     share of pairs hit by an interruption, measured 1.5 to 3 times too long (0)

The latency model is not a measurement. Its levels follow published core-to-core results:
Zen 2, 2 sockets: 9 / - / 25 / 105 / 130 / 260 ns; Zen 3, 2 sockets: 10 / - / 23 / 107 /
107 / 197 ns; Cascade Lake, 2 sockets: 8 / - / 48 / - / - / 135 ns.
The matrix is symmetric, rows and columns are the online CPUs in ascending order, 0 on the
diagonal. "tri" is the lower triangle only, without header.
"""
import argparse
import json
import os
import random
import sys

AMD = {'l1d': '32K', 'l1i': '32K', 'l2': '1024K', 'l3_size': '32768K', 'ns': '9/20/24/95/125/200'}
INTEL = {'l1d': '48K', 'l1i': '32K', 'l2': '2048K', 'ns': '8/20/48/48/60/135'}
ARM = {'l1d': '64K', 'l1i': '64K', 'l2': '1024K', 'ns': '9/30/42/45/60/120'}

PRESETS = {
    # name: (text, spec)
    'amd-epyc-7351p-nps4': ('Zen 1, 16 cores, 4 nodes, 32 threads, two 2-core L3 groups a node', dict(
        AMD, nodes=4, l3=2, cores=2, smt=2, core_slots=4, dist='10/16/32',
        mem=['15936M', '16124M', '16124M', '16080M'], l1i='64K', l2='512K', l3_size='8192K', ns='9/20/26/100/140/250')),
    'amd-epyc-9354-nps4': ('Zen 4, 32 cores, 4 nodes, 64 threads, two 4-core L3 groups a node', dict(
        AMD, nodes=4, l3=2, cores=4, smt=2, core_slots=8, dist='10/12/32',
        mem=['128654M', '129019M', '129019M', '128977M'])),
    'amd-epyc-9654-2s-nps1': ('Zen 4, 2 x 96 cores, 2 nodes, 384 threads, 12 L3 groups a node', dict(
        AMD, sockets=2, l3=12, cores=8, smt=2, dist='10/12/32', mem='768G')),
    'amd-epyc-9654-2s-nps4': ('the same with 4 nodes a socket, 3 L3 groups a node', dict(
        AMD, sockets=2, nodes=4, l3=3, cores=8, smt=2, dist='10/12/32', mem='192G')),
    'amd-epyc-9654-2s-l3numa': ('the same with one node for each L3 group, 24 nodes', dict(
        AMD, sockets=2, nodes=12, l3=1, cores=8, smt=2, dist='10/11/32', mem='64G')),
    'amd-epyc-9965-2s-nps1': ('Zen 5c, 2 x 192 cores, 768 threads, 12 L3 groups of 16 cores', dict(
        AMD, sockets=2, l3=12, cores=16, smt=2, dist='10/12/32', mem='1536G', l1d='48K')),
    'amd-ryzen-7950x': ('Zen 4 desktop, 16 cores, one node, two L3 groups', dict(
        AMD, l3=2, cores=8, smt=2, mem='64G')),
    'intel-xeon-8480-2s-snc4': ('Sapphire Rapids, 2 x 56 cores, 8 nodes, one L3 a socket over 4 nodes', dict(
        INTEL, sockets=2, nodes=4, l3='socket', cores=14, smt=2, dist='10/12/21', mem='64G', l3_size='107520K')),
    'intel-xeon-8480-2s': ('the same without SNC', dict(
        INTEL, sockets=2, l3='socket', cores=56, smt=2, dist='10/12/21', mem='256G', l3_size='107520K')),
    'intel-xeon-6980p-2s-snc3': ('Granite Rapids, 2 x 128 cores as nodes of 43, 43 and 42 cores', dict(
        INTEL, sockets=2, nodes=3, l3='socket', cores=[43, 43, 42], smt=2, dist='10/12/21', mem='256G',
        l3_size='516096K')),
    'intel-xeon-6338-2s-dell': ('Ice Lake, 2 x 32 cores, odd CPUs on socket 1', dict(
        INTEL, sockets=2, l3='socket', cores=32, smt=2, numbering='socket-interleaved', dist='10/12/20', mem='128G',
        l2='1280K', l3_size='49152K')),
    'intel-xeon-8s-glueless': ('8 x 28 cores, 448 threads, distances by hop', dict(
        INTEL, sockets=8, l3='socket', cores=28, smt=2, dist='10/12/21,31,31,31', mem='384G', l3_size='39424K')),
    'hpe-superdome-flex-32s': ('32 x 28 cores, 1792 threads', dict(
        INTEL, sockets=32, l3='socket', cores=28, smt=2, dist='10/12/18,24,28,30', mem='384G', l3_size='39424K')),
    'intel-xeon-cxl-2s': ('2 x 16 cores and two memory-only CXL nodes', dict(
        INTEL, sockets=2, l3='socket', cores=16, smt=2, dist='10/12/21', mem='128G', memory_nodes=[
            {'id': 2, 'mem': '256G', 'near': 0, 'near_distance': 14, 'far_distance': 24},
            {'id': 3, 'mem': '256G', 'near': 1, 'near_distance': 14, 'far_distance': 24}])),
    'intel-core-hybrid': ('8 cores with 2 threads and 16 with one, one L3', dict(
        INTEL, cores=24, smt=[2] * 8 + [1] * 16, numbering='adjacent', mem='64G', l3_size='36864K')),
    'ampere-altra-max-2s': ('2 x 128 ARM cores, no SMT, no L3 described, pairs as clusters', dict(
        ARM, sockets=2, l3='none', cores=128, cluster=2, dist='10/12/20', mem='256G', package_ids=[36, 5428])),
    'ibm-power10-2s-smt8': ('2 x 2 x 12 cores, 8 threads a core, node ids 0,2,8,10', dict(
        sockets=2, nodes=2, l3=12, cores=1, smt=8, numbering='adjacent', dist='10/20/40', mem='128G',
        node_ids=[0, 2, 8, 10], l2='1024K', l3_size='4096K', ns='10/20/24/60/80/170')),
    'vm-1cpu': ('one CPU, one node', dict(INTEL, cores=1, mem='2G')),
    'vm-2cpu-no-numa': ('two CPUs, no NUMA directory, no L3', dict(INTEL, nodes=0, l3='none', cores=2)),
    'vm-sockets-as-cpus': ('8 CPUs, each its own package (default of some hypervisors)', dict(
        INTEL, sockets=8, sockets_per_node=8, cores=1, mem='16G')),
}

DEFAULT = dict(sockets=1, nodes=1, sockets_per_node=1, l3=1, cores=4, smt=1, cluster=0, numbering='split',
               dist='10/12/32', mem='16G', free=0.8, node_ids=None, memory_nodes=[], offline=[], possible=0,
               package_ids=None, core_slots=0, files='both', online_file=1, meminfo=1, nodelink=1,
               l1d='32K', l1i='32K', l2='1024K', l3_size='32768K', hugepages={},
               ns='9/20/24/95/125/200', hop_ns=40, jitter=0.02, tilt=0.06, spikes=0)


def fail(text):
    sys.exit('synth.py: ' + text)


def ranges(text):
    if isinstance(text, int):
        return [text]
    if isinstance(text, (list, tuple)):
        return [int(x) for x in text]
    out = []
    for part in str(text).split(','):
        if part:
            lo, _, hi = part.partition('-') if not part.startswith('-') else (part, '', '')
            out += range(int(lo), int(hi or lo) + 1)
    return out


def as_list(text):
    """Kernel list format: 0-3,8."""
    s, out, i = sorted(text), [], 0
    while i < len(s):
        j = i
        while j + 1 < len(s) and s[j + 1] == s[j] + 1:
            j += 1
        out.append('%d' % s[i] if i == j else '%d-%d' % (s[i], s[j]))
        i = j + 1
    return ','.join(out)


def as_map(cpus, bits):
    """Kernel mask format: 32-bit words, most significant first, first word as wide as needed."""
    value = sum(1 << c for c in set(cpus))
    out, width = [], bits
    while width > 0:
        w = width % 32 or 32
        out.append('%0*x' % ((w + 3) // 4, value >> (width - w) & ((1 << w) - 1)))
        width -= w
    return ','.join(out)


def kib(v):
    s = str(v)
    unit = {'K': 1, 'M': 1 << 10, 'G': 1 << 20, 'T': 1 << 30}.get(s[-1].upper())
    return int(float(s[:-1]) * unit) if unit else int(s)


def seq(v):
    if isinstance(v, (list, tuple)):
        return list(v)
    if isinstance(v, str) and ',' in v:
        return v.split(',')
    return [v]


def parse_spec(text):
    if text.startswith('@'):
        with open(text[1:]) as f:
            return json.load(f)
    if text.lstrip().startswith('{'):
        return json.loads(text)
    out = {}
    for word in text.split():
        key, eq, val = word.partition('=')
        if not eq:
            fail('not key=value: ' + word)
        out[key] = json.loads(val) if val[:1] in '[{' else val
    return out


class Machine:
    def __init__(self, spec, seed=0):
        bad = set(spec) - set(DEFAULT)
        if bad:
            fail('unknown key: ' + ', '.join(sorted(bad)))
        s = self.s = dict(DEFAULT, **spec)
        for k in ('sockets', 'nodes', 'sockets_per_node', 'cluster', 'possible', 'core_slots',
                  'online_file', 'meminfo', 'nodelink'):
            s[k] = int(s[k])
        for k in ('free', 'jitter', 'tilt', 'spikes', 'hop_ns'):
            s[k] = float(s[k])
        scope = s['l3'] if s['l3'] in ('socket', 'none') else 'node'
        groups = int(s['l3']) if scope == 'node' else 1
        if s['sockets_per_node'] > 1 and (s['nodes'] != 1 or s['sockets'] % s['sockets_per_node']):
            fail('sockets_per_node needs nodes=1 and must divide sockets')
        if s['numbering'] not in ('split', 'adjacent', 'socket-interleaved', 'node-interleaved', 'shuffle'):
            fail('numbering?')
        if s['files'] not in ('both', 'lists', 'maps'):
            fail('files?')
        count, smt = [int(x) for x in seq(s['cores'])], [int(x) for x in seq(s['smt'])]
        # cores: dict(socket, node, l3, cluster, id, threads)
        self.cores, g = [], 0
        for sock in range(s['sockets']):
            cid, insock = 0, 0
            for n in range(max(1, s['nodes'])):
                innode = 0
                for k in range(groups):
                    for i in range(count[g % len(count)]):
                        self.cores.append(dict(
                            socket=sock, innode=innode, insock=insock, id=cid + i,
                            node=None if not s['nodes'] else
                            sock // s['sockets_per_node'] if s['sockets_per_node'] > 1 else sock * s['nodes'] + n,
                            l3=None if scope == 'none' else (sock,) if scope == 'socket' else (sock, n, k),
                            group=(sock, n, k), cluster=(sock, n, k, i // s['cluster'] if s['cluster'] else i),
                            smt=smt[i % len(smt)]))
                        innode += 1
                        insock += 1
                    cid += max(s['core_slots'], count[g % len(count)])
                    g += 1
        order = list(self.cores)
        if s['numbering'] == 'socket-interleaved':
            order.sort(key=lambda c: (c['insock'], c['socket']))
        elif s['numbering'] == 'node-interleaved':
            order.sort(key=lambda c: (c['innode'], c['node'] or 0, c['socket']))
        pairs = [(c, t) for c in order for t in range(c['smt'])]
        if s['numbering'] == 'shuffle':
            random.Random('order %s' % seed).shuffle(pairs)
        elif s['numbering'] != 'adjacent':
            pairs.sort(key=lambda p: p[1])              # stable: second threads last
        for c in self.cores:
            c['cpus'] = []
        self.cpu = {}
        for n, (c, _) in enumerate(pairs):
            self.cpu[n] = c
            c['cpus'].append(n)
        self.present = sorted(self.cpu)
        self.offline = set(ranges(s['offline']))
        if self.offline - set(self.present) or len(self.offline) >= len(self.present):
            fail('offline CPUs must be some of the present ones')
        self.online = [c for c in self.present if c not in self.offline]
        self.bits = max(s['possible'], len(self.present))
        self.pkg = ranges(s['package_ids']) if s['package_ids'] is not None else list(range(s['sockets']))
        if len(self.pkg) == 1:
            self.pkg *= s['sockets']
        # nodes
        self.nodes = []
        if s['nodes']:
            total = 1 + max(c['node'] for c in self.cores)
            ids = ranges(s['node_ids']) if s['node_ids'] is not None else list(range(total))
            if len(ids) != total or sorted(set(ids)) != ids:
                fail('node_ids: %d ascending ids needed' % total)
            mem = [kib(m) for m in seq(s['mem'])]
            for i, n in enumerate(ids):
                self.nodes.append(dict(id=n, mem=mem[i % len(mem)], index=i, near=None,
                                       socket=next(c['socket'] for c in self.cores if c['node'] == i)))
            for m in s['memory_nodes']:
                self.nodes.append(dict(m, mem=kib(m['mem']), index=None))
            self.nodes.sort(key=lambda n: n['id'])
            if len({n['id'] for n in self.nodes}) != len(self.nodes):
                fail('two nodes with one id')

    def share(self, key, cpu):
        mine = self.cpu[cpu]
        if key == 'core':
            return [c for c in mine['cpus'] if c not in self.offline]
        if mine[key] is None:
            return None
        cache = self.__dict__.setdefault('_' + key, {})
        if not cache:
            for c in self.online:
                cache.setdefault(self.cpu[c][key], []).append(c)
        return cache[mine[key]]

    def hops(self, a, b):
        d = abs(a - b)
        return min(d, self.s['sockets'] - d)

    def distance(self, a, b):
        d = self.s['dist']
        if a is b:
            return 10 if a['index'] is None else int(str(d).split('/')[0]) if not isinstance(d, list) \
                else d[a['index']][a['index']]
        for x, y in ((a, b), (b, a)):
            if x['index'] is None:
                near = y['index'] is not None and x.get('near') == y['id']
                return int(x.get('near_distance', 14) if near else x.get('far_distance', 24))
        if isinstance(d, list):
            return d[a['index']][b['index']]
        _, socket, remote = d.split('/')
        if a['socket'] == b['socket']:
            return int(socket)
        r = [int(x) for x in remote.split(',')]
        hops = -(-self.hops(a['socket'], b['socket']) // self.s['sockets_per_node'])
        return r[min(hops, len(r)) - 1]

    def node_cpus(self, n):
        return [] if n['index'] is None else [c for c in self.online if self.cpu[c]['node'] == n['index']]

    # -- output ---------------------------------------------------------------------------
    def write(self, out):
        s, base = self.s, os.path.join(out, 'sys/devices/system')

        def put(path, text):
            path = os.path.join(base, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w') as f:
                f.write('%s\n' % (text,))

        def put_set(path, name_list, name_map, cpus):
            if s['files'] != 'maps':
                put(path + name_list, as_list(cpus))
            if s['files'] != 'lists':
                put(path + name_map, as_map(cpus, self.bits))

        if s['online_file']:
            put('cpu/online', as_list(self.online))
            put('cpu/present', as_list(self.present))
            put('cpu/possible', as_list(range(self.bits)))
            put('cpu/offline', as_list(sorted(set(range(self.bits)) - set(self.online))))
            put('cpu/kernel_max', 8191)
            put('cpu/smt/active', int(any(len(self.share('core', c)) > 1 for c in self.online)))
            put('cpu/smt/control', 'on' if max(c['smt'] for c in self.cores) > 1 else 'notsupported')
        clusters = {}
        for c in self.present:
            p, core = 'cpu/cpu%d/' % c, self.cpu[c]
            if c or 0 in self.offline:
                put(p + 'online', int(c not in self.offline))
            if s['nodelink'] and s['nodes']:
                n = next(n for n in self.nodes if n['index'] == core['node'])
                os.makedirs(os.path.join(base, p), exist_ok=True)
                os.symlink('../../node/node%d' % n['id'], os.path.join(base, p, 'node%d' % n['id']))
            if c in self.offline:
                continue
            t = p + 'topology/'
            put(t + 'core_id', core['id'])
            put(t + 'physical_package_id', self.pkg[core['socket']])
            put(t + 'die_id', 0)
            put(t + 'cluster_id', clusters.setdefault(core['cluster'], len(clusters)))
            for new, old, key in (('core_cpus', 'thread_siblings', 'core'), ('package_cpus', 'core_siblings', 'socket'),
                                  ('die_cpus', None, 'socket'), ('cluster_cpus', None, 'cluster')):
                for name in (new, old):
                    if name:
                        put_set(t, name + '_list', name, self.share(key, c))
            caches = [(1, 'Data', s['l1d'], 'core'), (1, 'Instruction', s['l1i'], 'core'),
                      (2, 'Unified', s['l2'], 'cluster' if s['cluster'] else 'core')]
            if core['l3'] is not None:
                caches.append((3, 'Unified', s['l3_size'], 'l3'))
            for i, (level, kind, size, key) in enumerate(caches):
                d = p + 'cache/index%d/' % i
                cpus = self.share(key, c)
                put(d + 'level', level)
                put(d + 'type', kind)
                put(d + 'size', size)
                put(d + 'id', min(cpus))
                put_set(d, 'shared_cpu_list', 'shared_cpu_map', cpus)
        if not self.nodes:
            return
        ids = [n['id'] for n in self.nodes]
        for name, val in (('online', ids), ('possible', ids), ('has_cpu', [n['id'] for n in self.nodes if self.node_cpus(n)]),
                          ('has_memory', [n['id'] for n in self.nodes if n['mem']]),
                          ('has_normal_memory', [n['id'] for n in self.nodes if n['mem']])):
            put('node/' + name, as_list(val))
        for n in self.nodes:
            p = 'node/node%d/' % n['id']
            put_set(p, 'cpulist', 'cpumap', self.node_cpus(n))
            if s['dist'] != 'none':
                put(p + 'distance', ' '.join(str(self.distance(n, m)) for m in self.nodes))
            if s['meminfo']:
                free = int(n['mem'] * s['free'])
                put(p + 'meminfo', '\n'.join('Node %d %-15s %8d kB' % (n['id'], k + ':', v) for k, v in
                                             (('MemTotal', n['mem']), ('MemFree', free), ('MemUsed', n['mem'] - free))))
            for size, pages in sorted(s['hugepages'].items()):
                h = p + 'hugepages/hugepages-%skB/' % size
                put(h + 'nr_hugepages', pages)
                put(h + 'free_hugepages', pages)
                put(h + 'surplus_hugepages', 0)

    def expected(self, name):
        cpus, nodes = {}, {}
        for c in self.online:
            core = self.cpu[c]
            l3 = self.share('l3', c)
            node = [n['id'] for n in self.nodes if n['index'] is not None and n['index'] == core['node']]
            cpus[str(c)] = {'core': min(self.share('core', c)), 'l3': min(l3) if l3 else None,
                            'node': node[0] if node else None, 'package': self.pkg[core['socket']]}
        for n in self.nodes:
            nodes[str(n['id'])] = {'cpus': self.node_cpus(n), 'mem_kib': n['mem'] if self.s['meminfo'] else None,
                                   'distance': None if self.s['dist'] == 'none' else
                                   [self.distance(n, m) for m in self.nodes]}
        cnt = lambda k: len({v[k] for v in cpus.values()} - {None, -1})
        return {'name': name, 'summary': {'cpus': len(cpus), 'cores': cnt('core'), 'l3_groups': cnt('l3'),
                                          'packages': cnt('package'), 'nodes': len(nodes),
                                          'nodes_with_cpus': sum(1 for n in nodes.values() if n['cpus'])},
                'online': self.online, 'cpus': cpus, 'nodes': nodes}

    def latency(self, seed):
        s = self.s
        smt, cluster, l3, node, socket, remote = (float(x) for x in str(s['ns']).split('/'))
        rnd, tilt = random.Random('latency %s' % seed), {}

        def base(a, b):
            if a is b:
                return smt
            if s['cluster'] and a['cluster'] == b['cluster']:
                return cluster
            if a['node'] == b['node'] and a['socket'] == b['socket']:
                return l3 if a['l3'] is not None and a['l3'] == b['l3'] else node
            if a['socket'] == b['socket']:
                return socket
            return remote + s['hop_ns'] * (self.hops(a['socket'], b['socket']) - 1)
        m = [[0.0] * len(self.online) for _ in self.online]
        for i, x in enumerate(self.online):
            for j in range(i):
                a, b = self.cpu[x], self.cpu[self.online[j]]
                key = tuple(sorted((a['group'], b['group'])))
                if key not in tilt:
                    tilt[key] = 0.0 if a['group'] == b['group'] else rnd.uniform(-s['tilt'], s['tilt'])
                v = base(a, b) * (1 + tilt[key]) * max(0.5, rnd.gauss(1, s['jitter']))
                if s['spikes'] and rnd.random() < s['spikes']:
                    v *= rnd.uniform(1.5, 3)
                m[i][j] = m[j][i] = round(v, 1)
        return m


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--list', action='store_true')
    ap.add_argument('--preset')
    ap.add_argument('--spec')
    ap.add_argument('--set', default='', dest='change')
    ap.add_argument('--out')
    ap.add_argument('--expected')
    ap.add_argument('--latency')
    ap.add_argument('--latency-format', choices=('full', 'tri'), default='full')
    ap.add_argument('--seed', default='0')
    a = ap.parse_args()
    if a.list:
        for name, (text, spec) in PRESETS.items():
            e = Machine(spec).expected(name)['summary']
            print('%-26s %4d CPUs %3d cores %2d nodes %2d L3  %s' % (
                name, e['cpus'], e['cores'], e['nodes'], e['l3_groups'], text))
        return
    spec = {}
    if a.preset:
        if a.preset not in PRESETS:
            fail('no such preset, see --list')
        spec.update(PRESETS[a.preset][1])
    if a.spec:
        spec.update(parse_spec(a.spec))
    if not spec:
        fail('nothing to do, see --help')
    spec.update(parse_spec(a.change))
    m = Machine(spec, a.seed)
    if a.out:
        if os.path.exists(os.path.join(a.out, 'sys')):
            fail(os.path.join(a.out, 'sys') + ' exists')
        m.write(a.out)
    if a.expected:
        with open(a.expected, 'w') as f:
            json.dump(m.expected(a.preset or 'spec'), f, indent=1)
            f.write('\n')
    if a.latency:
        mat = m.latency(a.seed)
        with open(a.latency, 'w') as f:
            if a.latency.endswith('.json'):
                json.dump({'unit': 'ns', 'cpus': m.online, 'matrix': mat}, f)
                f.write('\n')
            elif a.latency_format == 'tri':
                for i, row in enumerate(mat):
                    f.write(','.join(str(v) if j < i else '' for j, v in enumerate(row)) + '\n')
            else:
                f.write('cpu,' + ','.join(map(str, m.online)) + '\n')
                for c, row in zip(m.online, mat):
                    f.write('%d,' % c + ','.join(map(str, row)) + '\n')


if __name__ == '__main__':
    main()

// SPDX-License-Identifier: MIT
/*
 * Where memory is. Of a VM the kernel tells it for its cgroup, if that is the VM's
 * alone, or for its process, if that is small. Free memory is taken over in steps, so
 * that plans do not change with every page.
 */
#include "config.h"

#include "daemon/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/report.h"
#include "daemon/smp.h"
#include "host/cgroup.h"
#include "host/hostcheck.h"
#include "host/nodemem.h"
#include "host/numamaps.h"
#include "host/textfile.h"
#include "place/touch.h"

/* Walking page tables costs more than adding up counters. */
#define SLOW_INTERVAL_US UINT64_C(60000000)
/* A VM whose pages the kernel has scanned this recently is one it balances. */
#define SCANNED_US UINT64_C(600000000)
/* With NUMA balancing, memory that is far has come after its vCPUs, or is not used, to
 * one half after this time. */
#define FOLLOWS_HALF_S 300.0
/* Free memory of a node is held until it is off by more than 1/32 of the node. */
#define FREE_SLACK 32u
#define FREE_STEPS 64u
#define SMALL_FILE_MAX 65536u

#define NUMAD_RUNS HOSTCHECK_NUMAD "; stop one of the two"

struct memory {
	struct engine *engine;
	char *root;
	bool foreign;
	size_t next;	   /* index of the VM looked at next */
	uint64_t credit;   /* VMs to look at, in parts of VM microseconds */
	uint64_t hosts_us; /* when the host was looked at */
	bool hosts_known;
	bool balancing_known; /* kernel.numa_balancing can be read */
	bool balancing;
	bool numad;
	uint64_t free_kib[TOPO_NODE_ID_CAP]; /* as held; UINT64_MAX: not read */
};

void
memory_forget(struct vm_memory *m)
{
	residence_fini(&m->residence);
	*m = (struct vm_memory){.unknown = NULL};
}

struct memory *
memory_new(struct engine *e, const char *root, bool foreign)
{
	struct memory *m = xcalloc(1, sizeof(*m));

	m->engine = e;
	m->root = xstrdup(root);
	m->foreign = foreign;
	for (unsigned int i = 0; i < TOPO_NODE_ID_CAP; i++)
		m->free_kib[i] = UINT64_MAX;
	return m;
}

void
memory_free(struct memory *m)
{
	if (m == NULL)
		return;
	free(m->root);
	free(m);
}

/* ---- a VM ---- */

/* But for what is its own, nobody else is in its group. */
static bool
is_alone(const struct engine *e, const struct vm *vm, const char *path)
{
	auto_free pid_t *pids = NULL;

	if (kin_is_own(&vm->kin, vm->id, path))
		return true;
	return cgroup_processes(e->cgroupfd, path, &pids) == 1 &&
	       pids[0] == vm->identity.pid;
}

static int
read_cgroup(const struct engine *e, const struct vm *vm, struct cgroup_memory *out)
{
	const char *path = vm->confine.path;

	if (path == NULL)
		return -ENODATA;
	if (!is_alone(e, vm, path))
		return -EBUSY;
	return cgroup_memory(e->cgroupfd, path, out);
}

static uint64_t
total_of(const struct cgroup_memory *c)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < c->n_nodes; i++)
		sum += c->bytes[i];
	return sum;
}

static const char *
why_unknown(int by_cgroup, int by_maps)
{
	if (by_maps == -EFBIG && by_cgroup == -EBUSY)
		return "its cgroup has other processes, and it is too large to be read "
		       "page by page";
	if (by_maps == -EFBIG)
		return "its cgroup does not tell, and it is too large to be read page "
		       "by page";
	if (by_maps == -EACCES || by_maps == -EPERM)
		return "its cgroup does not tell, and to read its numa_maps is not "
		       "permitted";
	return "neither its cgroup nor its numa_maps tell";
}

/* Huge pages are missing in a cgroup without the hugetlb controller: what is too little
 * to be the guest is looked for in the process, too, of which they are a cheap part. */
static int
read_memory(const struct memory *m, struct vm *vm, struct cgroup_memory *out)
{
	uint64_t guest = memdevs_size(&vm->facts.memory);
	struct cgroup_memory maps;
	int by_cgroup = read_cgroup(m->engine, vm, out);
	int by_maps;

	vm->memory.unknown = NULL;
	if (by_cgroup == 0 && (guest == 0 || total_of(out) >= guest / 8))
		return 0;
	by_maps = numamaps_read(m->engine->procfd, vm->identity.pid, &maps);
	if (by_maps < 0 && by_cgroup < 0) {
		vm->memory.unknown = why_unknown(by_cgroup, by_maps);
		return by_maps;
	}
	if (by_maps < 0)
		return 0;
	vm->memory.next_us += SLOW_INTERVAL_US - MEMORY_INTERVAL_US;
	if (by_cgroup == 0 && total_of(out) >= total_of(&maps)) {
		cgroup_memory_fini(&maps);
		return 0;
	}
	if (by_cgroup == 0)
		cgroup_memory_fini(out);
	*out = maps;
	return 0;
}

/* How often the kernel has gone through its pages to find out who uses them. */
static void
look_at_scans(const struct memory *m, struct vm *vm)
{
	static const char key[] = "mm->numa_scan_seq";
	auto_free char *text = NULL;
	const char *at;
	char name[32];
	unsigned long long scans;

	if (m->balancing_known)
		return;
	(void)snprintf(name, sizeof(name), "%d/sched", (int)vm->identity.pid);
	if (textfile_read_at(m->engine->procfd, name, SMALL_FILE_MAX, &text, NULL) < 0)
		return;
	at = strstr(text, key);
	if (at == NULL || sscanf(at + strlen(key), " : %llu", &scans) != 1)
		return;
	if (vm->memory.scans > 0 && scans != vm->memory.scans)
		vm->memory.scanned_us = clock_now_us(m->engine->clock);
	vm->memory.scans = scans;
}

/* DIMMs of guest nodes that are bound otherwise. */
static unsigned int
count_strays(const struct vm *vm)
{
	const struct memdevs *devs = &vm->facts.memory;
	unsigned int strays = 0;
	struct smp guest;
	unsigned int n;

	if (devs->n_dimms == 0)
		return 0;
	smp_init(&guest, &vm->facts);
	n = guest.n_nodes > 0 ? guest.n_nodes : 1;
	for (unsigned int i = 0; i < n; i++)
		strays += memdevs_by_node(devs, i, guest.n_nodes).stray_dimms;
	smp_fini(&guest);
	return strays;
}

static void
tell_strays(struct vm *vm)
{
	unsigned int strays = count_strays(vm);

	if (strays > vm->memory.strays)
		report_vm(vm, LOG_WARNING,
			"%u plugged DIMM%s no host nodes, unlike the rest of the "
			"guest's node: that memory is wherever it was first used",
			strays, strays == 1 ? " has" : "s have");
	vm->memory.strays = strays;
}

static void
look_at_vm(const struct memory *m, struct vm *vm)
{
	struct cgroup_memory memory = {0};

	vm->memory.next_us = clock_now_us(m->engine->clock) + MEMORY_INTERVAL_US;
	look_at_scans(m, vm);
	tell_strays(vm); /* plugging one changes no thread */
	if (read_memory(m, vm, &memory) < 0) {
		residence_fini(&vm->memory.residence);
		return;
	}
	residence_take(&vm->memory.residence, memory.bytes, memory.n_nodes,
		memdevs_size(&vm->facts.memory));
	cgroup_memory_fini(&memory);
}

void
memory_see(struct engine *e, struct vm *vm)
{
	tell_strays(vm);
	if (e->memory != NULL && vm->memory.next_us == 0)
		look_at_vm(e->memory, vm);
}

/* ---- the host ---- */

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void
look_at_node(struct memory *m, struct topo_node *node)
{
	uint64_t *held = &m->free_kib[node->id];
	struct nodemem now;

	if (nodemem_read(m->root, node->id, &now) < 0)
		return;
	if (*held == UINT64_MAX ||
		distance(*held, now.free_kib) > now.total_kib / FREE_SLACK) {
		uint64_t step = now.total_kib / FREE_STEPS;

		*held = step > 0 ? now.free_kib / step * step : now.free_kib;
	}
	node->free_kib = *held;
}

static void
look_at_balancing(struct memory *m)
{
	auto_free char *path = xasprintf("%s/proc/sys/kernel/numa_balancing", m->root);
	auto_free char *text = NULL;
	bool was = m->balancing;
	uint64_t value;

	m->balancing_known = textfile_read(path, SMALL_FILE_MAX, &text, NULL) == 0 &&
			     str_parse_uint(text, UINT64_MAX, &value) == 0;
	m->balancing = m->balancing_known && (value & 1) != 0; /* 2: tiers alone */
	if (m->balancing != was || !m->hosts_known)
		log_fields(m->balancing ? LOG_INFO : LOG_DEBUG, NULL, NULL, 0,
			"kernel.numa_balancing is %s: memory that is not bound %s its "
			"vCPUs",
			m->balancing	     ? "on"
			: m->balancing_known ? "off"
					     : "unknown",
			m->balancing ? "follows" : "does not follow");
}

static bool
is_numad(const struct memory *m)
{
	auto_free char *path = xasprintf("%s/run/numad.pid", m->root);
	auto_free char *text = NULL;
	auto_free char *comm = NULL;
	char name[32];
	uint64_t pid;

	if (textfile_read(path, SMALL_FILE_MAX, &text, NULL) < 0 ||
		str_parse_uint(text, INT_MAX, &pid) < 0)
		return false;
	(void)snprintf(name, sizeof(name), "%d/comm", (int)pid);
	return textfile_read_at(m->engine->procfd, name, SMALL_FILE_MAX, &comm, NULL) ==
		       0 &&
	       strcmp(comm, "numad") == 0;
}

static void
look_at_numad(struct memory *m)
{
	bool was = m->numad;

	m->numad = is_numad(m);
	if (m->numad && !was)
		log_warning(NUMAD_RUNS);
	else if (was && !m->numad)
		log_info("numad has ended");
}

static void
look_at_host(struct memory *m)
{
	struct topo *topo = m->engine->host.topo;

	m->hosts_us = clock_now_us(m->engine->clock);
	for (unsigned int i = 0; !m->foreign && i < topo->n_nodes; i++)
		look_at_node(m, &topo->nodes[i]);
	look_at_balancing(m);
	look_at_numad(m);
	m->hosts_known = true;
}

/* A share of all VMs that makes one round an interval, and one at least. */
void
memory_turn(struct engine *e, unsigned int ms)
{
	struct memory *m = e->memory;
	uint64_t now = clock_now_us(e->clock);
	size_t quota;

	if (m == NULL)
		return;
	if (!m->hosts_known || now - m->hosts_us >= MEMORY_INTERVAL_US)
		look_at_host(m);
	m->credit += (uint64_t)ms * 1000 * e->n_vms;
	quota = (size_t)(m->credit / MEMORY_INTERVAL_US);
	m->credit %= MEMORY_INTERVAL_US;
	for (size_t i = 0; i <= quota && i < e->n_vms; i++) {
		struct vm *vm = e->vms[m->next % e->n_vms];

		m->next = (m->next + 1) % e->n_vms;
		if (vm->surveyed && now >= vm->memory.next_us)
			look_at_vm(m, vm);
	}
	migrating_turn(e);
}

/* ---- what others ask ---- */

struct cpuset
memory_host_nodes(
	const struct vm *vm, unsigned int guest_node, unsigned int n_guest_nodes)
{
	struct memdevs_of_node at =
		memdevs_by_node(&vm->facts.memory, guest_node, n_guest_nodes);
	struct cpuset nodes = CPUSET_NONE;

	for (unsigned int i = 0; at.bound && i < MEMDEVS_HOST_NODES; i++) {
		if (memdevs_has_node(&at.host_nodes, i))
			cpuset_add(&nodes, i);
	}
	return nodes;
}

bool
memory_is_told(const struct vm *vm, unsigned int guest_node, unsigned int n_guest_nodes)
{
	return memdevs_by_node(&vm->facts.memory, guest_node, n_guest_nodes)
		       .size_bytes > 0;
}

bool
memory_is_bound(const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->facts.memory.n; i++) {
		if (vm->facts.memory.list[i].bound)
			return true;
	}
	return false;
}

double
memory_gib(const struct vm *vm)
{
	return (double)memdevs_size(&vm->facts.memory) / (1u << 30);
}

static bool
is_balanced(const struct engine *e, const struct vm *vm)
{
	uint64_t scanned = vm->memory.scanned_us;

	if (e->memory->balancing_known)
		return e->memory->balancing;
	return scanned > 0 && clock_now_us(e->clock) - scanned < SCANNED_US;
}

/* Where its vCPUs may really run, whatever is wanted of them. */
static struct cpuset
real_cpus(const struct vm *vm)
{
	struct cpuset all = CPUSET_NONE;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		if (vm->tasks[i].thread.class == THREAD_VCPU)
			all = cpuset_or(&all, &vm->tasks[i].have);
	}
	return all;
}

/* What is far from where the VM has been for long is as if it was there. */
static void
let_follow(const struct engine *e, const struct vm *vm, double *share)
{
	const struct topo *topo = e->host.topo;
	struct cpuset cpus = real_cpus(vm);
	uint64_t since_us = vm->changed_us > 0 ? vm->changed_us : e->start_us;
	double age_s = (double)(clock_now_us(e->clock) - since_us) / 1e6;
	double follows = age_s / (age_s + FOLLOWS_HALF_S);

	if (cpuset_empty(&cpus))
		return;
	for (unsigned int i = 0; i < topo->n_nodes; i++)
		share[i] *= 1 - follows;
	touch_add(topo, &cpus, follows, share);
}

double *
memory_share(const struct engine *e, const struct vm *vm)
{
	double *share;

	if (e->memory == NULL ||
		settings_memory(&e->config, vm->id) == SETTINGS_MEMORY_IGNORE)
		return NULL;
	share = residence_share(&vm->memory.residence, e->host.topo);
	if (share != NULL && vm->placed && !memory_is_bound(vm) && is_balanced(e, vm))
		let_follow(e, vm, share);
	return share;
}

double
memory_local_pct(const struct engine *e, const struct vm *vm)
{
	const struct residence *r = &vm->memory.residence;
	struct cpuset cpus = vm_vcpu_cpus(vm);

	if (!vm->surveyed || !r->known || r->total_bytes == 0)
		return -1;
	return 100.0 * (double)residence_local_bytes(r, e->host.topo, &cpus) /
	       (double)r->total_bytes;
}

char *
memory_note(const struct vm *vm)
{
	if (vm->memory.strays == 0)
		return NULL;
	return xasprintf("%u plugged DIMM%s no host nodes", vm->memory.strays,
		vm->memory.strays == 1 ? " has" : "s have");
}

/* The first VM whose memory is not known, and how many there are. */
static char *
unknown_warning(const struct engine *e)
{
	const struct vm *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < e->n_vms; i++) {
		if (e->vms[i]->memory.unknown == NULL)
			continue;
		if (first == NULL)
			first = e->vms[i];
		n++;
	}
	if (first == NULL || e->host.topo->n_nodes < 2)
		return NULL;
	return xasprintf("where the memory of %zu VM%s is not known; vm %s: %s", n,
		n == 1 ? "" : "s", first->id, first->memory.unknown);
}

static bool
any_migrates(const struct engine *e)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		if (settings_memory(&e->config, e->vms[i]->id) ==
			SETTINGS_MEMORY_MIGRATE)
			return true;
	}
	return false;
}

size_t
memory_warnings(const struct engine *e, char **out)
{
	size_t n = 0;

	if (e->memory == NULL)
		return 0;
	if (e->memory->numad)
		out[n++] = xstrdup(NUMAD_RUNS);
	if (e->memory->balancing && any_migrates(e))
		out[n++] = xstrdup("kernel.numa_balancing is on, and memory = migrate: "
				   "both move the same pages");
	out[n] = unknown_warning(e);
	return out[n] != NULL ? n + 1 : n;
}

// SPDX-License-Identifier: MIT
/*
 * Who is next, and what is said of it. VMs are named by id and process: nothing here
 * points to one between two turns.
 */
#include "config.h"

#include "daemon/migrating.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/memory.h"
#include "daemon/migraterun.h"
#include "daemon/report.h"

#define MIB (UINT64_C(1) << 20)
/* Less than this and than a tenth of its memory is not worth it. */
#define WORTH_BYTES (64 * MIB)
#define WORTH_PART 10u
/* What stays free on a node, of all its memory. */
#define SPARE_PART 16u
#define AGAIN_US UINT64_C(3600000000)
#define TELL_US UINT64_C(10000000)
#define TELL_PCT 10u

struct migrating {
	struct engine *engine;
	struct migraterun *run; /* NULL: nothing is moved */
	char id[VM_ID_MAX];
	pid_t pid;
	struct cpuset nodes;
	uint64_t remote_mib; /* to be moved */
	uint64_t begun_us;
	uint64_t told_us;
	uint64_t told_mib;
};

struct migrating *
migrating_new(struct engine *e)
{
	struct migrating *m = xcalloc(1, sizeof(*m));

	m->engine = e;
	return m;
}

void
migrating_free(struct migrating *m)
{
	if (m == NULL)
		return;
	migraterun_free(m->run);
	free(m);
}

/* Kernel ids of the nodes of its vCPUs' CPUs. */
static struct cpuset
nodes_of(const struct engine *e, const struct vm *vm)
{
	const struct topo *topo = e->host.topo;
	struct cpuset cpus = vm_vcpu_cpus(vm);
	struct cpuset at = topo_nodes_of(topo, &cpus);
	struct cpuset ids = CPUSET_NONE;

	cpuset_foreach (i, &at)
		cpuset_add(&ids, topo->nodes[i].id);
	return ids;
}

static uint64_t
remote_bytes(const struct engine *e, const struct vm *vm)
{
	const struct residence *r = &vm->memory.residence;
	struct cpuset cpus = vm_vcpu_cpus(vm);

	return r->total_bytes - residence_local_bytes(r, e->host.topo, &cpus);
}

/* What may be moved there. */
static uint64_t
room_bytes(const struct engine *e, const struct cpuset *nodes)
{
	const struct topo *topo = e->host.topo;
	uint64_t room_kib = 0;

	for (unsigned int i = 0; i < topo->n_nodes; i++) {
		const struct topo_node *node = &topo->nodes[i];
		uint64_t spare_kib = node->mem_kib / SPARE_PART;

		if (cpuset_has(nodes, node->id) && node->free_kib > spare_kib)
			room_kib += node->free_kib - spare_kib;
	}
	return room_kib * 1024;
}

/* It is where we want it, and nobody else has a say. */
static bool
may_migrate(const struct engine *e, const struct vm *vm)
{
	return !e->dry_run && vm->proven && vm->surveyed && vm->placed && vm->touched &&
	       !vm->observe_only && !vm->foreign && vm->peace_until_us == 0 &&
	       vm->rest == 0 && vm->state != VM_GONE && !memory_is_bound(vm) &&
	       settings_memory(&e->config, vm->id) == SETTINGS_MEMORY_MIGRATE;
}

static bool
is_settled(const struct engine *e, const struct vm *vm)
{
	uint64_t since_us =
		vm->changed_us > vm->found_us ? vm->changed_us : vm->found_us;

	return clock_now_us(e->clock) - since_us >= MIGRATING_SETTLE_US;
}

static bool
was_tried(const struct engine *e, const struct vm *vm, const struct cpuset *nodes)
{
	const struct vm_migration *m = &vm->memory.migration;

	return m->next_us > clock_now_us(e->clock) && cpuset_equal(&m->nodes, nodes);
}

static bool
is_worth_it(const struct engine *e, const struct vm *vm)
{
	const struct residence *r = &vm->memory.residence;
	uint64_t remote = r->known ? remote_bytes(e, vm) : 0;

	return remote >= WORTH_BYTES && remote >= r->total_bytes / WORTH_PART;
}

static void
set_tried(const struct engine *e, struct vm *vm, const struct cpuset *nodes)
{
	vm->memory.migration = (struct vm_migration){
		.nodes = *nodes, .next_us = clock_now_us(e->clock) + AGAIN_US};
}

/* ---- what is running ---- */

static struct vm *
find_vm(const struct migrating *m)
{
	struct vm *vm = engine_find(m->engine, m->id);

	return vm != NULL && vm->proven && vm->identity.pid == m->pid ? vm : NULL;
}

static double
seconds_since(const struct migrating *m)
{
	return (double)(clock_now_us(m->engine->clock) - m->begun_us) / 1e6;
}

static void
on_migrate_progress(void *owner, const struct migraterun_progress *p)
{
	struct migrating *m = owner;
	uint64_t now = clock_now_us(m->engine->clock);
	struct vm *vm = find_vm(m);

	if (vm == NULL || now - m->told_us < TELL_US || m->remote_mib == 0 ||
		(p->moved_mib - m->told_mib) * 100 < m->remote_mib * TELL_PCT)
		return;
	m->told_us = now;
	m->told_mib = p->moved_mib;
	report_vm(vm, LOG_INFO, "%llu of %llu MiB of its memory are moved",
		(unsigned long long)p->moved_mib, (unsigned long long)m->remote_mib);
}

static void
on_migrate_end(void *owner, const struct migraterun_progress *p, const char *why)
{
	struct migrating *m = owner;
	struct vm *vm = find_vm(m);
	double s = seconds_since(m);

	migraterun_end(m->run);
	m->run = NULL;
	if (vm == NULL)
		return;		/* its end is told by others */
	vm->memory.next_us = 0; /* where is it now? */
	if (why != NULL)
		report_vm(vm, LOG_WARNING,
			"its memory is no longer moved (%llu MiB were): %s",
			(unsigned long long)p->moved_mib, why);
	else
		report_vm(vm, LOG_INFO,
			"%llu MiB of its memory moved in %.1f s (%.0f MiB/s), %llu "
			"MiB did not move",
			(unsigned long long)p->moved_mib, s,
			s > 0 ? (double)p->moved_mib / s : 0,
			(unsigned long long)p->stuck_mib);
}

static const struct migraterun_handlers handlers = {
	.on_progress = on_migrate_progress,
	.on_end = on_migrate_end,
};

/* The reason for it has gone. */
static void
check_running(struct migrating *m)
{
	struct vm *vm = find_vm(m);
	struct cpuset now = CPUSET_NONE;

	if (vm != NULL)
		now = nodes_of(m->engine, vm);
	if (vm != NULL && may_migrate(m->engine, vm) && cpuset_equal(&now, &m->nodes))
		return;
	migraterun_end(m->run);
	m->run = NULL;
	if (vm == NULL)
		return;
	vm->memory.migration.next_us = 0;
	report_vm(vm, LOG_INFO, "its memory is no longer moved: %s",
		cpuset_equal(&now, &m->nodes) ? "it is not to be" : "the VM has moved");
}

/* ---- what begins ---- */

static void
begin(struct migrating *m, struct vm *vm, const struct cpuset *nodes, uint64_t remote)
{
	const struct engine *e = m->engine;
	struct migraterun_options o = {.base = e->base,
		.pid = vm->identity.pid,
		.start_ticks = vm->identity.start_ticks,
		.nodes = *nodes,
		.mib_per_s = e->config.memory_migrate_mib_per_s};
	struct err why = ERR_NONE;
	char text[512];

	set_tried(e, vm, nodes);
	if (migraterun_new(&o, &handlers, m, &m->run, &why) < 0) {
		report_vm(vm, LOG_WARNING, "its memory is not moved: %s",
			err_format(&why, text, sizeof(text)));
		return;
	}
	str_copy(m->id, sizeof(m->id), vm->id);
	m->pid = vm->identity.pid;
	m->nodes = *nodes;
	m->remote_mib = remote / MIB;
	m->begun_us = m->told_us = clock_now_us(e->clock);
	m->told_mib = 0;
	report_vm(vm, LOG_INFO, "moving %llu MiB of its memory to node%s %s (%u MiB/s)",
		(unsigned long long)m->remote_mib, cpuset_count(nodes) > 1 ? "s" : "",
		cpuset_format(nodes, text, sizeof(text)),
		e->config.memory_migrate_mib_per_s);
}

static void
consider(struct migrating *m, struct vm *vm)
{
	const struct engine *e = m->engine;
	struct cpuset nodes;
	uint64_t remote;
	char text[512];

	if (!may_migrate(e, vm) || !is_settled(e, vm) || !is_worth_it(e, vm))
		return;
	nodes = nodes_of(e, vm);
	if (cpuset_empty(&nodes) || was_tried(e, vm, &nodes))
		return;
	remote = remote_bytes(e, vm);
	if (room_bytes(e, &nodes) >= remote) {
		begin(m, vm, &nodes, remote);
		return;
	}
	set_tried(e, vm, &nodes);
	report_vm(vm, LOG_NOTICE,
		"%llu MiB of its memory stay where they are: no room on node%s %s",
		(unsigned long long)(remote / MIB), cpuset_count(&nodes) > 1 ? "s" : "",
		cpuset_format(&nodes, text, sizeof(text)));
}

void
migrating_turn(struct engine *e)
{
	struct migrating *m = e->migrating;

	if (m == NULL)
		return;
	if (m->run != NULL)
		check_running(m);
	if (!settings_may_migrate(&e->config))
		return;
	for (size_t i = 0; m->run == NULL && i < e->n_vms; i++)
		consider(m, e->vms[i]);
}

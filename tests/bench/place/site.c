// SPDX-License-Identifier: MIT
/* VMs come, plug and go; the kernel's part of what happens to their masks. */
#include "config.h"

#include "site.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct site
site_new(const struct topo *topo, struct lat_view lat)
{
	struct site s = {
		.topo = topo, .lat = lat, .online = topo->online, .worst_ns = 1};

	for (size_t i = 0; i < (size_t)lat.n * lat.n; i++) {
		if ((double)lat.ns[i] > s.worst_ns)
			s.worst_ns = (double)lat.ns[i];
	}
	return s;
}

static void
vm_fini(struct site_vm *vm)
{
	free(vm->masks);
	free(vm->memory);
}

void
site_fini(struct site *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		vm_fini(&s->vms[i]);
	free(s->vms);
}

struct site_vm *
site_add(struct site *s, const char *id, unsigned int n_vcpus)
{
	struct site_vm *vm;

	if (s->n == s->cap) {
		s->cap = 2 * s->cap + 16;
		s->vms = xrealloc(s->vms, s->cap, sizeof(*s->vms));
	}
	vm = &s->vms[s->n++];
	*vm = (struct site_vm){.id = id, .limit = s->topo->online, .n_nodes = 1};
	vm->emulator = site_limit(s, vm);
	site_plug(vm, n_vcpus);
	return vm;
}

struct site_vm *
site_find(const struct site *s, const char *id)
{
	for (unsigned int i = 0; i < s->n; i++) {
		if (strcmp(s->vms[i].id, id) == 0)
			return &s->vms[i];
	}
	abort();
}

void
site_remove(struct site *s, struct site_vm *vm)
{
	size_t at = (size_t)(vm - s->vms);

	vm_fini(vm);
	s->n--;
	memmove(vm, vm + 1, (s->n - at) * sizeof(*vm));
}

struct cpuset
site_limit(const struct site *s, const struct site_vm *vm)
{
	struct cpuset all = cpuset_and(&vm->limit, &s->online);

	return cpuset_empty(&all) ? s->online : all;
}

void
site_plug(struct site_vm *vm, unsigned int n_vcpus)
{
	vm->masks = xrealloc(vm->masks, n_vcpus, sizeof(*vm->masks));
	for (unsigned int v = vm->n_vcpus; v < n_vcpus; v++)
		vm->masks[v] = vm->emulator;
	vm->n_vcpus = n_vcpus;
}

void
site_give(const struct site *s, struct site_vm *vm, const struct cpuset *mask)
{
	struct cpuset limit = site_limit(s, vm);
	struct cpuset have = cpuset_and(mask, &limit);

	if (cpuset_empty(&have))
		have = limit;
	vm->emulator = have;
	for (unsigned int v = 0; v < vm->n_vcpus; v++)
		vm->masks[v] = have;
	vm->pinned = true;
}

/* What was never pinned follows its limit. */
static void
follow_limit(const struct site *s, struct site_vm *vm)
{
	struct cpuset limit = site_limit(s, vm);

	vm->emulator = limit;
	for (unsigned int v = 0; v < vm->n_vcpus; v++)
		vm->masks[v] = limit;
}

static void
lose(const struct site *s, struct site_vm *vm, struct cpuset *mask, unsigned int cpu)
{
	cpuset_remove(mask, cpu);
	if (cpuset_empty(mask))
		*mask = site_limit(s, vm);
}

void
site_offline(struct site *s, unsigned int cpu)
{
	cpuset_remove(&s->online, cpu);
	for (unsigned int i = 0; i < s->n; i++) {
		struct site_vm *vm = &s->vms[i];

		if (!vm->pinned) {
			follow_limit(s, vm);
			continue;
		}
		lose(s, vm, &vm->emulator, cpu);
		for (unsigned int v = 0; v < vm->n_vcpus; v++)
			lose(s, vm, &vm->masks[v], cpu);
	}
}

void
site_online(struct site *s, unsigned int cpu)
{
	cpuset_add(&s->online, cpu);
	for (unsigned int i = 0; i < s->n; i++) {
		if (!s->vms[i].pinned)
			follow_limit(s, &s->vms[i]);
	}
}

unsigned int
site_guest_node(const struct site_vm *vm, unsigned int vcpu)
{
	for (unsigned int k = 0; vm->node_vcpus != NULL && k < vm->n_nodes; k++) {
		if (cpuset_has(&vm->node_vcpus[k], vcpu))
			return k;
	}
	return 0;
}

unsigned int
site_vcpus(const struct site *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n; i++)
		n += s->vms[i].n_vcpus;
	return n;
}

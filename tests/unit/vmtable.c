// SPDX-License-Identifier: MIT
/* An engine for what is only thought of. */
#include "config.h"

#include "vmtable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "layouts.h"
#include "topo/lat.h"

#define BEGIN_US UINT64_C(1000000000)

static uint64_t
now_us(const struct clock *c)
{
	/* the clock is the table's first member */
	return ((const struct vmtable *)(const void *)c)->now_us;
}

/* Two vCPUs a core, two cores, each on a guest node of its own; and a main thread. */
static struct vm *
make_vm(const struct vmtable *t, const char *id)
{
	struct vm *vm = vm_new(id, -1, "/x.qmp", "/x.pid");
	struct vm_task emulator = {.have = cpuset_below(8),
		.thread = {.tid = 1, .class = THREAD_EMULATOR, .index = -1}};

	vm->clock = &t->clock;
	vm_task_add(vm, &emulator);
	vm->facts.n_vcpus = VMTABLE_VCPUS;
	vm->facts.vcpus = xcalloc(VMTABLE_VCPUS, sizeof(struct qmp_vcpu));
	for (unsigned int i = 0; i < VMTABLE_VCPUS; i++) {
		/* not in the order of their indices */
		struct vm_task task = {.have = cpuset_below(8),
			.thread = {.tid = (pid_t)(100 - i),
				.class = THREAD_VCPU,
				.index = (int)i}};

		vm_task_add(vm, &task);
		vm->facts.vcpus[i] = (struct qmp_vcpu){.index = i,
			.tid = (pid_t)(100 - i),
			.node = (int)i / 2,
			.core = (int)i / 2,
			.thread = (int)i % 2};
	}
	vm->facts.running = true;
	vm->has_facts = vm->surveyed = true;
	vm->touched = true; /* nobody has to be looked at again, which needs a loop */
	vm->record.limit = cpuset_below(8);
	return vm;
}

static void
make_host(struct hostmodel *h, const struct cpuset *offline)
{
	static const struct layout layout = {
		.packages = 1, .nodes = 2, .l3s = 1, .cores = 4, .threads = 1};
	struct topo_facts facts = hosts_facts(&layout);
	unsigned int n = 0;
	struct lat_view view;

	for (unsigned int i = 0; i < facts.n_cpus; i++) {
		if (!cpuset_has(offline, facts.cpus[i].cpu))
			facts.cpus[n++] = facts.cpus[i];
	}
	facts.n_cpus = n;
	assert_int_equal(topo_build(&facts, &h->topo, NULL), 0);
	topo_facts_fini(&facts);
	h->latency_ns = lat_class_matrix(h->topo, lat_classes_default());
	view = hostmodel_latency(h);
	h->ranking = ranking_from_topo(h->topo, &view);
}

static void
on_settle(evutil_socket_t fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	(void)owner;
}

int
vmtable_setup(void **state)
{
	static const char *const ids[VMTABLE_VMS] = {"100", "101", "102"};
	struct vmtable *t = xcalloc(1, sizeof(*t));

	t->clock = (struct clock){now_us, now_us};
	t->now_us = BEGIN_US;
	t->engine.clock = &t->clock;
	t->engine.allowance = allowance_new();
	t->engine.procfd = t->engine.cgroupfd = -1;
	t->engine.base = event_base_new();
	t->engine.settle = evtimer_new(t->engine.base, on_settle, NULL);
	log_open(LOG_TO_STDERR, LOG_INFO);
	logcatch_init(&t->log);
	make_host(&t->engine.host, &CPUSET_NONE);
	settings_init(&t->engine.config);
	t->engine.n_vms = VMTABLE_VMS;
	t->engine.vms = t->vms;
	for (unsigned int i = 0; i < VMTABLE_VMS; i++)
		t->vms[i] = make_vm(t, ids[i]);
	*state = t;
	return 0;
}

int
vmtable_teardown(void **state)
{
	struct vmtable *t = *state;

	for (unsigned int i = 0; i < VMTABLE_VMS; i++)
		vm_free(t->vms[i]);
	settings_fini(&t->engine.config);
	hostmodel_fini(&t->engine.host);
	event_free(t->engine.settle);
	event_base_free(t->engine.base);
	logcatch_fini(&t->log);
	free(t);
	return 0;
}

void
vmtable_take_cpus(struct vmtable *t, const struct cpuset *offline)
{
	hostmodel_fini(&t->engine.host);
	t->engine.host = (struct hostmodel){0};
	make_host(&t->engine.host, offline);
}

void
vmtable_configure(struct vmtable *t, const char *text)
{
	struct err e = ERR_NONE;

	settings_fini(&t->engine.config);
	settings_init(&t->engine.config);
	if (settings_parse(&t->engine.config, text, strlen(text), "t",
		    SETTINGS_ORIGIN_CONFIG, &e) < 0)
		fail_msg("%s", e.text);
}

void
vmtable_place(struct vm *vm, const struct cpuset *cpus)
{
	for (size_t i = 0; i < vm->n_tasks; i++) {
		struct vm_task *t = &vm->tasks[i];

		t->want = t->have = *cpus;
		t->wanted = t->applied = true;
	}
	vm->placed = true;
	vm->domain = vm->emulator = *cpus;
}

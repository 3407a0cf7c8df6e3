// SPDX-License-Identifier: MIT
/* Made-up hosts under a replay. */
#include "config.h"

#include "ground.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/str.h"

int
ground_make(void *owner, const struct cpuset *offline, struct topo **topo,
	struct ranking **ranking, float **ns, struct err *e)
{
	struct cpuset none = CPUSET_NONE;
	struct ground *g = owner;
	struct host h;

	if (g->broken)
		return err_set(e, -EIO, "", 0, "no host today");
	h = host_make(g->spec, offline, &none);
	for (unsigned int i = 0; i < h.topo->n_nodes && i < 8; i++) {
		if (g->no_memory[i])
			h.topo->nodes[i].mem_kib = 0;
	}
	g->made++;
	g->topo = h.topo;
	*topo = h.topo;
	*ranking = h.ranking;
	*ns = h.ns;
	return 0;
}

struct replay *
ground_replay(struct ground *g, const struct replay_settings *s)
{
	struct replay_settings defaults = replay_settings_default();
	struct replay *r = NULL;
	struct err e = ERR_NONE;

	if (replay_new(s != NULL ? s : &defaults, ground_make, g, &r, &e) < 0)
		fail_msg("%s", e.text);
	return r;
}

struct replay_event
ground_event(enum replay_kind kind, const char *id)
{
	struct replay_event e = {.kind = kind, .t_s = NAN};

	str_copy(e.id, sizeof(e.id), id);
	return e;
}

struct replay_event
ground_start(const char *id, unsigned int n_vcpus)
{
	struct replay_event e = ground_event(REPLAY_START, id);

	e.start.n_vcpus = n_vcpus;
	e.start.max_vcpus = n_vcpus;
	e.start.memory_gib = 8;
	return e;
}

struct replay_event
ground_cpu(enum replay_kind kind, unsigned int cpu)
{
	struct replay_event e = ground_event(kind, "");

	e.cpu = cpu;
	return e;
}

struct replay_event
ground_plug(const char *id, unsigned int n_vcpus)
{
	struct replay_event e = ground_event(REPLAY_HOTPLUG, id);

	e.n_vcpus = n_vcpus;
	return e;
}

struct replay_event
ground_host(struct replay_amount *free_gib, unsigned int n_free,
	struct replay_amount *background, unsigned int n_background)
{
	struct replay_event e = ground_event(REPLAY_HOST, "");

	e.free = free_gib;
	e.n_free = n_free;
	e.background = background;
	e.n_background = n_background;
	return e;
}

void
ground_step(struct replay *r, struct replay_event event)
{
	struct err e = ERR_NONE;

	if (replay_step(r, &event, &e) < 0)
		fail_msg("event %d %s: %s", (int)event.kind, event.id, e.text);
}

struct cpuset
ground_cpus(const char *text)
{
	struct cpuset s = CPUSET_NONE;

	assert_int_equal(cpuset_parse(text, &s), 0);
	return s;
}

const struct plan_vm *
ground_vm(const struct replay *r, unsigned int vm)
{
	return &replay_input(r)->vms[vm];
}

const char *
ground_why(const struct replay *r, unsigned int vm)
{
	return replay_plan(r)->results[vm].why;
}

static void
add_set(struct strbuf *out, const char *name, const struct cpuset *s)
{
	char text[CPUSET_TEXT_MAX];

	strbuf_addf(out, " %s=%s", name, cpuset_format(s, text, sizeof(text)));
}

/* All that one can see. */
char *
ground_picture(const struct replay *r)
{
	const struct plan_input *in = replay_input(r);
	struct strbuf b = {0};

	strbuf_addf(&b, "t=%g moved=%u vms=%u", replay_now_s(r), replay_moved(r),
		in->n_vms);
	add_set(&b, "online", &in->topo->online);
	for (unsigned int i = 0; in->node_free_gib && i < in->topo->n_nodes; i++)
		strbuf_addf(&b, " free=%g", in->node_free_gib[i]);
	for (unsigned int i = 0; in->background && i < in->topo->n_pus; i++)
		strbuf_addf(&b, " %g", in->background[i]);
	for (unsigned int i = 0; i < in->n_vms; i++) {
		const struct plan_vm *vm = &in->vms[i];
		struct cpuset emulator = replay_emulator(r, i);

		strbuf_addf(&b, "\n%s %u:", vm->id, vm->n_vcpus);
		for (unsigned int v = 0; v < vm->n_vcpus && v < PLAN_VCPUS_MAX; v++) {
			struct cpuset mask = replay_mask(r, i, v);

			add_set(&b, "", &mask);
		}
		add_set(&b, "emu", &emulator);
		for (unsigned int n = 0; vm->memory_share && n < in->topo->n_nodes; n++)
			strbuf_addf(&b, " mem=%g", vm->memory_share[n]);
		strbuf_addf(&b, " %s", ground_why(r, i));
	}
	return strbuf_take(&b);
}

void
ground_same(const struct replay *a, const struct replay *b)
{
	auto_free char *pa = ground_picture(a);
	auto_free char *pb = ground_picture(b);

	assert_string_equal(pa, pb);
}

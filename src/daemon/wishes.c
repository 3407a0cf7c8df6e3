// SPDX-License-Identifier: MIT
/*
 * What counts in the end for a VM, and what is said of it. What comes of configurations
 * is hearing.c's.
 */
#include "config.h"

#include "daemon/wishes.h"

#include <stdlib.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/passed.h"
#include "daemon/pvewatch.h"
#include "daemon/vmmode.h"

#define CPUS_MAX 128u

static enum settings_origin
origin_of(const struct optin *o)
{
	return o->by == OPTIN_BY_TAG ? SETTINGS_ORIGIN_TAG
				     : SETTINGS_ORIGIN_DESCRIPTION;
}

enum place_mode
wishes_mode(const struct engine *e, const struct vm *vm, enum settings_origin *origin)
{
	const struct optin *o = &vm->wishes.optin;
	enum settings_origin from;
	enum place_mode mode = settings_mode(&e->config, vm->id, &from);

	if (from == SETTINGS_ORIGIN_VM_SECTION) {
		/* the administrator's word about this very VM */
	} else if (o->by != OPTIN_BY_NOBODY && o->has_mode) {
		mode = o->mode;
		from = origin_of(o);
	} else if (e->config.select == SETTINGS_SELECT_TAGGED && !o->on) {
		mode = PLACE_OFF;
		from = e->config.select_origin;
	} else if (vm->wishes.pinning && mode != PLACE_OFF) {
		mode = PLACE_OBSERVE;
		from = SETTINGS_ORIGIN_DEFAULT;
	}
	if (origin != NULL)
		*origin = from;
	return mode;
}

enum place_smt
wishes_smt(const struct engine *e, const struct vm *vm)
{
	const struct settings_vm *own = settings_vm_find(&e->config, vm->id);
	const struct optin *o = &vm->wishes.optin;

	return o->has_smt && (own == NULL || !own->has_smt)
		       ? o->smt
		       : settings_smt(&e->config, vm->id);
}

enum place_emulator
wishes_emulator(const struct engine *e, const struct vm *vm)
{
	const struct settings_vm *own = settings_vm_find(&e->config, vm->id);
	const struct optin *o = &vm->wishes.optin;

	return o->has_emulator && (own == NULL || !own->has_emulator)
		       ? o->emulator
		       : settings_emulator(&e->config, vm->id);
}

bool
wishes_wait(const struct engine *e, const struct vm *vm)
{
	const struct wishing *w = &e->wishing;

	return w->watch != NULL && (!w->settled || pvewatch_awaits(w->watch, vm->id));
}

const struct cpuset *
wishes_affinity(const struct vm *vm)
{
	return vm->wishes.affinity;
}

struct cpuset
wishes_host_nodes(const struct vm *vm, unsigned int guest_node)
{
	const struct wishes *w = &vm->wishes;

	for (size_t i = 0; i < w->n_nodes; i++) {
		if (w->nodes[i].id == guest_node)
			return w->nodes[i].host_nodes;
	}
	return CPUSET_NONE;
}

struct cpuset
wishes_pci_nodes(const struct vm *vm)
{
	const struct wishes *w = &vm->wishes;
	struct cpuset nodes = CPUSET_NONE;

	if (w->passed != NULL)
		nodes = *w->passed;
	if (w->passed_started != NULL)
		nodes = cpuset_or(&nodes, w->passed_started);
	return nodes;
}

/* ---- what is said of it ---- */

const char *
wishes_why_off(const struct engine *e, const struct vm *vm)
{
	const struct optin *o = &vm->wishes.optin;
	enum settings_origin origin;

	if (wishes_mode(e, vm, &origin) != PLACE_OFF)
		return NULL;
	if (origin == SETTINGS_ORIGIN_TAG)
		return "off by its tag";
	if (origin == SETTINGS_ORIGIN_DESCRIPTION)
		return "off by its description";
	if (origin != SETTINGS_ORIGIN_VM_SECTION && !o->on &&
		e->config.select == SETTINGS_SELECT_TAGGED)
		return "select = tagged, and it does not ask for it";
	return NULL;
}

const char *
wishes_refused(const struct vm *vm)
{
	const char *refused = vm->wishes.optin.refused;

	return refused[0] != '\0' ? refused : NULL;
}

bool
wishes_is_another_s(const struct engine *e, const struct vm *vm)
{
	enum settings_origin origin;

	return vm->wishes.pinning && wishes_mode(e, vm, &origin) == PLACE_OBSERVE &&
	       origin == SETTINGS_ORIGIN_DEFAULT;
}

char *
wishes_note(const struct engine *e, const struct vm *vm)
{
	const struct wishes *w = &vm->wishes;

	if (w->unread != NULL)
		return xasprintf("its configuration is not read: %s", w->unread);
	if (wishes_refused(vm) != NULL)
		return xstrdup(wishes_refused(vm));
	if (wishes_is_another_s(e, vm))
		return xstrdup(WISHES_ANOTHER_S);
	return w->odd != NULL ? xasprintf("configuration, %s", w->odd) : NULL;
}

char *
wishes_text(const struct engine *e, const struct vm *vm)
{
	const struct wishes *w = &vm->wishes;
	struct strbuf out = {0};
	enum settings_origin origin;
	enum place_mode mode = vmmode_of(e, vm, &origin);
	char cpus[CPUS_MAX];

	strbuf_addf(&out, "mode %s (%s)", place_mode_name(mode),
		settings_origin_name(origin));
	if (w->optin.has_smt)
		strbuf_addf(&out, ", smt %s", place_smt_name(wishes_smt(e, vm)));
	if (w->optin.has_emulator)
		strbuf_addf(&out, ", emulator %s",
			place_emulator_name(wishes_emulator(e, vm)));
	if (w->affinity != NULL)
		strbuf_addf(&out, ", affinity %s",
			cpuset_format(w->affinity, cpus, sizeof(cpus)));
	return strbuf_take(&out);
}

/* ---- the VM's life ---- */

void
wishes_ask(struct engine *e, struct vm *vm)
{
	if (e->wishing.watch != NULL)
		pvewatch_add(e->wishing.watch, vm->id);
}

struct cpuset *
wishes_keep(const struct cpuset *set)
{
	struct cpuset *kept;

	if (cpuset_empty(set))
		return NULL;
	kept = xcalloc(1, sizeof(*kept));
	*kept = *set;
	return kept;
}

void
wishes_look(const struct engine *e, struct vm *vm)
{
	struct wishes *w = &vm->wishes;
	struct cpuset nodes;

	if (w->looked || e->wishing.root == NULL)
		return;
	nodes = passed_by_process(e->wishing.root, e->procfd, vm->identity.pid);
	w->passed_started = wishes_keep(&nodes);
	w->looked = true;
}

void
wishes_forget_process(struct wishes *w)
{
	char *unread = NULL;

	free(w->passed_started);
	w->passed_started = NULL;
	w->looked = w->unheard = false;
	if (!w->recalled)
		return;
	/* the record of its next process has nothing of this one's */
	unread = take_ptr(&w->unread);
	wishes_forget_config(w);
	w->unread = unread;
}

void
wishes_lost(struct engine *e, struct vm *vm)
{
	if (e->wishing.watch != NULL)
		pvewatch_remove(e->wishing.watch, vm->id);
}

void
wishes_forget_config(struct wishes *w)
{
	free(w->description);
	xfree_texts(w->tags, w->n_tags);
	free(w->affinity);
	free(w->nodes);
	free(w->passed);
	free(w->odd);
	free(w->unread);
	*w = (struct wishes){.passed_started = w->passed_started, .looked = w->looked};
}

void
wishes_fini(struct wishes *w)
{
	wishes_forget_config(w);
	wishes_forget_process(w);
}

void
wishes_forget_registered(struct wishing *w)
{
	xfree_texts(w->registered, w->n_registered);
	w->registered = NULL;
	w->n_registered = 0;
}

// SPDX-License-Identifier: MIT
/*
 * What VMs say about themselves: kept, judged by what the administrator allows, and
 * told when it changes. A change is one line and one kick; what follows from it is the
 * planner's.
 */
#include "config.h"

#include "daemon/wishes.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/history.h"
#include "daemon/passed.h"
#include "daemon/pvewatch.h"
#include "daemon/report.h"
#include "pve/vmconf.h"

#define OUR_NAME "qmpin"
/* Of a description that names us in every line the rest is left out. */
#define LINES_MAX 4096u
#define CPUS_MAX 128u

/* ---- what counts ---- */

static bool
has_section(const struct engine *e, const struct vm *vm, bool *smt, bool *emulator)
{
	const struct settings_vm *own = settings_vm_find(&e->config, vm->id);

	*smt = own != NULL && own->has_smt;
	*emulator = own != NULL && own->has_emulator;
	return own != NULL && own->has_mode;
}

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
	const struct optin *o = &vm->wishes.optin;
	bool smt;
	bool emulator;

	(void)has_section(e, vm, &smt, &emulator);
	return o->has_smt && !smt ? o->smt : settings_smt(&e->config, vm->id);
}

enum place_emulator
wishes_emulator(const struct engine *e, const struct vm *vm)
{
	const struct optin *o = &vm->wishes.optin;
	bool smt;
	bool emulator;

	(void)has_section(e, vm, &smt, &emulator);
	return o->has_emulator && !emulator ? o->emulator
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

static bool
is_another_s(const struct engine *e, const struct vm *vm)
{
	enum settings_origin origin;

	return vm->wishes.pinning && wishes_mode(e, vm, &origin) == PLACE_OBSERVE &&
	       origin == SETTINGS_ORIGIN_DEFAULT;
}

#define ANOTHER_S "only observed: 'pinning:' in its configuration is another program's"

char *
wishes_note(const struct engine *e, const struct vm *vm)
{
	const struct wishes *w = &vm->wishes;

	if (w->unread != NULL)
		return xasprintf("its configuration is not read: %s", w->unread);
	if (wishes_refused(vm) != NULL)
		return xstrdup(wishes_refused(vm));
	if (is_another_s(e, vm))
		return xstrdup(ANOTHER_S);
	return w->odd != NULL ? xasprintf("configuration, %s", w->odd) : NULL;
}

/* "mode float (tag), smt isolate, affinity 0-7". New text. */
static char *
text_of(const struct engine *e, const struct vm *vm)
{
	const struct wishes *w = &vm->wishes;
	struct strbuf out = {0};
	enum settings_origin origin;
	enum place_mode mode = wishes_mode(e, vm, &origin);
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

static void
tell_refusal(const struct vm *vm, const char *before)
{
	const char *now = vm->wishes.optin.refused;

	if (now[0] != '\0' && !str_equal(before, now))
		report_vm(vm, LOG_WARNING, "%s", now);
}

static void
tell_change(struct engine *e, struct vm *vm, const char *text, const char *why)
{
	report_vm(vm, LOG_NOTICE, "%s: %s", text, why);
	if (vm->proven)
		history_add(&vm->history, e->clock->realtime_us(e->clock), CAUSE_CONFIG,
			text);
}

/* ---- judging ---- */

static void
judge(const struct engine *e, struct vm *vm)
{
	static const enum optin_trust trusts[] = {
		[SETTINGS_DESCRIPTION_OPT] = OPTIN_TRUST_OPT,
		[SETTINGS_DESCRIPTION_FULL] = OPTIN_TRUST_FULL,
		[SETTINGS_DESCRIPTION_IGNORE] = OPTIN_TRUST_IGNORE,
	};
	struct wishes *w = &vm->wishes;
	const struct vmconf said = {
		.description = w->description, .n_tags = w->n_tags, .tags = w->tags};
	const struct optin_rules rules = {
		.trust = trusts[e->config.description],
		.allow_dedicated = e->config.allow_dedicated == SETTINGS_YES,
		.unregistered_tags = e->config.unregistered_tags == SETTINGS_YES,
		.n_registered = e->wishing.n_registered,
		.registered = e->wishing.registered,
	};

	optin_judge(&said, &rules, &w->optin);
}

static bool
is_same(const struct optin *a, const struct optin *b)
{
	return a->by == b->by && a->on == b->on && a->has_mode == b->has_mode &&
	       a->mode == b->mode && a->has_smt == b->has_smt && a->smt == b->smt &&
	       a->has_emulator == b->has_emulator && a->emulator == b->emulator;
}

/* Returns true when something else counts. */
static bool
judge_anew(struct engine *e, struct vm *vm)
{
	struct optin before = vm->wishes.optin;
	auto_free char *text = NULL;

	judge(e, vm);
	tell_refusal(vm, before.refused);
	if (is_same(&before, &vm->wishes.optin))
		return false;
	text = text_of(e, vm);
	tell_change(e, vm, text, "what it may ask for has changed");
	return true;
}

void
wishes_judge_all(struct engine *e)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		if (e->vms[i]->wishes.read)
			(void)judge_anew(e, e->vms[i]);
	}
}

static void
free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void
wishes_take_datacenter(struct engine *e, const char *text, size_t len)
{
	struct wishing *w = &e->wishing;

	wishing_fini(w);
	if (text != NULL)
		optin_registered(text, len, &w->registered, &w->n_registered);
	for (size_t i = 0; i < e->n_vms; i++) {
		if (e->vms[i]->wishes.read && judge_anew(e, e->vms[i]))
			engine_kick(e, e->vms[i], CAUSE_CONFIG);
	}
}

void
wishing_fini(struct wishing *w)
{
	free_list(w->registered, w->n_registered);
	w->registered = NULL;
	w->n_registered = 0;
}

/* ---- a configuration ---- */

/* NULL: it is empty. */
static struct cpuset *
keep(const struct cpuset *set)
{
	struct cpuset *kept;

	if (cpuset_empty(set))
		return NULL;
	kept = xcalloc(1, sizeof(*kept));
	*kept = *set;
	return kept;
}

/* Lines of a description that name us; NULL: none. */
static char *
keep_lines(const char *text)
{
	struct strbuf kept = {0};

	while (text != NULL && *text != '\0' && kept.len < LINES_MAX) {
		size_t len = strcspn(text, "\n");
		auto_free char *line = xmemdupz(text, len);

		if (strstr(line, OUR_NAME) != NULL && len < LINES_MAX)
			strbuf_addf(&kept, "%s\n", line);
		text += len + (text[len] == '\n');
	}
	return kept.len > 0 ? strbuf_take(&kept) : NULL;
}

static void
keep_tags(struct wishes *w, const struct vmconf *c)
{
	size_t cap = 0;

	for (size_t i = 0; i < c->n_tags; i++) {
		if (!str_has_prefix(c->tags[i], OUR_NAME))
			continue;
		w->tags = xgrow(w->tags, w->n_tags, &cap, sizeof(*w->tags));
		w->tags[w->n_tags++] = xstrdup(c->tags[i]);
	}
}

/* Where the policy is none that binds, or the VM has no nodes, there are none. */
static void
keep_nodes(struct wishes *w, const struct vmconf *c)
{
	w->nodes = xcalloc(c->n_nodes, sizeof(*w->nodes));
	for (unsigned int i = 0; c->numa && i < c->n_nodes; i++) {
		const struct vmconf_node *node = &c->nodes[i];

		if (node->policy == VMCONF_POLICY_BIND ||
			node->policy == VMCONF_POLICY_INTERLEAVE)
			w->nodes[w->n_nodes++] =
				(struct wishes_node){node->id, node->host_nodes};
	}
}

/* All of it but what is known of the process. */
static void
forget_config(struct wishes *w)
{
	free(w->description);
	free_list(w->tags, w->n_tags);
	free(w->affinity);
	free(w->nodes);
	free(w->passed);
	free(w->odd);
	free(w->unread);
	*w = (struct wishes){.passed_started = w->passed_started, .looked = w->looked};
}

static void
take_config(const struct engine *e, struct vm *vm, const struct vmconf *c)
{
	struct wishes *w = &vm->wishes;
	struct cpuset passed = CPUSET_NONE;

	if (e->wishing.root != NULL)
		passed = passed_by_config(e->wishing.root, c);
	forget_config(w);
	w->read = true;
	w->description = keep_lines(c->description);
	keep_tags(w, c);
	w->pinning = c->pinning;
	w->affinity = c->has_affinity ? keep(&c->affinity) : NULL;
	keep_nodes(w, c);
	w->passed = keep(&passed);
	w->odd = c->n_warnings > 0 ? xstrdup(c->warnings[0]) : NULL;
	judge(e, vm);
}

/* What was told of it before. */
struct before {
	bool read;
	bool pinning;
	char refused[OPTIN_REFUSED_MAX];
	char *text;
	char *odd;
};

static void
tell_all(struct engine *e, struct vm *vm, const struct before *b)
{
	const struct wishes *w = &vm->wishes;
	auto_free char *text = text_of(e, vm);

	if (b->read && !str_equal(b->text, text))
		tell_change(e, vm, text, "its configuration has changed");
	else if (!b->read && w->optin.by != OPTIN_BY_NOBODY)
		report_vm(vm, LOG_INFO, "%s", text);
	tell_refusal(vm, b->refused);
	if (!b->pinning && is_another_s(e, vm))
		report_vm(vm, LOG_WARNING, ANOTHER_S);
	if (w->odd != NULL && !str_equal(b->odd, w->odd))
		report_vm(vm, LOG_WARNING, "configuration, %s", w->odd);
}

/* A VM that has waited for this comes now. */
static void
go_on(struct engine *e, struct vm *vm)
{
	if (vm->surveyed)
		engine_kick(e, vm, CAUSE_CONFIG);
	else if (vm->fresh)
		engine_replan(e);
}

void
wishes_take(struct engine *e, const char *id, const char *text, size_t len)
{
	struct vm *vm = engine_find(e, id);
	struct before before = {.read = false};
	struct vmconf conf;

	if (vm == NULL)
		return;
	if (text == NULL) { /* what it said last stays */
		go_on(e, vm);
		return;
	}
	if (vmconf_parse(text, len, &conf) < 0) {
		wishes_take_unread(e, id, "it is too long");
		return;
	}
	before.read = vm->wishes.read;
	before.pinning = vm->wishes.pinning;
	str_copy(before.refused, sizeof(before.refused), vm->wishes.optin.refused);
	before.text = text_of(e, vm);
	before.odd = vm->wishes.odd != NULL ? xstrdup(vm->wishes.odd) : NULL;
	take_config(e, vm, &conf);
	vmconf_fini(&conf);
	tell_all(e, vm, &before);
	free(before.text);
	free(before.odd);
	go_on(e, vm);
}

void
wishes_take_unread(struct engine *e, const char *id, const char *why)
{
	struct vm *vm = engine_find(e, id);

	if (vm == NULL)
		return;
	if (why != NULL && !str_equal(why, vm->wishes.unread))
		report_vm(vm, LOG_WARNING, "its configuration is not read: %s", why);
	free(vm->wishes.unread);
	vm->wishes.unread = why != NULL ? xstrdup(why) : NULL;
}

void
wishes_settle(struct engine *e)
{
	e->wishing.settled = true;
	for (size_t i = 0; i < e->n_vms; i++) {
		if (e->vms[i]->fresh && !e->vms[i]->looked) {
			engine_replan(e);
			return;
		}
	}
}

/* ---- the VM's life ---- */

void
wishes_ask(struct engine *e, struct vm *vm)
{
	if (e->wishing.watch != NULL)
		pvewatch_add(e->wishing.watch, vm->id);
}

void
wishes_look(const struct engine *e, struct vm *vm)
{
	struct wishes *w = &vm->wishes;
	struct cpuset nodes;

	if (w->looked || e->wishing.root == NULL)
		return;
	nodes = passed_by_process(e->wishing.root, e->procfd, vm->identity.pid);
	w->passed_started = keep(&nodes);
	w->looked = true;
}

void
wishes_forget_process(struct wishes *w)
{
	free(w->passed_started);
	w->passed_started = NULL;
	w->looked = false;
}

void
wishes_lost(struct engine *e, struct vm *vm)
{
	if (e->wishing.watch != NULL)
		pvewatch_remove(e->wishing.watch, vm->id);
}

void
wishes_fini(struct wishes *w)
{
	forget_config(w);
	wishes_forget_process(w);
}

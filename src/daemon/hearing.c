// SPDX-License-Identifier: MIT
/*
 * Configurations are kept as far as they count, judged by what the administrator
 * allows, and told of when they change. A change is one line and one kick; what follows
 * from it is the planner's.
 */
#include "config.h"

#include "daemon/hearing.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/history.h"
#include "daemon/passed.h"
#include "daemon/recall.h"
#include "daemon/report.h"
#include "pve/vmconf.h"

#define OUR_NAME "qmpin"
/* Of a description that names us in every line the rest is left out. */
#define LINES_MAX 4096u

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
		history_add(&vm->history, clock_real_us(e->clock), CAUSE_CONFIG, text);
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

	if (w->recalled) {
		struct optin kept = recall_optin(vm);

		optin_judge_kept(&kept, &rules, &w->optin);
	} else {
		optin_judge(&said, &rules, &w->optin);
	}
}

void
hearing_recall(const struct engine *e, struct vm *vm)
{
	judge(e, vm);
}

static bool
is_known(const struct vm *vm)
{
	return vm->wishes.read || vm->wishes.recalled;
}

/* Returns true when something else counts. */
static bool
judge_anew(struct engine *e, struct vm *vm)
{
	auto_free char *before = wishes_text(e, vm);
	auto_free char *refused = xstrdup(vm->wishes.optin.refused);
	auto_free char *now = NULL;

	judge(e, vm);
	tell_refusal(vm, refused);
	now = wishes_text(e, vm);
	if (str_equal(before, now))
		return false;
	tell_change(e, vm, now, "what it may ask for has changed");
	return true;
}

void
hearing_judge_all(struct engine *e)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		if (is_known(e->vms[i]))
			(void)judge_anew(e, e->vms[i]);
	}
}

void
hearing_take_datacenter(struct engine *e, const char *text, size_t len)
{
	struct wishing *w = &e->wishing;

	wishes_forget_registered(w);
	if (text != NULL)
		optin_registered(text, len, &w->registered, &w->n_registered);
	for (size_t i = 0; i < e->n_vms; i++) {
		if (is_known(e->vms[i]) && judge_anew(e, e->vms[i]))
			engine_kick(e, e->vms[i], CAUSE_CONFIG);
	}
}

/* ---- a configuration ---- */

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

static void
take_config(const struct engine *e, struct vm *vm, const struct vmconf *c)
{
	struct wishes *w = &vm->wishes;
	struct cpuset passed = CPUSET_NONE;

	if (e->wishing.root != NULL)
		passed = passed_by_config(e->wishing.root, c);
	wishes_forget_config(w);
	w->read = true;
	w->description = keep_lines(c->description);
	keep_tags(w, c);
	w->pinning = c->pinning;
	w->affinity = c->has_affinity ? wishes_keep(&c->affinity) : NULL;
	keep_nodes(w, c);
	w->passed = wishes_keep(&passed);
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
	auto_free char *text = wishes_text(e, vm);

	if (b->read && !str_equal(b->text, text))
		tell_change(e, vm, text, "its configuration has changed");
	else if (!b->read && w->optin.by != OPTIN_BY_NOBODY)
		report_vm(vm, LOG_INFO, "%s", text);
	tell_refusal(vm, b->refused);
	if (!b->pinning && wishes_is_another_s(e, vm))
		report_vm(vm, LOG_WARNING, WISHES_ANOTHER_S);
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
hearing_take(struct engine *e, const char *id, const char *text, size_t len)
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
		hearing_take_unread(e, id, "it is too long");
		return;
	}
	before.read = is_known(vm);
	before.pinning = vm->wishes.pinning;
	str_copy(before.refused, sizeof(before.refused), vm->wishes.optin.refused);
	before.text = wishes_text(e, vm);
	before.odd = vm->wishes.odd != NULL ? xstrdup(vm->wishes.odd) : NULL;
	take_config(e, vm, &conf);
	vmconf_fini(&conf);
	tell_all(e, vm, &before);
	free(before.text);
	free(before.odd);
	go_on(e, vm);
}

void
hearing_take_unread(struct engine *e, const char *id, const char *why)
{
	struct vm *vm = engine_find(e, id);

	if (vm == NULL)
		return;
	if (why != NULL && !str_equal(why, vm->wishes.unread))
		report_vm(vm, LOG_WARNING, "its configuration is not read: %s", why);
	free(vm->wishes.unread);
	vm->wishes.unread = why != NULL ? xstrdup(why) : NULL;
	if (why != NULL)
		go_on(e, vm); /* nothing else will come */
}

void
hearing_settle(struct engine *e)
{
	e->wishing.settled = true;
	for (size_t i = 0; i < e->n_vms; i++) {
		if (e->vms[i]->fresh && !e->vms[i]->looked) {
			engine_replan(e);
			return;
		}
	}
}

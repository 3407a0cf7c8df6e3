// SPDX-License-Identifier: MIT
/* Method Explain: a plan that nobody carries out, as candidates, rules and history. */
#include "config.h"

#include "daemon/explaining.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "ctl/server.h"
#include "ctl/shapes.h"
#include "daemon/engine.h"
#include "daemon/seating.h"
#include "place/explain.h"

#define TEXT_MAX 256u

/* The texts that a reply borrows. */
struct words {
	char rules[EXPLAIN_N_RULES][TEXT_MAX];
	char better[TEXT_MAX];
	char verdict[TEXT_MAX];
	const char *rule_list[EXPLAIN_N_RULES];
	const char *better_list[1];
	struct ctl_decision history[HISTORY_MAX];
};

/* A candidate with its texts. */
struct option_words {
	char cpus[CPUSET_TEXT_MAX];
	char nodes[CPUSET_TEXT_MAX];
	char texts[N_TERMS][TEXT_MAX];
	struct ctl_term terms[N_TERMS];
	struct ctl_candidate out;
};

/* What the planner said of one VM. */
struct verdict {
	const struct plan_input *in;
	const struct plan_vm *vm;
	const struct plan_result *result;
};

static struct option_words *
new_option(const struct verdict *v, const struct explain_option *o, const char *verdict)
{
	struct option_words *w = xcalloc(1, sizeof(*w));

	for (unsigned int t = 0; t < N_TERMS; t++)
		w->terms[t] = (struct ctl_term){
			.name = term_name((enum term)t),
			.ns = o->terms.ns[t],
			.text = explain_term_text(v->in, o, (enum term)t, w->texts[t],
				sizeof(w->texts[t])),
		};
	w->out = (struct ctl_candidate){
		.cpus = cpuset_format(&o->cpus, w->cpus, sizeof(w->cpus)),
		.nodes = cpuset_format(&o->nodes, w->nodes, sizeof(w->nodes)),
		.total_ns = o->total_ns,
		.terms = w->terms,
		.n_terms = N_TERMS,
		.verdict = verdict,
	};
	return w;
}

static size_t
list_rules(const struct verdict *v, struct words *w)
{
	size_t n = 0;

	for (unsigned int r = 0; r < EXPLAIN_N_RULES; r++) {
		if ((v->result->explain->rules & 1u << r) == 0)
			continue;
		w->rule_list[n] = explain_rule_text(v->in, v->vm, v->result->explain,
			(enum explain_rule)r, w->rules[n], sizeof(w->rules[n]));
		n++;
	}
	return n;
}

static size_t
list_history(const struct vm *vm, struct words *w)
{
	for (unsigned int i = 0; i < vm->history.n; i++) {
		const struct decision *d = history_at(&vm->history, i);

		w->history[i] = (struct ctl_decision){
			d->time_us, vm->id, cause_name(d->cause), d->text};
	}
	return vm->history.n;
}

static json_t *
explain_json(const struct verdict *v, const struct vm *vm)
{
	const struct explain *x = v->result->explain;
	struct words *w = xcalloc(1, sizeof(*w));
	struct option_words *chosen = new_option(v, &x->chosen, v->result->why);
	struct option_words *second = NULL;
	struct ctl_explain out = {.chosen = &chosen->out};
	json_t *json;

	if (x->has_runner_up) {
		explain_verdict_text(x, &x->runner_up, w->verdict, sizeof(w->verdict));
		second = new_option(v, &x->runner_up, w->verdict);
		out.runner_up = &second->out;
	}
	out.rules = w->rule_list;
	out.n_rules = list_rules(v, w);
	w->better_list[0] = explain_better_text(v->in, x, w->better, sizeof(w->better));
	out.better_if = w->better_list;
	out.n_better_if = w->better[0] != '\0' ? 1 : 0;
	out.history = w->history;
	out.n_history = list_history(vm, w);
	json = ctl_explain_json(&out);
	free(chosen);
	free(second);
	free(w);
	return json;
}

/* Nothing is known of its threads yet, or no longer. */
static void
refuse_unknown(struct ctl_call *call, const struct vm *vm)
{
	auto_free char *why =
		vm->note[0] != '\0' ? xstrdup(vm->note)
				    : xasprintf("nothing is known of its threads (%s)",
					      vm_state_name(vm->state));

	ctl_not_managed(call, vm->id, why);
}

/* A plan for all, since each VM is where it is because of the others. */
static void
answer(struct ctl_call *call, const struct vm *vm, struct seating *s)
{
	int seat = seating_find(s, vm);
	struct err why = ERR_NONE;
	struct verdict v;
	struct plan *plan;

	if (seat < 0) {
		refuse_unknown(call, vm);
		return;
	}
	s->in.explain = PLAN_EXPLAIN_ALL;
	s->in.explain_id = vm->id;
	if (planner_run(&s->in, &plan, &why) < 0) {
		ctl_failed_by(call, &why);
		return;
	}
	v = (struct verdict){&s->in, &s->vms[seat], &plan->results[seat]};
	if (v.result->verdict == PLAN_LEAVE || v.result->explain == NULL)
		ctl_not_managed(
			call, vm->id, vm->note[0] != '\0' ? vm->note : v.result->why);
	else
		ctl_reply(call, explain_json(&v, vm), false);
	plan_free(plan);
}

void
explaining_on_call(void *owner, struct ctl_call *call, const json_t *params)
{
	const struct engine *e = owner;
	const struct vm *vm = pending_vm(e, call, params);
	struct seating s;

	if (vm == NULL)
		return;
	seating_init(&s, e);
	/* without an allowance: what it would do is told, and nobody moved */
	s.policy.rebalance = e->config.rebalance == SETTINGS_REBALANCE_YES &&
			     e->config.rebalance_moves_per_min > 0 &&
			     e->config.rebalance_vcpus_per_min > 0 && !e->dry_run;
	answer(call, vm, &s);
	seating_fini(&s);
}

// SPDX-License-Identifier: MIT
/* Reasons in words. */
#include "config.h"

#include "place/explain.h"

#include <stdio.h>

char *
explain_rule_text(const struct plan_input *in, const struct plan_vm *vm,
	enum explain_rule rule, char *buf, size_t size)
{
	(void)in;
	(void)vm;
	(void)snprintf(buf, size, "rule %d", (int)rule);
	return buf;
}

char *
explain_verdict_text(
	const struct explain *e, const struct explain_option *o, char *buf, size_t size)
{
	(void)snprintf(
		buf, size, "costs %.1f ns, %.1f ns", o->total_ns, e->chosen.total_ns);
	return buf;
}

char *
explain_better_text(
	const struct plan_input *in, const struct explain *e, char *buf, size_t size)
{
	(void)in;
	(void)e;
	(void)snprintf(buf, size, "%s", "");
	return buf;
}

char *
explain_term_text(const struct plan_input *in, const struct explain_option *o,
	enum term t, char *buf, size_t size)
{
	(void)in;
	(void)snprintf(buf, size, "%s %.1f ns", term_name(t), o->terms.ns[t]);
	return buf;
}

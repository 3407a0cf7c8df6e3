// SPDX-License-Identifier: MIT
/*
 * What VMs say about themselves: less trust never gives more, opting out needs none,
 * and what is refused is safe to print. The first line is a datacenter.cfg's, the rest
 * a configuration.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pve/optin.h"

static struct optin
judge(const struct vmconf *c, const struct optin_rules *rules)
{
	struct optin o;

	optin_judge(c, rules, &o);
	assert(strlen(o.refused) < OPTIN_REFUSED_MAX - 1);
	for (const char *p = o.refused; *p != '\0'; p++)
		assert(*p >= 0x20 && *p <= 0x7e);
	assert(o.by != OPTIN_BY_NOBODY || !o.on);
	assert(o.by != OPTIN_BY_TAG || (!o.has_smt && !o.has_emulator));
	assert(o.on || (!o.has_smt && !o.has_emulator));
	assert((unsigned int)o.mode < PLACE_N_MODES);
	assert((unsigned int)o.smt < PLACE_N_SMT);
	assert((unsigned int)o.emulator < PLACE_N_EMULATOR);
	return o;
}

static bool
is_off(const struct optin *o)
{
	return o->by != OPTIN_BY_NOBODY && o->has_mode && o->mode == PLACE_OFF;
}

static void
check(const struct vmconf *c, char **registered, size_t n)
{
	struct optin_rules rules = {.trust = OPTIN_TRUST_FULL,
		.allow_dedicated = true,
		.unregistered_tags = true};
	struct optin all = judge(c, &rules);
	struct optin some;

	assert(all.by != OPTIN_BY_DESCRIPTION || all.refused[0] == '\0');
	rules.unregistered_tags = false;
	rules.registered = registered;
	rules.n_registered = n;
	rules.allow_dedicated = false;
	some = judge(c, &rules);
	assert(!is_off(&all) || is_off(&some));
	assert(!some.has_mode || some.mode != PLACE_DEDICATED);
	rules.trust = OPTIN_TRUST_OPT;
	some = judge(c, &rules);
	assert(!is_off(&all) || is_off(&some));
	assert(!some.has_mode || some.mode <= PLACE_OBSERVE);
	assert(!some.has_smt && !some.has_emulator);
	rules.trust = OPTIN_TRUST_IGNORE;
	some = judge(c, &rules);
	assert(some.by == OPTIN_BY_NOBODY && some.refused[0] == '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *exact = xcalloc(size, 1);
	const char *end;
	char **registered;
	struct vmconf c;
	size_t first;
	size_t n;

	if (size > 0)
		memcpy(exact, data, size);
	end = size > 0 ? memchr(exact, '\n', size) : NULL;
	first = end != NULL ? (size_t)(end - exact) + 1 : size;
	optin_registered(exact, first, &registered, &n);
	if (vmconf_parse(exact + first, size - first, &c) == 0) {
		check(&c, registered, n);
		vmconf_fini(&c);
	}
	for (size_t i = 0; i < n; i++)
		free(registered[i]);
	free(registered);
	return 0;
}

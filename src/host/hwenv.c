// SPDX-License-Identifier: MIT
/*
 * The environment around a load. What hwloc does with it: HWLOC_FSROOT is the only way
 * to a foreign tree; without HWLOC_COMPONENTS=linux,stop it mixes in, or falls back to,
 * the machine it runs on.
 */
#include "config.h"

#include "host/hwenv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

#define PREFIX "HWLOC_"

struct hwenv {
	char **saved; /* "NAME=value" */
	size_t n;
	size_t cap;
};

static char *
name_of(const char *assignment)
{
	return xmemdupz(assignment, strcspn(assignment, "="));
}

static void
set(const char *name, const char *value)
{
	if (setenv(name, value, 1) < 0)
		abort(); /* out of memory */
}

/* Take out one variable, since that changes the list. Returns 0 when there is none. */
static int
take_one(struct hwenv *env)
{
	auto_free char *name = NULL;
	char **v = environ;

	while (v != NULL && *v != NULL && !str_has_prefix(*v, PREFIX))
		v++;
	if (v == NULL || *v == NULL)
		return 0;
	env->saved = xgrow(env->saved, env->n, &env->cap, sizeof(*env->saved));
	env->saved[env->n++] = xstrdup(*v);
	name = name_of(*v);
	(void)unsetenv(name);
	return 1;
}

struct hwenv *
hwenv_enter(const char *fsroot)
{
	struct hwenv *env = xcalloc(1, sizeof(*env));

	while (take_one(env) != 0)
		continue;
	set("HWLOC_COMPONENTS", "linux,stop");
	set("HWLOC_PLUGINS_PATH", "/nonexistent");
	set("HWLOC_HIDE_ERRORS", "2");
	if (fsroot != NULL)
		set("HWLOC_FSROOT", fsroot);
	return env;
}

void
hwenv_leave(struct hwenv *env)
{
	struct hwenv ours = {0};

	while (take_one(&ours) != 0)
		continue;
	for (size_t i = 0; i < ours.n; i++)
		free(ours.saved[i]);
	free(ours.saved);
	for (size_t i = 0; i < env->n; i++) {
		auto_free char *name = name_of(env->saved[i]);

		set(name, env->saved[i] + strlen(name) + 1);
		free(env->saved[i]);
	}
	free(env->saved);
	free(env);
}

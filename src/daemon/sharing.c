// SPDX-License-Identifier: MIT
/* What is told to people about the ways in which monitors are shared. */
#include "config.h"

#include "daemon/sharing.h"

#include "base/xalloc.h"
#include "daemon/engine.h"
#include "qmp/guard.h"
#include "qmp/share.h"

char *
sharing_note(const struct engine *e, const struct vm *vm)
{
	const char *now = share_name(monitor_share(vm->monitor));
	enum share wish = engine_share(e, vm->id);

	if (vm->share_why[0] == '\0')
		return NULL;
	if (wish == SHARE_AUTO)
		return xasprintf("share = %s: %s", now, vm->share_why);
	return xasprintf(
		"share = %s, not %s: %s", now, share_name(wish), vm->share_why);
}

static bool
has_guard(const struct engine *e)
{
	return e->commons.guard != NULL && guard_is_alive(e->commons.guard);
}

/* Some monitor would be held, were there a guard. */
static bool
needs_guard(const struct engine *e)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		if (engine_share(e, e->vms[i]->id) != SHARE_BRIEF)
			return true;
	}
	return false;
}

/* The first VM with another way than asked for, and how many there are. */
static const struct vm *
find_fallback(const struct engine *e, size_t *n)
{
	const struct vm *first = NULL;

	*n = 0;
	for (size_t i = 0; i < e->n_vms; i++) {
		if (e->vms[i]->share_why[0] == '\0' || e->vms[i]->state == VM_GONE)
			continue;
		if (first == NULL)
			first = e->vms[i];
		(*n)++;
	}
	return first;
}

static char *
fallback_warning(const struct engine *e)
{
	size_t n;
	const struct vm *vm = find_fallback(e, &n);
	auto_free char *note = vm != NULL ? sharing_note(e, vm) : NULL;

	if (vm == NULL)
		return NULL;
	if (n == 1)
		return xasprintf("vm %s: %s", vm->id, note);
	return xasprintf("%zu VMs share their monitor in another way than asked for; "
			 "vm %s: %s",
		n, vm->id, note);
}

size_t
sharing_warnings(const struct engine *e, char **out)
{
	unsigned int n_polled = e->commons.n_polled;
	char *fallback;
	size_t n = 0;

	if (needs_guard(e) && !has_guard(e)) {
		out[n++] = xstrdup(
			"no guard runs: monitors are only visited briefly until one does");
		return n; /* which is why VMs have another way */
	}
	fallback = fallback_warning(e);
	if (fallback != NULL)
		out[n++] = fallback;
	if (n_polled > 0)
		out[n++] = xasprintf("%u monitor%s polled for waiting clients: no "
				     "permission to watch (CAP_SYS_PTRACE)",
			n_polled, n_polled == 1 ? " is" : "s are");
	return n;
}

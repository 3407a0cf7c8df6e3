// SPDX-License-Identifier: MIT
/* Calls of Release: monitors are asked, and tell when they have ended. */
#include "config.h"

#include "daemon/release.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "ctl/server.h"
#include "daemon/engine.h"

struct pending_list
release_none(void)
{
	return (struct pending_list){.done = "released",
		.late = "no answer yet: its monitor is in use, or QEMU hangs"};
}

/* @why NULL: it is released. */
static void
end(struct engine *e, const char *id, const char *why)
{
	if (why == NULL)
		pending_add(&e->releases, id, json_string(id));
	pending_close(&e->releases, id, why);
}

void
release_ended(struct engine *e, const struct vm *vm, int err, const struct err *why)
{
	char text[512];

	if (err < 0 && err_is_set(why))
		end(e, vm->id, err_format(why, text, sizeof(text)));
	else
		end(e, vm->id, err < 0 ? strerror(-err) : NULL);
}

void
release_lost(struct engine *e, const struct vm *vm)
{
	struct pollfd process = {.fd = vm->identity.pidfd, .events = POLLIN};
	bool lives = vm->proven && poll(&process, 1, 0) == 0;

	/* with a process goes all that was added to it */
	end(e, vm->id, lives ? "its socket was replaced meanwhile, try again" : NULL);
}

/* Ask the monitors, except those that were asked by another call and are at it. */
static void
ask(struct engine *e, struct vm *const *vms, const bool *asked, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (vms[i]->state == VM_GONE)
			end(e, vms[i]->id, NULL);
		else if (!asked[i])
			monitor_release(vms[i]->monitor);
	}
}

void
release_on_call(void *owner, struct ctl_call *call, const json_t *params)
{
	struct engine *e = owner;
	struct pending *p;
	struct vm **vms;
	bool *asked;
	size_t n;

	if (!pending_changes(e, call, "release", params, &vms, &n))
		return;
	asked = xcalloc(n, sizeof(*asked));
	for (size_t i = 0; i < n; i++)
		asked[i] = pending_has(&e->releases, vms[i]->id);
	p = pending_new(&e->releases, e, call, vms, n, e->release_ms);
	ask(e, vms, asked, n);
	pending_begin(p);
	free(asked);
	free(vms);
}

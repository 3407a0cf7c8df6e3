// SPDX-License-Identifier: MIT
/* The answers are nobody's business: what was done is seen in the model. */
#include "config.h"

#include "calls.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "ctl/server.h"
#include "daemon/applying.h"
#include "daemon/migraterun.h"
#include "daemon/pvewatch.h"
#include "daemon/undo.h"
#include "daemon/vmmode.h"

struct ctl_call {
	struct ctl_peer peer;
};

static struct ctl_call *
new_call(void)
{
	return xcalloc(1, sizeof(struct ctl_call));
}

void
calls_mode(struct engine *e, const struct guest *g, enum place_mode mode)
{
	json_t *params =
		json_pack("{s:s, s:s}", "id", g->id, "mode", place_mode_name(mode));

	vmmode_on_set(e, new_call(), params);
	json_decref(params);
}

void
calls_restore(struct engine *e, const struct guest *g)
{
	json_t *params = json_pack("{s:[s]}", "ids", g->id);

	undo_on_call(e, new_call(), params);
	json_decref(params);
}

void
calls_apply(struct engine *e, const struct guest *g)
{
	json_t *params = json_pack("{s:[s]}", "ids", g->id);

	applying_on_apply(e, new_call(), params);
	json_decref(params);
}

/* ---- ctl/server.h ---- */

bool
ctl_call_more(const struct ctl_call *call)
{
	(void)call;
	return false;
}

bool
ctl_call_gone(const struct ctl_call *call)
{
	(void)call;
	return false;
}

size_t
ctl_call_unread(const struct ctl_call *call)
{
	(void)call;
	return 0;
}

const struct ctl_peer *
ctl_call_peer(const struct ctl_call *call)
{
	return &call->peer;
}

void
ctl_reply(struct ctl_call *call, json_t *params, bool continues)
{
	json_decref(params);
	if (!continues)
		free(call);
}

void
ctl_reply_text(struct ctl_call *call, const char *params, bool continues)
{
	(void)params;
	if (!continues)
		free(call);
}

void
ctl_error(struct ctl_call *call, const char *name, json_t *params)
{
	(void)name;
	json_decref(params);
	free(call);
}

/* ---- daemon/migraterun.h: these hosts move no memory ---- */

int
migraterun_new(const struct migraterun_options *o,
	const struct migraterun_handlers *handlers, void *owner,
	struct migraterun **out, struct err *e)
{
	(void)o;
	(void)handlers;
	(void)owner;
	(void)out;
	return err_set(e, -ENOSYS, NULL, 0, "no memory is moved here");
}

void
migraterun_end(struct migraterun *r)
{
	(void)r;
}

void
migraterun_free(struct migraterun *r)
{
	(void)r;
}

/* ---- daemon/pvewatch.h: these hosts have no cluster ---- */

bool
pvewatch_awaits(struct pvewatch *w, const char *id)
{
	(void)w;
	(void)id;
	return false;
}

bool
pvewatch_is_silent(struct pvewatch *w, const char *id)
{
	(void)w;
	(void)id;
	return false;
}

void
pvewatch_add(struct pvewatch *w, const char *id)
{
	(void)w;
	(void)id;
}

void
pvewatch_remove(struct pvewatch *w, const char *id)
{
	(void)w;
	(void)id;
}

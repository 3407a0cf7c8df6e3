// SPDX-License-Identifier: MIT
/* Methods GetConfig and Reload: the configuration in force, and another one. */
#include "config.h"

#include "daemon/configcalls.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "conf/inventory.h"
#include "ctl/server.h"
#include "ctl/shapes.h"
#include "daemon/asker.h"
#include "daemon/engine.h"

static void
add_setting(void *arg, const struct inventory_item *item)
{
	json_t *settings = arg;
	auto_free char *origin = item->file != NULL
					 ? xasprintf("%s:%u", item->file, item->line)
					 : xstrdup("default");
	const struct ctl_setting setting = {item->key, item->value, origin, item->text};

	json_array_append_new(settings, ctl_setting_json(&setting));
}

void
configcalls_on_get(void *owner, struct ctl_call *call, const json_t *params)
{
	const struct engine *e = owner;
	json_t *settings = json_array();

	(void)params;
	inventory_each(&e->config, add_setting, settings);
	ctl_reply(call, json_pack("{s:o}", "settings", settings), false);
}

void
configcalls_on_reload(void *owner, struct ctl_call *call, const json_t *params)
{
	struct engine *e = owner;
	struct err why = ERR_NONE;
	int r = -ENOTSUP;

	(void)params;
	asker_log(e, call, LOG_NOTICE, "reload");
	if (e->on_reload != NULL)
		r = e->on_reload(e->owner, true, &why);
	if (r == 0)
		ctl_reply(call, json_object(), false);
	else
		ctl_failed_by(call, &why);
}

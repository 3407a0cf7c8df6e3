// SPDX-License-Identifier: MIT
/*
 * Modes of VMs. A mode by hand is in the record before anything is done about it. Who
 * wants a VM placed by name means it: what else kept it from that ends, as with apply.
 */
#include "config.h"

#include "daemon/vmmode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "ctl/server.h"
#include "daemon/applying.h"
#include "daemon/asker.h"
#include "daemon/engine.h"
#include "daemon/history.h"
#include "daemon/report.h"
#include "place/mode.h"

/* What was asked for. */
struct wish {
	const char *id;
	bool configured; /* no mode of its own any more */
	enum place_mode mode;
	bool permanent; /* it is in the configuration by now */
};

enum place_mode
vmmode_of(const struct engine *e, const struct vm *vm, enum settings_origin *origin)
{
	if (!vm->has_record || !vm->record.has_mode)
		return wishes_mode(e, vm, origin);
	if (origin != NULL)
		*origin = SETTINGS_ORIGIN_RUNTIME;
	return vm->record.mode;
}

/* Returns NULL, or the parameter that is wrong. */
static const char *
read_wish(const json_t *params, struct wish *out)
{
	const char *name = NULL;
	int permanent = 0;
	int mode;

	*out = (struct wish){.id = NULL};
	if (json_get_string(params, "id", &out->id) < 0 || !settings_id_valid(out->id))
		return "id";
	if (json_get_bool(params, "permanent", &permanent) == -EINVAL)
		return "permanent";
	out->permanent = permanent != 0;
	out->configured = json_get_string(params, "mode", &name) == -ENOENT;
	if (out->configured)
		return NULL;
	mode = name != NULL ? place_mode_parse(name) : -1;
	out->mode = (enum place_mode)mode;
	return mode >= 0 ? NULL : "mode";
}

static int
check_configured(const struct engine *e, const struct wish *w, struct err *err)
{
	enum settings_origin origin;
	enum place_mode mode = settings_mode(&e->config, w->id, &origin);
	unsigned int line = 0;
	const char *file = settings_mode_file(&e->config, w->id, &line);

	if (w->configured || (mode == w->mode && origin == SETTINGS_ORIGIN_VM_SECTION))
		return 0;
	return err_set(err, -EINVAL, file, line,
		"VM %s has mode %s by the configuration of this qmpind", w->id,
		place_mode_name(mode));
}

/* Read the configuration again, which must say what is wished. */
static int
make_permanent(struct engine *e, const struct wish *w, struct err *err)
{
	int r = -ENOTSUP;

	if (e->on_reload != NULL)
		r = e->on_reload(e->owner, false, err);
	return r < 0 ? r : check_configured(e, w, err);
}

/* Put it into the record. Returns 0, or a negative errno: then it is as before. */
static int
note(const struct engine *e, struct vm *vm, const struct wish *w, struct err *err)
{
	struct record *record = &vm->record;
	bool had = record->has_mode;
	enum place_mode before = record->mode;
	int r;

	record->has_mode = !w->configured && !w->permanent;
	record->mode = w->mode;
	if (!had && !record->has_mode)
		return 0;
	record->untouched = !vm->touched;
	r = record_save(e->run_dirfd, record, err);
	if (r < 0) {
		record->has_mode = had;
		record->mode = before;
		return r;
	}
	vm->record_dirty = false;
	return 0;
}

/* It is in force: plan by it. */
static void
follow(struct engine *e, struct vm *vm, const struct wish *w)
{
	enum settings_origin origin;
	enum place_mode mode = vmmode_of(e, vm, &origin);
	bool by_hand = origin == SETTINGS_ORIGIN_RUNTIME;
	char text[64];

	(void)snprintf(text, sizeof(text), "mode %s, %s", place_mode_name(mode),
		by_hand ? "until its QEMU ends" : "by the configuration");
	if (!w->configured && mode != PLACE_OFF && mode != PLACE_OBSERVE)
		applying_clear_way(e, vm, true);
	report_vm(vm, LOG_NOTICE, "%s", text);
	history_add(&vm->history, clock_real_us(e->clock), CAUSE_MODE, text);
	engine_kick(e, vm, CAUSE_MODE);
}

static void
set(struct engine *e, struct ctl_call *call, const struct wish *w)
{
	struct vm *vm = engine_find(e, w->id);
	bool known = vm != NULL && vm->has_record;
	struct err why = ERR_NONE;

	if (w->permanent && !known) {
		ctl_reply(call, json_object(), false); /* it counts when it starts */
	} else if (vm == NULL) {
		ctl_vm_not_found(call, w->id);
	} else if (!known) {
		ctl_not_managed(call, w->id,
			vm->note[0] != '\0' ? vm->note
					    : "nothing is known of its threads yet");
	} else if (note(e, vm, w, &why) < 0) {
		ctl_failed_by(call, &why);
	} else {
		follow(e, vm, w);
		ctl_reply(call, json_object(), false);
	}
}

void
vmmode_on_set(void *owner, struct ctl_call *call, const json_t *params)
{
	struct engine *e = owner;
	struct err why = ERR_NONE;
	struct wish wish;
	const char *bad = read_wish(params, &wish);

	if (bad != NULL) {
		ctl_invalid(call, bad);
		return;
	}
	if (e->dry_run) {
		ctl_failed(call, "dry run: nothing is changed");
		return;
	}
	asker_log(e, call, LOG_NOTICE, "mode of VM %s", wish.id);
	if (wish.permanent && make_permanent(e, &wish, &why) < 0)
		ctl_failed_by(call, &why);
	else
		set(e, call, &wish);
}

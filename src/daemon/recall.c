// SPDX-License-Identifier: MIT
/*
 * Between what is in force (struct wishes) and what is in the record. Invariant: a VM's
 * own word is on disk before it is followed, so whoever starts anew knows it; where it
 * cannot be written, no mask is set, and it is tried again.
 */
#include "config.h"

#include "daemon/recall.h"

#include "daemon/engine.h"
#include "daemon/hearing.h"
#include "daemon/pvewatch.h"
#include "daemon/report.h"
#include "daemon/vmmode.h"

/* Enough for a pmxcfs that is restarted, also by somebody who has to notice first. Not
 * for ever: nobody may come, and the place of one that was removed may be left. */
#define PATIENCE_US UINT64_C(120000000)

/* ---- what was known ---- */

static struct record_wish
wish_of(const struct wishes *w)
{
	static const enum record_by origins[] = {
		[OPTIN_BY_NOBODY] = RECORD_BY_NOBODY,
		[OPTIN_BY_TAG] = RECORD_BY_TAG,
		[OPTIN_BY_DESCRIPTION] = RECORD_BY_DESCRIPTION,
	};
	const struct optin *o = &w->optin;
	struct record_wish wish = {
		.known = true,
		.by = origins[o->by],
		.has_mode = o->has_mode,
		.mode = o->mode,
		.has_smt = o->has_smt,
		.smt = o->smt,
		.has_emulator = o->has_emulator,
		.emulator = o->emulator,
		.pinning = w->pinning,
		.has_affinity = w->affinity != NULL,
	};

	if (w->affinity != NULL)
		wish.affinity = *w->affinity;
	return wish;
}

struct optin
recall_optin(const struct vm *vm)
{
	static const enum optin_by origins[] = {
		[RECORD_BY_NOBODY] = OPTIN_BY_NOBODY,
		[RECORD_BY_TAG] = OPTIN_BY_TAG,
		[RECORD_BY_DESCRIPTION] = OPTIN_BY_DESCRIPTION,
	};
	const struct record_wish *wish = &vm->record.wish;

	return (struct optin){
		.by = origins[wish->by],
		.has_mode = wish->has_mode,
		.mode = wish->mode,
		.has_smt = wish->has_smt,
		.smt = wish->smt,
		.has_emulator = wish->has_emulator,
		.emulator = wish->emulator,
	};
}

void
recall_take(struct engine *e, struct vm *vm)
{
	const struct record_wish *wish = &vm->record.wish;
	struct wishes *w = &vm->wishes;

	if (w->read || w->recalled || !wish->known || e->wishing.watch == NULL)
		return;
	w->recalled = true;
	w->pinning = wish->pinning;
	w->affinity = wish->has_affinity ? wishes_keep(&wish->affinity) : NULL;
	hearing_recall(e, vm);
}

void
recall_keep(const struct engine *e, struct vm *vm)
{
	static const struct record_wish nothing = {.known = true};
	struct record *r = &vm->record;
	const struct record_wish before = r->wish;
	bool was_untouched = r->untouched;
	struct err why = ERR_NONE;

	vm->wishes.unkept = false;
	if (e->dry_run || !vm->wishes.read)
		return;
	r->wish = wish_of(&vm->wishes);
	if (record_wish_equal(&before, &r->wish))
		return;
	/* there is no file, and no need of one */
	if (!vm->touched && !r->untouched && record_wish_equal(&r->wish, &nothing))
		return;
	r->untouched = !vm->touched;
	if (record_save(e->run_dirfd, r, &why) == 0) {
		vm->record_dirty = false;
		return;
	}
	r->wish = before;
	r->untouched = was_untouched;
	vm->wishes.unkept = true;
	report_trouble(vm, &why);
}

/* ---- what is not known ---- */

/* What the administrator says of this very VM needs no word of its own. */
static bool
is_settled_otherwise(const struct engine *e, const struct vm *vm)
{
	enum settings_origin origin;

	(void)vmmode_of(e, vm, &origin);
	return origin == SETTINGS_ORIGIN_VM_SECTION ||
	       origin == SETTINGS_ORIGIN_RUNTIME;
}

bool
recall_waits(const struct engine *e, const struct vm *vm)
{
	const struct wishes *w = &vm->wishes;
	struct pvewatch *watch = e->wishing.watch;

	if (watch == NULL || w->read || w->recalled || vm->overruled)
		return false;
	/* one that is placed stays where it is */
	if ((vm->has_record && vm->record.placed) || is_settled_otherwise(e, vm))
		return false;
	return pvewatch_is_silent(watch, vm->id) &&
	       clock_now_us(e->clock) - vm->found_us < PATIENCE_US;
}

void
recall_look(struct engine *e)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *vm = e->vms[i];

		if (!vm->wishes.unheard || recall_waits(e, vm))
			continue;
		vm->wishes.unheard = false;
		engine_kick(e, vm, CAUSE_CONFIG);
	}
}

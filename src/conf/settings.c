// SPDX-License-Identifier: MIT
/*
 * Settings from texts. What a key means is option_table.c's, what a line is
 * inifile.c's, which file overrides which is sources.c's; here is where values go, and
 * the look-up.
 */
#include "config.h"

#include "conf/settings.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "conf/inifile.h"
#include "conf/option_table.h"
#include "conf/option_value.h"
#include "conf/sources.h"

/* A file being read. */
struct load {
	struct settings *config;
	enum settings_origin origin;
	struct settings_vm *vm; /* NULL in other sections */
	unsigned int file;	/* as in struct settings_place */
};

static void *
at_offset(void *base, size_t offset)
{
	return (char *)base + offset;
}

void
settings_init(struct settings *c)
{
	size_t n;
	const struct option_def *o = option_table(&n);

	*c = (struct settings){.mode_origin = SETTINGS_ORIGIN_DEFAULT};
	for (size_t i = 0; i < n; i++) {
		struct inifile_item item = {.file = "default", .value = o[i].fallback};
		int r = option_value_read(
			&o[i], &item, at_offset(c, o[i].offset), NULL);

		assert(r == 0);
	}
}

void
settings_fini(struct settings *c)
{
	xfree_texts(c->warnings, c->n_warnings);
	xfree_texts(c->files, c->n_files);
	free(c->vms);
	*c = (struct settings){0};
}

/* Keep a warning; @w has passed err_set, which made it safe to print. */
static void
add_warning(struct settings *c, const struct err *w)
{
	char line[512]; /* longest that err_format writes */
	bool last;

	if (c->n_warnings >= SETTINGS_WARNINGS_MAX)
		return;
	c->warnings = xgrow(
		c->warnings, c->n_warnings, &c->cap_warnings, sizeof(c->warnings[0]));
	last = c->n_warnings + 1 == SETTINGS_WARNINGS_MAX;
	c->warnings[c->n_warnings++] =
		xstrdup(last ? "more warnings are left out"
			     : err_format(w, line, sizeof(line)));
}

/* Index of the first VM at or above @id. */
static size_t
vm_position(const struct settings *c, const char *id)
{
	size_t low = 0;
	size_t high = c->n_vms;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(c->vms[middle].id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct settings_vm *
find_vm(const struct settings *c, const char *id)
{
	size_t at = vm_position(c, id);

	return at < c->n_vms && strcmp(c->vms[at].id, id) == 0 ? &c->vms[at] : NULL;
}

static struct settings_vm *
add_vm(struct settings *c, const char *id)
{
	size_t at = vm_position(c, id);

	c->vms = xgrow(c->vms, c->n_vms, &c->cap_vms, sizeof(c->vms[0]));
	memmove(&c->vms[at + 1], &c->vms[at], (c->n_vms - at) * sizeof(c->vms[0]));
	c->n_vms++;
	c->vms[at] = (struct settings_vm){.has_mode = false};
	str_copy(c->vms[at].id, sizeof(c->vms[at].id), id);
	return &c->vms[at];
}

bool
settings_id_valid(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(id);

	return len > 0 && len < SETTINGS_ID_MAX && strspn(id, allowed) == len;
}

static int
enter_vm(struct load *l, const struct inifile_item *item, struct err *e)
{
	const char *id = item->section + strlen("vm ");

	if (!settings_id_valid(id))
		return err_set(e, -EINVAL, item->file, item->line,
			"\"%s\" is not the id of a VM (1 to %u of A-Z a-z 0-9 . _ -)",
			id, SETTINGS_ID_MAX - 1);
	l->vm = find_vm(l->config, id);
	if (l->vm != NULL)
		return 0;
	if (l->config->n_vms >= SETTINGS_VMS_MAX)
		return err_set(e, -EINVAL, item->file, item->line,
			"more than %u [vm ID] sections", SETTINGS_VMS_MAX);
	l->vm = add_vm(l->config, id);
	return 0;
}

static int
on_ini_section(void *owner, const struct inifile_item *item, struct err *e)
{
	struct load *l = owner;

	l->vm = NULL;
	if (str_has_prefix(item->section, "vm "))
		return enter_vm(l, item, e);
	if (strcmp(item->section, "qmpin") == 0 ||
		strcmp(item->section, "weights") == 0)
		return 0;
	return err_set(e, -EINVAL, item->file, item->line, "unknown section [%s]",
		item->section);
}

static void
warn_about_key(struct settings *c, const struct inifile_item *item)
{
	struct err w = ERR_NONE;

	if (strcmp(item->section, "weights") != 0 && option_table_is_planned(item->key))
		(void)err_set(&w, 0, item->file, item->line,
			"\"%s\" is not implemented in this version and has no effect",
			item->key);
	else
		(void)err_set(&w, 0, item->file, item->line,
			"unknown key \"%s\" in [%s]", item->key, item->section);
	add_warning(c, &w);
}

/* What is said before the cluster's file can be read stays as it is. */
static bool
comes_too_late(
	struct load *l, const struct option_def *o, const struct inifile_item *item)
{
	struct err w = ERR_NONE;

	if (!o->fixed || l->origin != SETTINGS_ORIGIN_CLUSTER)
		return false;
	(void)err_set(&w, 0, item->file, item->line,
		"\"%s\" has an effect in /etc/qmpin only", item->key);
	add_warning(l->config, &w);
	return true;
}

/* A value of [qmpin] or [weights]. */
static int
take_value(struct load *l, const struct option_def *o, const struct inifile_item *item,
	struct err *e)
{
	int r;

	if (comes_too_late(l, o, item))
		return 0;
	r = option_value_read(o, item, at_offset(l->config, o->offset), e);
	if (r < 0)
		return r;
	if (o->offset == offsetof(struct settings, mode))
		l->config->mode_origin = l->origin;
	if (o->offset == offsetof(struct settings, select))
		l->config->select_origin = l->origin;
	l->config->places[option_table_index(o)] =
		(struct settings_place){l->file, item->line};
	return 0;
}

static int
take_vm_value(struct load *l, const struct option_def *o,
	const struct inifile_item *item, struct err *e)
{
	int r = option_value_read(o, item, at_offset(l->vm, o->vm_offset), e);

	if (r < 0)
		return r;
	*(bool *)at_offset(l->vm, o->vm_has) = true;
	l->vm->places[option_table_vm_index(o)] =
		(struct settings_place){l->file, item->line};
	return 0;
}

static int
on_ini_value(void *owner, const struct inifile_item *item, struct err *e)
{
	struct load *l = owner;
	const char *section = l->vm != NULL ? "qmpin" : item->section;
	const struct option_def *o = option_table_find(section, item->key);

	if (o == NULL || (l->vm != NULL && o->vm_offset == 0)) {
		warn_about_key(l->config, item);
		return 0;
	}
	return l->vm != NULL ? take_vm_value(l, o, item, e) : take_value(l, o, item, e);
}

/* Values that follow are from here. */
static struct load
begin(struct settings *c, const char *name, enum settings_origin origin)
{
	c->files = xgrow(c->files, c->n_files, &c->cap_files, sizeof(c->files[0]));
	c->files[c->n_files++] = xstrdup(name);
	return (struct load){
		.config = c, .origin = origin, .file = (unsigned int)c->n_files};
}

int
settings_parse(struct settings *c, const char *text, size_t len, const char *name,
	enum settings_origin origin, struct err *e)
{
	static const struct inifile_handler handler = {on_ini_section, on_ini_value};
	struct load l = begin(c, name, origin);

	return inifile_parse(text, len, name, &handler, &l, e);
}

int
settings_set(struct settings *c, const char *key, const char *value, const char *name,
	struct err *e)
{
	static const char weights[] = "weights.";
	struct load l = begin(c, name, SETTINGS_ORIGIN_CONFIG);
	struct inifile_item item = {
		.file = name, .section = "qmpin", .key = key, .value = value};
	const struct option_def *o;

	if (str_has_prefix(key, weights)) {
		item.section = "weights";
		item.key += strlen(weights);
	}
	o = option_table_find(item.section, item.key);
	if (o != NULL)
		return take_value(&l, o, &item, e);
	return err_set(e, -EINVAL, name, 0, "%s \"%.60s\"%s",
		option_table_is_planned(key) ? "key" : "unknown key", key,
		option_table_is_planned(key) ? " has no effect in this version" : "");
}

int
settings_load(const char *root, const char *file, struct settings *out, struct err *e)
{
	struct sources sources;
	int r = sources_read(root, file, &sources, e);

	if (r < 0)
		return r;
	r = sources_parse(&sources, NULL, out, e);
	sources_fini(&sources);
	return r;
}

const struct settings_vm *
settings_vm_find(const struct settings *c, const char *id)
{
	return find_vm(c, id);
}

enum place_mode
settings_mode(const struct settings *c, const char *id, enum settings_origin *origin)
{
	const struct settings_vm *vm = find_vm(c, id);
	bool own = vm != NULL && vm->has_mode;

	if (origin != NULL)
		*origin = own ? SETTINGS_ORIGIN_VM_SECTION : c->mode_origin;
	return own ? vm->mode : c->mode;
}

const char *
settings_mode_file(const struct settings *c, const char *id, unsigned int *line)
{
	const struct option_def *o = option_table_find("qmpin", "mode");
	const struct settings_vm *vm = find_vm(c, id);
	const struct settings_place *place =
		vm != NULL && vm->has_mode ? &vm->places[option_table_vm_index(o)]
					   : &c->places[option_table_index(o)];

	if (place->file == 0)
		return NULL;
	*line = place->line;
	return c->files[place->file - 1];
}

enum place_smt
settings_smt(const struct settings *c, const char *id)
{
	const struct settings_vm *vm = find_vm(c, id);

	return vm != NULL && vm->has_smt ? vm->smt : c->smt;
}

enum place_emulator
settings_emulator(const struct settings *c, const char *id)
{
	const struct settings_vm *vm = find_vm(c, id);

	return vm != NULL && vm->has_emulator ? vm->emulator : c->emulator;
}

enum share
settings_share(const struct settings *c, const char *id)
{
	const struct settings_vm *vm = find_vm(c, id);

	return vm != NULL && vm->has_share ? vm->share : c->share;
}

enum settings_memory
settings_memory(const struct settings *c, const char *id)
{
	const struct settings_vm *vm = find_vm(c, id);

	return vm != NULL && vm->has_memory ? vm->memory : c->memory;
}

bool
settings_may_migrate(const struct settings *c)
{
	if (c->memory == SETTINGS_MEMORY_MIGRATE)
		return true;
	for (size_t i = 0; i < c->n_vms; i++) {
		if (c->vms[i].has_memory && c->vms[i].memory == SETTINGS_MEMORY_MIGRATE)
			return true;
	}
	return false;
}

struct plan_policy
settings_policy(const struct settings *c)
{
	struct plan_policy p = plan_policy_default();

	p.reserved = c->reserved_cpus;
	p.isolated_usable = c->isolated_cpus;
	p.dedicated_max_pct = c->dedicated_max_pct;
	p.rebalance = c->rebalance == SETTINGS_REBALANCE_YES;
	p.rebalance_gain_pct = c->rebalance_gain_pct;
	p.rebalance_dwell_s = c->rebalance_dwell_s;
	for (unsigned int t = 0; t < N_TERMS; t++)
		p.weights[t] = c->weights[t];
	return p;
}

const char *
settings_origin_name(enum settings_origin origin)
{
	static const char *const names[] = {
		[SETTINGS_ORIGIN_DEFAULT] = "default",
		[SETTINGS_ORIGIN_CLUSTER] = "cluster",
		[SETTINGS_ORIGIN_CONFIG] = "config",
		[SETTINGS_ORIGIN_TAG] = "tag",
		[SETTINGS_ORIGIN_DESCRIPTION] = "description",
		[SETTINGS_ORIGIN_VM_SECTION] = "vm_section",
		[SETTINGS_ORIGIN_RUNTIME] = "runtime",
	};

	return names[origin];
}

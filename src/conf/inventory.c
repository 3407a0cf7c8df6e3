// SPDX-License-Identifier: MIT
/* All settings with their values and places, by way of the table of options. Pure. */
#include "config.h"

#include "conf/inventory.h"

#include <stdlib.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "conf/option_table.h"

struct inventory {
	const struct settings *config;
	inventory_handle *handle;
	void *arg;
};

static const void *
at_offset(const void *base, size_t offset)
{
	return (const char *)base + offset;
}

static void
tell(const struct inventory *v, const char *key, const struct option_def *o,
	const void *member, const struct settings_place *place)
{
	auto_free char *value = option_value_text(o, member);
	bool set = place->file > 0;

	v->handle(
		v->arg, &(struct inventory_item){
				.key = key,
				.value = value,
				.file = set ? v->config->files[place->file - 1] : NULL,
				.line = place->line,
				.text = o->text,
			});
}

static void
tell_option(const struct inventory *v, const struct option_def *o)
{
	const char *section = option_table_section(o);
	auto_free char *key = str_equal(section, "qmpin")
				      ? xstrdup(o->key)
				      : xasprintf("%s.%s", section, o->key);

	tell(v, key, o, at_offset(v->config, o->offset),
		&v->config->places[option_table_index(o)]);
}

static void
tell_vm(const struct inventory *v, const struct settings_vm *vm,
	const struct option_def *o)
{
	auto_free char *key = NULL;

	if (o->vm_offset == 0 || !*(const bool *)at_offset(vm, o->vm_has))
		return;
	key = xasprintf("vm %s.%s", vm->id, o->key);
	tell(v, key, o, at_offset(vm, o->vm_offset),
		&vm->places[option_table_vm_index(o)]);
}

void
inventory_each(const struct settings *c, inventory_handle *handle, void *arg)
{
	const struct inventory v = {c, handle, arg};
	size_t n;
	const struct option_def *table = option_table(&n);

	for (size_t i = 0; i < n; i++)
		tell_option(&v, &table[i]);
	for (size_t k = 0; k < c->n_vms; k++) {
		for (size_t i = 0; i < n; i++)
			tell_vm(&v, &c->vms[k], &table[i]);
	}
}

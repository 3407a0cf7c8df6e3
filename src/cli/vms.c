// SPDX-License-Identifier: MIT
/* The VMs of ListVMs as a sorted JSON array. Pure. */
#include "config.h"

#include "cli/vms.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static bool
is_number(const char *id)
{
	return *id != '\0' && id[strspn(id, "0123456789")] == '\0';
}

/* By digits, not by value: an id may be longer than any integer. */
int
vms_compare_ids(const char *a, const char *b)
{
	bool numbers = is_number(a);

	if (numbers != is_number(b))
		return numbers ? -1 : 1;
	if (numbers) {
		const char *x = a + strspn(a, "0");
		const char *y = b + strspn(b, "0");

		if (strlen(x) != strlen(y))
			return strlen(x) < strlen(y) ? -1 : 1;
		if (strcmp(x, y) != 0)
			return strcmp(x, y);
	}
	return strcmp(a, b);
}

static const char *
id_of(const json_t *vm)
{
	const char *id = json_string_value(json_object_get(vm, "id"));

	return id != NULL ? id : "";
}

static int
compare_vms(const void *a, const void *b)
{
	return vms_compare_ids(id_of(*(json_t *const *)a), id_of(*(json_t *const *)b));
}

json_t *
vms_sorted(const json_t *list)
{
	size_t n = json_array_size(list);
	json_t **vms = xcalloc(n, sizeof(json_t *));
	json_t *sorted = json_array();
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (json_is_object(json_array_get(list, i)))
			vms[kept++] = json_array_get(list, i);
	}
	qsort(vms, kept, sizeof(json_t *), compare_vms);
	for (size_t i = 0; i < kept; i++)
		json_array_append(sorted, vms[i]);
	free(vms);
	return sorted;
}

bool
vms_on_reply(void *list, const json_t *reply)
{
	json_t *vms = json_object_get(reply, "vms");

	if (json_is_array(vms))
		(void)json_array_extend(list, vms);
	return true;
}

// SPDX-License-Identifier: MIT
/*
 * What a Proxmox cluster says beside the configurations of VMs: its counters, which VM
 * is where, and the small pieces that its texts are made of.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "parts.h"
#include "pve/pciaddr.h"
#include "pve/pvetext.h"
#include "pve/vmlist.h"

#define TAGS_MAX 5u

static void
check_stamp(const char *bytes, size_t len)
{
	struct vmlist_stamp s = {7, 7};
	int r = vmlist_stamp_parse(bytes, len, &s);

	assert(r == 0 || (r == -EBADMSG && s.start == 7 && s.count == 7));
}

static void
check_vmlist(const char *bytes, size_t len)
{
	struct vmlist l = {NULL, NULL};

	if (vmlist_parse(bytes, len, &l) < 0) {
		assert(l.root == NULL && l.ids == NULL);
		return;
	}
	for (unsigned int vmid = 100; vmid < 110; vmid++) {
		struct vmlist_place place = {.node = "?"};
		int r = vmlist_find(&l, vmid, &place);

		assert(r == 0 || r == -ENOENT || r == -EBADMSG);
		assert((r < 0) == (place.node[0] == '?'));
		assert(r < 0 || (place.node[0] != '\0' && place.node[0] != '.' &&
					strchr(place.node, '/') == NULL));
	}
	vmlist_fini(&l);
}

static void
check_pci(const char *bytes, size_t len)
{
	char again[PCIADDR_MAX];
	char out[PCIADDR_MAX] = "?";
	int r = pciaddr_parse((struct pvetext){bytes, len}, out);

	assert(r == 0 || (r == -EINVAL && strcmp(out, "?") == 0));
	if (r < 0)
		return;
	assert(strspn(out, "0123456789abcdef:.") == strlen(out));
	r = pciaddr_parse((struct pvetext){out, strlen(out)}, again);
	assert(r == 0 && strcmp(out, again) == 0);
}

static void
check_value(struct pvetext t)
{
	uint64_t n = 7;
	double x = -7;
	bool yes = true;
	struct cpuset set = cpuset_of(7);

	assert(pvetext_uint(t, 1000, &n) == 0 ? n <= 1000 : n == 7);
	assert(pvetext_number(t, 1000, &x) == 0 ? x >= 0 && x <= 1000 : x == -7);
	if (pvetext_bool(t, &yes) < 0)
		assert(yes);
	if (pvetext_set(t, ",;", &set) == 0)
		assert(!cpuset_empty(&set));
	else
		assert(cpuset_has(&set, 7) && cpuset_count(&set) == 1);
}

static void
check_tags(struct pvetext t)
{
	char **tags = NULL;
	size_t n_bad = 0;
	size_t n = 0;

	pvetext_tags(t, TAGS_MAX, &tags, &n, &n_bad);
	assert(n <= TAGS_MAX && (tags == NULL) == (n == 0));
	for (size_t i = 0; i < n; i++) {
		assert(tags[i][0] != '\0' && strpbrk(tags[i], ";, \t\n") == NULL);
		for (const char *p = tags[i]; *p != '\0'; p++)
			assert(!isupper((unsigned char)*p));
		free(tags[i]);
	}
	free(tags);
}

/* Lines with their keys, properties and items. */
static void
check_text(const char *bytes, size_t len)
{
	struct pvetext rest = {bytes, len};
	struct pvetext line;

	while (pvetext_line(&rest, &line)) {
		auto_free char *copy = pvetext_dup(line, 40);
		struct pvetext key;
		struct pvetext value;
		struct pvetext item;

		assert(line.len == 0 || memchr(line.s, '\n', line.len) == NULL);
		assert(copy == NULL || strlen(copy) == line.len);
		(void)pvetext_is_section(line);
		if (!pvetext_split(line, &key, &value))
			continue;
		assert(key.len > 0 && key.s >= line.s);
		assert(value.len == pvetext_trim(value).len);
		check_value(value);
		check_tags(value);
		if (pvetext_property(value, "policy", true, &item) == 0)
			check_value(item);
		while (pvetext_item(&value, ",;", &item))
			check_value(pvetext_trim(item));
	}
	assert(rest.len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static parts_check *const parts[] = {
		check_stamp, check_vmlist, check_pci, check_text};

	parts_run(parts, ARRAY_LEN(parts), data, size);
	return 0;
}

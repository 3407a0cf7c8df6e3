// SPDX-License-Identifier: MIT
/*
 * Configurations of VMs: whatever the text, all that is told keeps to its caps, what is
 * to be printed is safe to be, and paths are made of nothing else than digits.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pve/pinners.h"
#include "pve/vmconf.h"

static void
check_printable(const char *s)
{
	for (; *s != '\0'; s++)
		assert(*s >= 0x20 && *s <= 0x7e);
}

static void
check_strings(const struct vmconf *c)
{
	assert(c->n_tags <= VMCONF_TAGS_MAX && c->n_pci <= VMCONF_PCI_MAX);
	assert(c->n_warnings <= VMCONF_WARNINGS_MAX);
	for (size_t i = 0; i < c->n_tags; i++) {
		check_printable(c->tags[i]);
		assert(c->tags[i][0] != '\0' && strpbrk(c->tags[i], " ;,A/") == NULL);
	}
	for (size_t i = 0; i < c->n_pci; i++) {
		size_t len = strlen(c->pci[i]);

		assert(len >= strlen("0000:00:00"));
		assert(strspn(c->pci[i], "0123456789abcdef:.") == len);
	}
	for (size_t i = 0; i < c->n_warnings; i++) {
		check_printable(c->warnings[i]);
		assert(strlen(c->warnings[i]) < 200);
	}
	if (c->description != NULL)
		assert(c->description[strlen(c->description) - 1] == '\n');
}

static void
check_numbers(const struct vmconf *c)
{
	assert(c->cores >= 1 && c->sockets >= 1);
	assert((uint64_t)c->cores * c->sockets <= UINT32_MAX);
	assert(c->cpulimit >= 0 && c->cpulimit < 1e6);
	assert(c->has_affinity == !cpuset_empty(&c->affinity));
	assert(c->n_nodes <= VMCONF_NODES_MAX);
	for (unsigned int i = 0; i < c->n_nodes; i++) {
		assert(c->nodes[i].id < VMCONF_NODES_MAX);
		assert(i == 0 || c->nodes[i].id > c->nodes[i - 1].id);
		assert(!cpuset_empty(&c->nodes[i].vcpus));
	}
}

static void
check_pinners(const struct vmconf *c, const char *storage)
{
	char path[PINNERS_PATH_MAX];

	if (c->args != NULL)
		(void)pinners_in_args(c->args);
	(void)pinners_in_script(storage);
	if (c->hookscript != NULL && pinners_script_path(storage, c->hookscript, path))
		assert(path[0] == '/' && strlen(path) < sizeof(path));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *exact = xcalloc(size, 1);
	auto_free char *storage = NULL;
	struct vmconf c;

	if (size > 0)
		memcpy(exact, data, size);
	if (vmconf_parse(exact, size, &c) < 0)
		return 0;
	storage = xmemdupz(exact, size);
	check_strings(&c);
	check_numbers(&c);
	check_pinners(&c, storage);
	vmconf_fini(&c);
	return 0;
}

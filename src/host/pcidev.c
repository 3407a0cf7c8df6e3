// SPDX-License-Identifier: MIT
/* NUMA nodes of devices: small files of sysfs. */
#include "config.h"

#include "host/pcidev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "host/textfile.h"

#define FUNCTIONS 8u
#define NUMBER_BYTES 16u

static void
add_node(const char *path, struct cpuset *nodes)
{
	auto_free char *text = NULL;
	uint64_t node;

	if (textfile_read(path, NUMBER_BYTES, &text, NULL) == 0 &&
		str_parse_uint(text, CPUSET_CAP - 1, &node) == 0)
		cpuset_add(nodes, (unsigned int)node);
}

static void
add_pci(const char *root, const char *address, struct cpuset *nodes)
{
	auto_free char *path =
		xasprintf("%s/sys/bus/pci/devices/%s/numa_node", root, address);

	add_node(path, nodes);
}

void
pcidev_add_nodes(const char *root, const char *name, struct cpuset *nodes)
{
	if (name[0] == '.' || strspn(name, "0123456789abcdefABCDEF:.-") != strlen(name))
		return; /* it would be a path */
	if (strchr(name, ':') == NULL) {
		/* the link leads into the directory of the device it is made of */
		auto_free char *path = xasprintf(
			"%s/sys/bus/mdev/devices/%s/../numa_node", root, name);

		add_node(path, nodes);
	} else if (strchr(name, '.') != NULL) {
		add_pci(root, name, nodes);
	} else {
		for (unsigned int i = 0; i < FUNCTIONS; i++) {
			auto_free char *function = xasprintf("%s.%u", name, i);

			add_pci(root, function, nodes);
		}
	}
}

// SPDX-License-Identifier: MIT
/*
 * The kernel's files about CPUs, nodes and the processor, as in a tree that a user
 * brings: each of the input's pieces, which end in NUL, is a letter for the file and
 * its text. What is accepted fits together.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "host/cpuident.h"
#include "host/sysfs.h"
#include "trees.h"

/* 'a' is the first. */
static const char *const files[] = {TREES_SYSTEM "cpu/online",
	TREES_SYSTEM "cpu/present", TREES_SYSTEM "cpu/isolated",
	TREES_SYSTEM "cpu/nohz_full", TREES_SYSTEM "cpu/cpu0/online",
	TREES_SYSTEM "cpu/cpu0/topology/thread_siblings_list",
	TREES_SYSTEM "cpu/cpu1/topology/core_cpus", TREES_SYSTEM "node/online",
	TREES_SYSTEM "node/node0/cpulist", TREES_SYSTEM "node/node0/meminfo",
	TREES_SYSTEM "node/node0/distance", TREES_SYSTEM "node/node1/cpumap",
	TREES_SYSTEM "node/node1/distance", "sys/fs/cgroup/cpuset.cpus.isolated",
	"proc/cpuinfo", TREES_SYSTEM "cpu/cpu0/microcode/version"};

static void
write_files(const char *root, const char *bytes, size_t size)
{
	while (size > 0) {
		size_t len = strnlen(bytes, size);
		size_t file = (unsigned char)(bytes[0] - 'a') % ARRAY_LEN(files);

		if (len > 0)
			trees_write_bytes(root, files[file], bytes + 1, len - 1);
		len += len < size;
		bytes += len;
		size -= len;
	}
}

static void
check_nodes(const struct sysfs_facts *f)
{
	for (unsigned int i = 0; i < f->n_nodes; i++) {
		assert(f->nodes[i].facts.id < TOPO_NODE_ID_CAP);
		assert(i == 0 || f->nodes[i - 1].facts.id < f->nodes[i].facts.id);
	}
	for (unsigned int i = 0; f->distances != NULL && i < f->n_nodes * f->n_nodes;
		i++)
		assert(f->distances[i] <= 65535);
}

static void
check_facts(const char *root)
{
	struct sysfs_facts f;
	struct cpuset online;
	struct err e = ERR_NONE;
	int r = sysfs_read(root, &f, &e);

	assert((r < 0) == err_is_set(&e));
	if (r < 0)
		return;
	assert(!cpuset_empty(&f.online) && !cpuset_overlap(&f.online, &f.offline));
	assert(cpuset_within(&f.isolcpus, &f.isolated));
	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu++) {
		int core = f.core_of[cpu];

		assert(core == TOPO_NONE || cpuset_has(&f.online, (unsigned int)core));
		assert(core == TOPO_NONE || cpuset_has(&f.online, cpu));
	}
	check_nodes(&f);
	r = sysfs_online(root, &online, &e);
	assert(r == 0 && cpuset_equal(&online, &f.online));
	sysfs_fini(&f);
}

static void
check_text(const char text[CPUIDENT_TEXT_MAX])
{
	assert(memchr(text, '\0', CPUIDENT_TEXT_MAX) != NULL);
	for (const char *p = text; *p != '\0'; p++)
		assert(*p >= 0x20 && *p <= 0x7e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *root = trees_new();
	struct cpuident id = {.asked = false};

	write_files(root, (const char *)data, size);
	check_facts(root);
	cpuident_read(root, &id);
	check_text(id.vendor);
	check_text(id.brand);
	check_text(id.microcode);
	trees_remove(root);
	return 0;
}

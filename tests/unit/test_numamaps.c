// SPDX-License-Identifier: MIT
/* Memory of processes and nodes, as the kernel writes it and otherwise. */
#include "config.h"

#include "host/numamaps.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "host/nodemem.h"
#include "trees.h"

static const char maps[] =
	"55b7b6ca2000 default heap anon=4 dirty=4 active=0 N0=4 kernelpagesize_kB=4\n"
	"55b79f172000 default file=/usr/bin/qemu mapped=2 N0=900 kernelpagesize_kB=4\n"
	"7f0000000000 bind:2 file=/memfd:ram\\040(deleted) dirty=8 N1=5 N12=3 "
	"kernelpagesize_kB=4\n"
	"7f1000000000 bind:1 file=/dev/hugepages/ram huge dirty=3 N1=3 "
	"kernelpagesize_kB=2048\n"
	"7f2000000000 default file=/dev/shm/x dirty=1 N3=1 kernelpagesize_kB=4\n"
	"7f3000000000 default\n";

static void
small_and_huge_pages_count_and_mapped_files_do_not(void **state)
{
	uint64_t bytes[NUMAMAPS_NODES_MAX] = {0};
	unsigned int n = 0;

	(void)state;
	assert_int_equal(numamaps_add(maps, bytes, &n), 0);
	assert_int_equal(n, 13);
	assert_int_equal(bytes[0], 4 * 4096);
	assert_int_equal(bytes[1], 5 * 4096 + 3 * (2u << 20));
	assert_int_equal(bytes[3], 4096);
	assert_int_equal(bytes[12], 3 * 4096);
}

static void
numbers_that_cannot_be_are_refused(void **state)
{
	static const char *const texts[] = {
		"1 default anon=1 N1024=1 kernelpagesize_kB=4\n",
		"1 default anon=1 N99999999999999999999=1 kernelpagesize_kB=4\n",
		"1 default anon=1 N0=-1 kernelpagesize_kB=4\n",
		"1 default anon=1 N0=1 kernelpagesize_kB=x\n",
		"1 default anon=1 N0=1099511627776 kernelpagesize_kB=2048\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		uint64_t bytes[NUMAMAPS_NODES_MAX] = {0};
		unsigned int n = 0;

		if (numamaps_add(texts[i], bytes, &n) == 0)
			fail_msg("taken: %s", texts[i]);
	}
}

static void
damaged_texts_do_no_harm(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 3000; seed++) {
		uint64_t bytes[NUMAMAPS_NODES_MAX] = {0};
		auto_free char *copy = xstrdup(maps);
		unsigned int n = 0;

		copy[seed * 7919u % (sizeof(maps) - 1)] = (char)(1 + seed % 127);
		(void)!numamaps_add(copy, bytes, &n);
		assert_true(n <= NUMAMAPS_NODES_MAX);
	}
}

static void
memory_that_was_touched_is_seen(void **state)
{
	auto_close int procfd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cgroup_memory m;
	uint64_t sum = 0;
	size_t size = 8u << 20;
	char *p;
	int r;

	(void)state;
	p = mmap(
		NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED);
	memset(p, 1, size);
	r = numamaps_read(procfd, getpid(), &m);
	(void)munmap(p, size);
	if (r == -EFBIG || r == -ENOENT || r == -ESRCH)
		skip(); /* a sanitizer's shadow, or a kernel without nodes */
	assert_int_equal(r, 0);
	for (unsigned int i = 0; i < m.n_nodes; i++)
		sum += m.bytes[i];
	assert_true(sum >= size);
	cgroup_memory_fini(&m);
}

static void
a_large_process_is_not_read(void **state)
{
	char *dir = trees_new();
	auto_free char *proc = xasprintf("%s/proc", dir);
	struct cgroup_memory m;
	int procfd;

	(void)state;
	trees_write(dir, "proc/7/statm", "9000000 8000000 1 1 0 1 0\n");
	trees_write(dir, "proc/7/numa_maps", maps);
	trees_write(dir, "proc/8/statm", "9000000 80 1 1 0 1 0\n");
	trees_write(dir, "proc/8/numa_maps", maps);
	procfd = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(numamaps_read(procfd, 7, &m), -EFBIG);
	assert_int_equal(numamaps_read(procfd, 9, &m), -ESRCH);
	assert_int_equal(numamaps_read(procfd, 8, &m), 0);
	assert_int_equal(m.n_nodes, 13);
	cgroup_memory_fini(&m);
	(void)close(procfd);
	trees_remove(dir);
}

static void
nodes_tell_their_memory(void **state)
{
	char *dir = trees_new();
	struct nodemem m;

	(void)state;
	trees_write(dir, "sys/devices/system/node/node1/meminfo",
		"Node 1 MemTotal:       16318124 kB\nNode 1 MemFree:  123 kB\n");
	trees_write(dir, "sys/devices/system/node/node2/meminfo", "");
	assert_int_equal(nodemem_read(dir, 1, &m), 0);
	assert_int_equal(m.total_kib, 16318124);
	assert_int_equal(m.free_kib, 123);
	assert_int_equal(nodemem_read(dir, 2, &m), -ENOENT);
	assert_int_equal(nodemem_read(dir, 3, &m), -ENOENT);
	assert_int_equal(nodemem_parse("Node 0 MemTotal: -3 kB\n", &m), -EINVAL);
	assert_int_equal(nodemem_parse("Node 0 MemTotal: 3\n", &m), -EINVAL);
	assert_int_equal(nodemem_parse("Node 0 MemTotal: 7 kB\n", &m), 0);
	assert_int_equal(m.free_kib, 7);
	trees_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_and_huge_pages_count_and_mapped_files_do_not),
		cmocka_unit_test(numbers_that_cannot_be_are_refused),
		cmocka_unit_test(damaged_texts_do_no_harm),
		cmocka_unit_test(memory_that_was_touched_is_seen),
		cmocka_unit_test(a_large_process_is_not_read),
		cmocka_unit_test(nodes_tell_their_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* What a change of masks looks like: on an imaginary host of 16 CPUs in two nodes. */
#include "config.h"

#include "daemon/drift.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/attr.h"

#define VCPUS 4u
#define THREADS 6u /* the vCPUs, an iothread and the main thread */

struct host {
	struct topo_node nodes[2];
	struct topo topo;
	struct cpuset want[THREADS];
	struct cpuset have[THREADS];
	struct drift_thread threads[THREADS];
};

static struct cpuset
set_of(const char *text)
{
	struct cpuset set;

	assert_int_equal(cpuset_parse(text, &set), 0);
	return set;
}

static const enum thread_class classes[THREADS] = {THREAD_VCPU, THREAD_VCPU,
	THREAD_VCPU, THREAD_VCPU, THREAD_IOTHREAD, THREAD_EMULATOR};

/* All as wanted: vCPUs on the first four CPUs, one each, the others beside them. */
static void
make_host(struct host *h)
{
	*h = (struct host){
		.nodes = {{.id = 0, .cpus = set_of("0-7")},
			{.id = 1, .cpus = set_of("8-15")}},
	};
	h->topo = (struct topo){
		.online = set_of("0-15"), .n_nodes = 2, .nodes = h->nodes};
	for (unsigned int i = 0; i < THREADS; i++) {
		h->want[i] = i < VCPUS ? cpuset_of(i) : set_of("4-7");
		h->have[i] = h->want[i];
		h->threads[i] =
			(struct drift_thread){classes[i], &h->want[i], &h->have[i]};
	}
}

struct change {
	const char *set[THREADS]; /* NULL: left as it was */
	const char *allowed;	  /* by the cgroup; NULL: unknown */
	bool shaken;
	unsigned int vms;
	enum drift_kind kind;
	const char *text;
};

#define ALL(mask)                                  \
	{                                          \
		mask, mask, mask, mask, mask, mask \
	}

static const struct change changes[] = {
	{.kind = DRIFT_NONE},
	{ALL("0-15"), .vms = 1, .kind = DRIFT_ALL,
		.text = "all 6 threads set to 0-15 at once, as taskset -a does"},
	{ALL("2-5"), .vms = 3, .kind = DRIFT_ALL,
		.text = "all 6 threads set to 2-5 at once in 3 VMs, as a cpuset of their "
			"slice does"},
	{ALL("8-15"), .vms = 1, .kind = DRIFT_NODE,
		.text = "all 6 threads set to 8-15 at once, the CPUs of whole nodes, as "
			"numad does"},
	/* two of them had it already */
	{{"4-7", "4-7", "4-7", "4-7"}, .vms = 1, .kind = DRIFT_ALL,
		.text = "all 6 threads set to 4-7 at once, as taskset -a does"},
	/* the few that had another one */
	{{NULL, NULL, NULL, NULL, "1", "1"}, .vms = 1, .kind = DRIFT_SOME,
		.text = "2 of 6 threads set to 1 at once"},
	{{NULL, "9"}, .vms = 1, .kind = DRIFT_THREAD,
		.text = "only one vCPU set to 9, as taskset -p does"},
	{{NULL, NULL, NULL, NULL, "9"}, .vms = 1, .kind = DRIFT_THREAD,
		.text = "only one iothread set to 9, as taskset -p does"},
	{{NULL, NULL, NULL, NULL, NULL, "0-15"}, .vms = 1, .kind = DRIFT_MAIN,
		.text = "only the main thread set to 0-15, as taskset -p does"},
	{{"8", "9", "10", "11"}, .vms = 1, .kind = DRIFT_VCPUS,
		.text = "all 4 vCPUs, nothing else, set to different CPUs at once, as "
			"another manager of vCPUs does"},
	{{"8-11", "8-11", "8-11", "8-11"}, .vms = 1, .kind = DRIFT_VCPUS,
		.text = "all 4 vCPUs, nothing else, set to 8-11 at once, as another "
			"manager of vCPUs does"},
	{{"8", NULL, "9", NULL, NULL, "1"}, .vms = 1, .kind = DRIFT_SOME,
		.text = "3 of 6 threads set to different CPUs at once"},
	/* vCPU 0 alone now runs where the others always did: nobody set them all */
	{{"8", "8", NULL, NULL, NULL, NULL}, .vms = 1, .kind = DRIFT_SOME,
		.text = "2 of 6 threads set to 8 at once"},
	/* kernels before 6.2: all of the cpuset */
	{ALL("4-7,9"), .allowed = "4-7,9", .vms = 1, .kind = DRIFT_CPUSET,
		.text = "all 6 threads set to 4-7,9 at once, the cpuset of its cgroup"},
	/* later ones: what is common, and all of it where that is nothing */
	{{"2-4", "2-4", NULL, NULL, "4", "4"}, .allowed = "2-4", .vms = 1,
		.kind = DRIFT_CPUSET,
		.text = "4 of 6 threads set to different CPUs at once, the cpuset of its "
			"cgroup"},
	/* all at once, but not to what the cgroup says */
	{ALL("2-3"), .allowed = "2-4", .vms = 1, .kind = DRIFT_ALL,
		.text = "all 6 threads set to 2-3 at once, as taskset -a does"},
	/* a cgroup of all CPUs explains nothing */
	{ALL("0-15"), .allowed = "0-15", .vms = 1, .kind = DRIFT_ALL,
		.text = "all 6 threads set to 0-15 at once, as taskset -a does"},
	{{NULL, "0-15", "0-15"}, .shaken = true, .vms = 1, .kind = DRIFT_KERNEL,
		.text = "2 of 6 threads set to 0-15 at once: the kernel widens threads "
			"whose CPUs go offline"},
	{{NULL, "0-7"}, .allowed = "0-7", .shaken = true, .vms = 1,
		.kind = DRIFT_KERNEL,
		.text = "only one vCPU set to 0-7: the kernel widens threads whose CPUs "
			"go offline"},
	/* CPUs went, but this was somebody else */
	{{NULL, "0-7"}, .shaken = true, .vms = 1, .kind = DRIFT_THREAD,
		.text = "only one vCPU set to 0-7, as taskset -p does"},
	/* a sleeper whose CPU is offline shows nothing, and that is as it was left */
	{{NULL, "9", ""}, .vms = 1, .kind = DRIFT_SOME,
		.text = "2 of 6 threads set to different CPUs at once"},
};

static void
each_change_is_told_for_what_it_looks_like(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		const struct change *c = &changes[i];
		struct drift_host host = {.shaken = c->shaken};
		struct drift d;
		struct host h;
		char text[192];

		make_host(&h);
		host.topo = &h.topo;
		if (c->allowed != NULL)
			host.allowed = set_of(c->allowed);
		for (unsigned int t = 0; t < THREADS; t++) {
			if (c->set[t] != NULL)
				h.have[t] = set_of(c->set[t]);
		}
		drift_judge(h.threads, THREADS, &host, &d);
		if (d.kind != c->kind)
			fail_msg("change %zu is taken for \"%s\"", i,
				drift_name(d.kind));
		assert_int_equal(d.threads, THREADS);
		if (c->text == NULL)
			continue;
		drift_text(&d, c->vms, text, sizeof(text));
		if (strcmp(text, c->text) != 0)
			fail_msg("change %zu: \"%s\"", i, text);
	}
}

static void
a_mask_of_which_cpus_are_offline_is_not_changed(void **state)
{
	struct drift_host host = {.topo = NULL};
	struct drift d;
	struct host h;

	(void)state;
	make_host(&h);
	host.topo = &h.topo;
	cpuset_remove(&h.topo.online, 0);
	cpuset_remove(&h.topo.online, 4);
	h.have[0] = CPUSET_NONE; /* asleep */
	h.have[4] = h.have[5] = set_of("5-7");
	drift_judge(h.threads, THREADS, &host, &d);
	assert_int_equal(d.kind, DRIFT_NONE);
	assert_int_equal(d.changed, 0);
}

static void
only_changes_of_whole_vms_to_the_same_cpus_are_alike(void **state)
{
	struct drift a = {.kind = DRIFT_ALL, .to = set_of("0-3")};
	struct drift b = a;

	(void)state;
	assert_true(drift_alike(&a, &b));
	b.to = set_of("0-4");
	assert_false(drift_alike(&a, &b));
	b.to = a.to;
	b.kind = DRIFT_NODE;
	assert_false(drift_alike(&a, &b));
	a.kind = b.kind = DRIFT_THREAD;
	assert_false(drift_alike(&a, &b));
	a.kind = b.kind = DRIFT_NONE;
	assert_false(drift_alike(&a, &b));
}

static void
long_masks_are_cut_and_fit(void **state)
{
	struct drift d = {.kind = DRIFT_CPUSET, .changed = 1000, .threads = 4000};
	char text[192];

	(void)state;
	for (unsigned int cpu = 0; cpu < CPUSET_CAP; cpu += 2)
		cpuset_add(&d.to, cpu);
	drift_text(&d, 1000, text, sizeof(text));
	assert_non_null(
		strstr(text, "... at once in 1000 VMs, the cpuset of its cgroup"));
}

static void
every_kind_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned int a = 0; a < DRIFT_N_KINDS; a++) {
		for (unsigned int b = 0; b < a; b++)
			assert_string_not_equal(drift_name((enum drift_kind)a),
				drift_name((enum drift_kind)b));
	}
}

static void
judging_a_thousand_vms_takes_no_time(void **state)
{
	struct drift_host host = {.topo = NULL};
	struct timespec begin;
	struct timespec end;
	struct drift d;
	struct host h;
	double ms;

	(void)state;
	make_host(&h);
	host.topo = &h.topo;
	for (unsigned int t = 0; t < THREADS; t++)
		h.have[t] = set_of("0-15");
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	for (unsigned int i = 0; i < 2000; i++) /* of 6 threads: 1000 of 12 */
		drift_judge(h.threads, THREADS, &host, &d);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 +
	     (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
	print_message("1000 VMs of 12 threads, all changed: %.2f ms\n", ms);
	assert_true(ms < 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change_is_told_for_what_it_looks_like),
		cmocka_unit_test(a_mask_of_which_cpus_are_offline_is_not_changed),
		cmocka_unit_test(only_changes_of_whole_vms_to_the_same_cpus_are_alike),
		cmocka_unit_test(long_masks_are_cut_and_fit),
		cmocka_unit_test(every_kind_has_a_name_of_its_own),
		cmocka_unit_test(judging_a_thousand_vms_takes_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

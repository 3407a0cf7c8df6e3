// SPDX-License-Identifier: MIT
/* What VMs say about themselves, whose word counts, and what the planner gets of it. */
#include "config.h"

#include "daemon/wishes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/hearing.h"
#include "daemon/history.h"
#include "daemon/planning.h"
#include "daemon/seating.h"
#include "daemon/vmmode.h"
#include "logcatch.h"
#include "trees.h"
#include "vmtable.h"

struct scene {
	struct vmtable *t;
	struct engine *e;
	struct vm *vm; /* 100 */
};

static int
setup(void **state)
{
	struct scene *s = xcalloc(1, sizeof(*s));

	if (vmtable_setup((void **)&s->t) < 0)
		return -1;
	s->e = &s->t->engine;
	s->vm = s->t->vms[0];
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct scene *s = *state;

	wishes_forget_registered(&s->e->wishing);
	vmtable_teardown((void **)&s->t);
	free(s);
	return 0;
}

static void
hear(struct scene *s, const char *text)
{
	hearing_take(s->e, "100", text, strlen(text));
}

static void
configure(struct scene *s, const char *text)
{
	vmtable_configure(s->t, text);
	hearing_judge_all(s->e);
}

static void
expect_mode_at(const struct scene *s, enum place_mode mode, enum settings_origin origin,
	const char *file, int line)
{
	enum settings_origin from;
	enum place_mode has = vmmode_of(s->e, s->vm, &from);

	if (has != mode || from != origin)
		fail_msg("%s:%d: mode %s (%s)", file, line, place_mode_name(has),
			settings_origin_name(from));
}
#define expect_mode(s, mode, origin) \
	expect_mode_at((s), (mode), SETTINGS_ORIGIN_##origin, __FILE__, __LINE__)

static void
the_stronger_word_counts(void **state)
{
	struct scene *s = *state;

	expect_mode(s, PLACE_AUTO, DEFAULT);
	configure(s, "[qmpin]\nmode = core\ndescription = full\n");
	expect_mode(s, PLACE_CORE, CONFIG);
	hear(s, "tags: qmpin-observe\n");
	expect_mode(s, PLACE_OBSERVE, TAG);
	hear(s, "#qmpin: pin\ntags: qmpin-observe\n");
	expect_mode(s, PLACE_PIN, DESCRIPTION);
	configure(s,
		"[qmpin]\nmode = core\ndescription = full\n[vm 100]\nmode = float\n");
	expect_mode(s, PLACE_FLOAT, VM_SECTION);
	s->vm->has_record = s->vm->record.has_mode = true;
	s->vm->record.mode = PLACE_OFF;
	expect_mode(s, PLACE_OFF, RUNTIME);
	s->vm->has_record = false;
}

static void
what_a_vm_may_not_set_is_refused_and_told_once(void **state)
{
	static const char refused[] = "pin refused: description may not set modes";
	struct scene *s = *state;
	auto_free char *note = NULL;

	hear(s, "#qmpin%3A pin\ncores: 2\n");
	hear(s, "#qmpin%3A pin\ncores: 4\n");
	expect_mode(s, PLACE_AUTO, DEFAULT);
	assert_string_equal(wishes_refused(s->vm), refused);
	note = wishes_note(s->e, s->vm);
	assert_string_equal(note, refused);
	assert_int_equal(logcatch_count(&s->t->log, refused), 1);
	configure(s, "[qmpin]\ndescription = full\n");
	expect_mode(s, PLACE_PIN, DESCRIPTION);
	assert_null(wishes_refused(s->vm));
	assert_int_equal(
		logcatch_count(&s->t->log, "vm 100: mode pin (description): what"), 1);
	configure(s, "[qmpin]\ndescription = ignore\n");
	expect_mode(s, PLACE_AUTO, DEFAULT);
	assert_null(wishes_refused(s->vm));
}

static void
a_registered_tag_may_set_a_mode(void **state)
{
	static const char text[] = "registered-tags: x;qmpin-pin\n";
	struct scene *s = *state;

	configure(s, "[qmpin]\ndescription = full\n");
	hear(s, "tags: qmpin-pin;qmpin-dedicated\n");
	expect_mode(s, PLACE_AUTO, DEFAULT);
	hearing_take_datacenter(s->e, text, strlen(text));
	expect_mode(s, PLACE_PIN, TAG);
	assert_true((s->vm->causes & cause_bit(CAUSE_CONFIG)) != 0);
	hearing_take_datacenter(s->e, NULL, 0);
	expect_mode(s, PLACE_AUTO, DEFAULT);
	configure(s, "[qmpin]\ndescription = full\nunregistered_tags = yes\n");
	expect_mode(s, PLACE_PIN, TAG);
	hear(s, "tags: qmpin-dedicated\n");
	expect_mode(s, PLACE_AUTO, DEFAULT);
	configure(s, "[qmpin]\ndescription = full\nunregistered_tags = yes\n"
		     "allow_dedicated = yes\n");
	expect_mode(s, PLACE_DEDICATED, TAG);
}

static void
where_vms_are_selected_who_does_not_ask_is_off(void **state)
{
	struct scene *s = *state;

	configure(s, "[qmpin]\nselect = tagged\n");
	expect_mode(s, PLACE_OFF, CONFIG);
	assert_string_equal(wishes_why_off(s->e, s->vm),
		"select = tagged, and it does not ask for it");
	hear(s, "tags: qmpin\n");
	expect_mode(s, PLACE_AUTO, DEFAULT);
	assert_null(wishes_why_off(s->e, s->vm));
	hear(s, "#qmpin: on\n");
	expect_mode(s, PLACE_AUTO, DEFAULT);
	hear(s, "tags: other\n");
	expect_mode(s, PLACE_OFF, CONFIG);
	configure(s, "[qmpin]\nselect = tagged\n[vm 100]\nmode = pin\n");
	expect_mode(s, PLACE_PIN, VM_SECTION);
	configure(s, "[qmpin]\nselect = tagged\n[vm 100]\nsmt = avoid\n");
	expect_mode(s, PLACE_OFF, CONFIG);
}

static void
policies_are_the_vm_s_but_for_its_section(void **state)
{
	struct scene *s = *state;

	configure(s, "[qmpin]\ndescription = full\n");
	hear(s, "#qmpin: float smt=isolate emulator=follow\n");
	assert_int_equal(wishes_smt(s->e, s->vm), PLACE_SMT_ISOLATE);
	assert_int_equal(wishes_emulator(s->e, s->vm), PLACE_EMULATOR_FOLLOW);
	configure(s, "[qmpin]\ndescription = full\n[vm 100]\nsmt = avoid\n");
	assert_int_equal(wishes_smt(s->e, s->vm), PLACE_SMT_AVOID);
	assert_int_equal(wishes_emulator(s->e, s->vm), PLACE_EMULATOR_FOLLOW);
}

static void
a_vm_of_another_pinner_is_only_observed(void **state)
{
	struct scene *s = *state;

	hear(s, "pinning: 0-3\n");
	expect_mode(s, PLACE_OBSERVE, DEFAULT);
	assert_int_equal(logcatch_count(&s->t->log, WISHES_ANOTHER_S), 1);
	configure(s, "[vm 100]\nmode = float\n");
	expect_mode(s, PLACE_FLOAT, VM_SECTION);
	assert_false(wishes_is_another_s(s->e, s->vm));
	configure(s, "[qmpin]\nmode = off\n");
	expect_mode(s, PLACE_OFF, CONFIG);
}

static void
a_change_is_told_and_remembered(void **state)
{
	struct scene *s = *state;

	s->vm->proven = true;
	hear(s, "cores: 2\n");
	assert_int_equal(logcatch_count(&s->t->log, "vm 100"), 0);
	hear(s, "affinity: 0-3\n");
	assert_int_equal(logcatch_count(&s->t->log,
				 "vm 100: mode auto (default), affinity 0-3: its "
				 "configuration has changed"),
		1);
	hear(s, "name: new\naffinity: 0-3\n");
	assert_int_equal(logcatch_count(&s->t->log, "vm 100"), 1);
	hear(s, "tags: qmpin-off\n");
	assert_int_equal(s->vm->history.n, 2);
	assert_string_equal(history_at(&s->vm->history, 1)->text, "mode off (tag)");
	assert_int_equal(history_at(&s->vm->history, 1)->cause, CAUSE_CONFIG);
	assert_true((s->vm->causes & cause_bit(CAUSE_CONFIG)) != 0);
	s->vm->proven = false; /* there is no process */
}

static void
what_is_gone_or_not_read_says_what_it_said_last(void **state)
{
	struct scene *s = *state;
	auto_free char *note = NULL;

	hear(s, "tags: qmpin-off\n");
	hearing_take(s->e, "100", NULL, 0);
	expect_mode(s, PLACE_OFF, TAG);
	hearing_take_unread(s->e, "100", "it is too long");
	expect_mode(s, PLACE_OFF, TAG);
	note = wishes_note(s->e, s->vm);
	assert_string_equal(note, "its configuration is not read: it is too long");
	hearing_take_unread(s->e, "100", NULL);
	hearing_take(s->e, "999", "tags: qmpin\n", 12); /* which is not here */
	free(note);
	note = wishes_note(s->e, s->vm);
	assert_null(note);
}

/* What was read is of the VM, what the record had is of the process it was of. */
static void
what_was_only_recalled_goes_with_its_process(void **state)
{
	struct scene *s = *state;
	struct wishes *w = &s->vm->wishes;

	hear(s, "tags: qmpin-off\naffinity: 1\n");
	wishes_forget_process(w);
	expect_mode(s, PLACE_OFF, TAG);
	assert_non_null(wishes_affinity(s->vm));
	w->read = false;
	w->recalled = true;
	hearing_take_unread(s->e, "100", "it is too long");
	wishes_forget_process(w);
	expect_mode(s, PLACE_AUTO, DEFAULT);
	assert_null(wishes_affinity(s->vm));
	assert_false(w->recalled);
	assert_string_equal(w->unread, "it is too long");
}

static void
what_is_not_understood_is_named_once(void **state)
{
	struct scene *s = *state;
	auto_free char *note = NULL;

	hear(s, "affinity: all\n");
	hear(s, "affinity: all\ncores: 2\n");
	assert_int_equal(
		logcatch_count(&s->t->log, "vm 100: configuration, line 1: affinity"),
		1);
	note = wishes_note(s->e, s->vm);
	assert_true(strstr(note, "configuration, line 1: affinity") == note);
}

static void
lines_that_do_not_name_us_are_not_kept(void **state)
{
	struct scene *s = *state;
	struct strbuf text = {0};

	for (int i = 0; i < 1000; i++)
		strbuf_addf(&text, "#line %d of a long story\n", i);
	strbuf_adds(&text, "#qmpin: observe\n#qmpin: off\ntags: a;b;qmpin\n");
	hear(s, strbuf_text(&text));
	assert_string_equal(s->vm->wishes.description, "qmpin: observe\nqmpin: off\n");
	assert_int_equal(s->vm->wishes.n_tags, 1);
	expect_mode(s, PLACE_OBSERVE, DESCRIPTION);
	strbuf_fini(&text);
}

static void
the_planner_gets_affinity_and_host_nodes(void **state)
{
	struct scene *s = *state;
	struct seating seats;

	hear(s, "affinity: 2-3\nnuma: 1\n"
		"numa0: cpus=0-1,hostnodes=1,memory=512,policy=bind\n"
		"numa1: cpus=2-3,hostnodes=0,memory=512,policy=preferred\n");
	seating_init(&seats, s->e);
	assert_non_null(seats.vms[0].affinity);
	assert_int_equal(cpuset_count(seats.vms[0].affinity), 2);
	assert_null(seats.vms[1].affinity);
	assert_int_equal(seats.vms[0].n_guest_nodes, 2);
	assert_true(cpuset_has(&seats.vms[0].guest_nodes[0].host_nodes, 1));
	assert_true(cpuset_empty(&seats.vms[0].guest_nodes[1].host_nodes));
	seating_fini(&seats);
}

static void
a_plan_stays_inside_the_affinity(void **state)
{
	struct scene *s = *state;
	struct cpuset affinity = cpuset_of(2);

	cpuset_add(&affinity, 5);
	hear(s, "affinity: 2,5\n");
	s->vm->fresh = true;
	assert_int_equal(planning_run(s->e, false, NULL), 0);
	assert_false(cpuset_empty(&s->vm->domain));
	for (size_t i = 0; i < s->vm->n_tasks; i++)
		assert_true(cpuset_within(&s->vm->tasks[i].want, &affinity));
	hear(s, "affinity: 2000\n"); /* which this host has not */
	assert_int_equal(planning_run(s->e, false, NULL), 0);
	assert_true(cpuset_empty(&s->vm->domain));
	assert_non_null(strstr(s->vm->note, "affinity"));
}

/* The file says node 1, which counts with the next start: its memory is anywhere. */
static void
host_nodes_are_those_qemu_runs_with(void **state)
{
	struct scene *s = *state;
	struct memdevs *m = &s->vm->facts.memory;
	struct seating seats;

	hear(s, "numa: 1\nnuma0: cpus=0-1,hostnodes=1,memory=512,policy=bind\n"
		"numa1: cpus=2-3,hostnodes=1,memory=512,policy=bind\n");
	m->known = true;
	m->n = 2;
	m->list = xcalloc(2, sizeof(*m->list));
	m->list[0] = (struct memdev){.id = "ram-node0", .size_bytes = 1 << 29};
	m->list[1] = (struct memdev){.id = "ram-node1",
		.size_bytes = 1 << 29,
		.bound = true,
		.host_nodes = {{1}}};
	seating_init(&seats, s->e);
	assert_true(cpuset_empty(&seats.vms[0].guest_nodes[0].host_nodes));
	assert_int_equal(cpuset_next(&seats.vms[0].guest_nodes[1].host_nodes, 0), 0);
	seating_fini(&seats);
}

static void
devices_are_looked_for_in_both_places(void **state)
{
	static const char words[] =
		"kvm\0-device\0vfio-pci,host=0000:82:00.0,id=hostpci1";
	struct scene *s = *state;
	char *root = trees_new();
	auto_free char *path = trees_path(root, "proc/77/cmdline");
	auto_free char *proc = trees_path(root, "proc/");
	struct seating seats;
	struct cpuset nodes;
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(words, 1, sizeof(words), f), sizeof(words));
	(void)fclose(f);
	trees_write(root, "sys/bus/pci/devices/0000:01:00.1/numa_node", "1\n");
	trees_write(root, "sys/bus/pci/devices/0000:82:00.0/numa_node", "3\n");
	s->e->wishing.root = root;
	s->e->procfd = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->vm->identity.pid = 77;
	wishes_look(s->e, s->vm);
	hear(s, "hostpci0: 0000:01:00,pcie=1\n");
	nodes = wishes_pci_nodes(s->vm);
	assert_int_equal(cpuset_count(&nodes), 2);
	assert_true(cpuset_has(&nodes, 1) && cpuset_has(&nodes, 3));
	seating_init(&seats, s->e);
	assert_true(cpuset_equal(&seats.vms[0].pci_nodes, &nodes));
	seating_fini(&seats);
	wishes_forget_process(&s->vm->wishes);
	nodes = wishes_pci_nodes(s->vm);
	assert_int_equal(cpuset_count(&nodes), 1);
	s->vm->identity.pid = 0;
	close(s->e->procfd);
	trees_remove(root);
}

/* It is kept off dedicated cores only; what the administrator has off is not touched.
 */
static void
off_by_the_vm_is_not_the_administrator_s(void **state)
{
	struct scene *s = *state;
	struct seating seats;

	hear(s, "tags: qmpin-off\n");
	seating_init(&seats, s->e);
	assert_int_equal(seats.vms[0].mode, PLACE_OFF);
	assert_false(seats.vms[0].off_by_admin);
	seating_fini(&seats);
	configure(s, "[qmpin]\nselect = tagged\n");
	hear(s, "cores: 1\n");
	seating_init(&seats, s->e);
	assert_true(seats.vms[0].off_by_admin);
	seating_fini(&seats);
}

static void
who_is_off_says_why(void **state)
{
	struct scene *s = *state;

	hear(s, "tags: qmpin-off\n");
	s->vm->fresh = true;
	assert_int_equal(planning_run(s->e, false, NULL), 0);
	assert_string_equal(s->vm->note, "off by its tag");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_stronger_word_counts),
		CASE(what_a_vm_may_not_set_is_refused_and_told_once),
		CASE(a_registered_tag_may_set_a_mode),
		CASE(where_vms_are_selected_who_does_not_ask_is_off),
		CASE(policies_are_the_vm_s_but_for_its_section),
		CASE(a_vm_of_another_pinner_is_only_observed),
		CASE(a_change_is_told_and_remembered),
		CASE(what_is_gone_or_not_read_says_what_it_said_last),
		CASE(what_was_only_recalled_goes_with_its_process),
		CASE(what_is_not_understood_is_named_once),
		CASE(lines_that_do_not_name_us_are_not_kept),
		CASE(the_planner_gets_affinity_and_host_nodes),
		CASE(a_plan_stays_inside_the_affinity),
		CASE(host_nodes_are_those_qemu_runs_with),
		CASE(devices_are_looked_for_in_both_places),
		CASE(off_by_the_vm_is_not_the_administrator_s),
		CASE(who_is_off_says_why),
	};

	return cmocka_run_group_tests_name("wishes", tests, NULL, NULL);
}

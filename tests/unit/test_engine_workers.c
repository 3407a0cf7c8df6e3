// SPDX-License-Identifier: MIT
/*
 * Threads that a guest's I/O makes and ends all the time, such as io_uring's workers:
 * what they cost, what is told of them, and those whose mask nobody may set.
 */
#include "config.h"

#include "daemon/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/giveback.h"
#include "procs.h"
#include "stage.h"
#include "vm/task.h"

#define BURSTS 20u
#define WORKERS 2u

static void
bursts_of_io_cost_no_pass_and_no_dialogue(void **state)
{
	struct stage *s = stage_of(state);
	unsigned int dialogues;
	uint64_t passes;
	pid_t tids[WORKERS];

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	stage_start_with(s, "100");
	dialogues = standin_dialogues(&s->vms[0]);
	passes = s->engine->stats.passes;
	logcatch_forget(&s->log);
	for (unsigned int i = 0; i < BURSTS; i++) {
		for (unsigned int k = 0; k < WORKERS; k++)
			tids[k] = standin_thread(&s->vms[0], "iou-wrk-4711");
		stage_audit_later(s);
		stage_audit_later(s);
		for (unsigned int k = 0; k < WORKERS; k++)
			standin_end_thread(&s->vms[0], tids[k]);
		stage_audit_later(s);
	}
	passes = s->engine->stats.passes - passes;
	dialogues = standin_dialogues(&s->vms[0]) - dialogues;
	print_message("%u bursts: %u passes, %u dialogues\n", BURSTS,
		(unsigned int)passes, dialogues);
	assert_int_equal(passes, 0);
	assert_int_equal(dialogues, 0);
	assert_string_equal(strbuf_text(&s->log.text), "");
}

/* A worker that has not the mask of who made it, as with some kernels. */
static void
add_late_worker(struct stage *s)
{
	pid_t tid = standin_thread(&s->vms[0], "iou-wrk-4711");

	standin_set_mask(tid, &s->all);
	stage_audit(s);
	stage_check_mask(tid, &s->all);
	stage_audit_later(s);
	stage_check_mask(tid, &s->first);
}

static void
late_workers_alone_are_told_at_level_debug_and_nowhere_else(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	assert_int_equal(vm->history.n, 1);
	vm->last_move_us = 1;
	logcatch_forget(&s->log);
	add_late_worker(s);
	assert_string_equal(strbuf_text(&s->log.text), "");
	log_set_level(LOG_DEBUG);
	add_late_worker(s);
	assert_int_equal(logcatch_count(&s->log, "vm 100: worker "), 1);
	assert_int_equal(logcatch_count(&s->log, " (late worker)\n"), 1);
	/* also where a pass for another reason comes first */
	tid = standin_thread(&s->vms[0], "iou-wrk-4711");
	standin_set_mask(tid, &s->all);
	stage_audit(s);
	stage_pass_ms(s, 2000);
	engine_kick(s->engine, vm, CAUSE_RESUME);
	stage_settle(s);
	stage_check_mask(tid, &s->first);
	assert_int_equal(logcatch_count(&s->log, "vm 100: worker "), 2);
	assert_int_equal(vm->history.n, 1);
	assert_int_equal(vm->last_cause, CAUSE_APPEARED);
	assert_int_equal(vm->last_move_us, 1);
}

static void
a_late_worker_does_not_hide_what_else_was_set(void **state)
{
	struct stage *s = stage_of(state);
	struct vm *vm;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	vm = stage_start_with(s, "100");
	tid = standin_thread(&s->vms[0], "iou-wrk-4711");
	standin_set_mask(tid, &s->all);
	stage_audit(s);
	stage_pass_ms(s, 2000);
	logcatch_forget(&s->log);
	standin_set_mask(s->vms[0].claims[0], &s->second);
	stage_audit(s);
	stage_check_mask(tid, &s->first);
	assert_int_equal(logcatch_count(&s->log, "vm 100: vCPU 0 "), 1);
	assert_int_equal(logcatch_count(&s->log, "vm 100: worker "), 1);
	assert_int_equal(vm->last_cause, CAUSE_DRIFT);
}

/* ---- masks that nobody may set ---- */

/* A /proc with the threads of one process: links to the kernel's word, and copies. */
struct proc_copy {
	char *dir;
	pid_t pid;
};

static void
link_thread(const struct proc_copy *p, pid_t tid)
{
	auto_free char *from = xasprintf("/proc/%d/task/%d", (int)p->pid, (int)tid);
	auto_free char *to = xasprintf("%s%s", p->dir, from + strlen("/proc"));

	assert_int_equal(symlink(from, to), 0);
}

/* As the kernel would list it if nobody could set its mask. */
static void
copy_thread_as_fixed(const struct proc_copy *p, pid_t tid)
{
	auto_free char *from =
		xasprintf("/proc/%d/task/%d/stat", (int)p->pid, (int)tid);
	auto_free char *to = xasprintf("%s%s", p->dir, from + strlen("/proc"));
	auto_free char *dir = xasprintf("%s/%d/task/%d", p->dir, (int)p->pid, (int)tid);
	FILE *in = fopen(from, "re");
	char before[128];
	char after[1024];
	unsigned int flags;
	FILE *out;

	assert_non_null(in);
	/* the name has no blank; flags are the 9th field */
	assert_int_equal(fscanf(in, "%127[^)]) %*c%*d%*d%*d%*d%*d%u%1023[^\n]", before,
				 &flags, after),
		3);
	fclose(in);
	assert_int_equal(mkdir(dir, 0755), 0);
	out = fopen(to, "we");
	assert_non_null(out);
	fprintf(out, "%s) S 1 1 1 0 -1 %u%s\n", before, flags | 0x04000000u, after);
	assert_int_equal(fclose(out), 0);
}

/* From now on the engine reads this one. */
static struct proc_copy
copy_proc(struct stage *s, pid_t pid)
{
	struct proc_copy p = {procs_make_dir(), pid};
	auto_free char *process = xasprintf("%s/%d", p.dir, (int)pid);
	auto_free char *tasks = xasprintf("%s/task", process);
	auto_free pid_t *tids = NULL;
	ssize_t n = task_list_read(s->procfd, pid, &tids);

	assert_int_equal(mkdir(process, 0755), 0);
	assert_int_equal(mkdir(tasks, 0755), 0);
	for (ssize_t i = 0; i < n; i++)
		link_thread(&p, tids[i]);
	close(s->procfd);
	s->procfd = open(p.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(s->procfd >= 0);
	return p;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static void
remove_proc(struct proc_copy *p)
{
	assert_int_equal(nftw(p->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(p->dir);
}

static void
on_given_back(void *arg, const struct giveback_step *step)
{
	(void)arg;
	fail_msg("thread %d: %d", (int)step->tid, step->r);
}

/* Surveyed anew, filed by an audit, and when masks are given back. */
static void
what_nobody_may_set_is_not_wanted_and_no_trouble(void **state)
{
	struct stage *s = stage_of(state);
	struct proc_copy proc;
	struct vm *vm;
	uint64_t sets;
	pid_t tid;

	s->vms[0] = standin_vm(s->vm_dir, 100, 1);
	proc = copy_proc(s, s->vms[0].pid);
	vm = stage_start_with(s, "100");
	sets = s->engine->stats.sets;
	assert_true(sets > 0);
	tid = standin_thread(&s->vms[0], "iou-wrk-4711");
	standin_set_mask(tid, &s->second);
	copy_thread_as_fixed(&proc, tid);
	for (unsigned int i = 0; i < 5; i++)
		stage_audit_later(s);
	assert_int_equal(s->engine->stats.passes, 1);
	assert_false(vm_task_find(vm, tid)->wanted);
	engine_kick(s->engine, vm, CAUSE_RESUME);
	stage_settle(s);
	for (unsigned int i = 0; i < 5; i++)
		stage_audit_later(s);
	assert_int_equal(s->engine->stats.passes, 2);
	assert_false(vm_task_find(vm, tid)->wanted);
	stage_check_mask(tid, &s->second);
	assert_int_equal(s->engine->stats.sets, sets);
	assert_int_equal(s->engine->stats.failures, 0);
	assert_int_equal(vm->rests, 0);
	assert_string_equal(vm->note, "");
	/* the others have what they had before */
	for (size_t i = 0; i < vm->n_tasks; i++) {
		if (vm->tasks[i].thread.tid != tid)
			standin_set_mask(vm->tasks[i].thread.tid, &s->all);
	}
	assert_int_equal(giveback_process(s->procfd, vm->identity.pidfd, &vm->record,
				 on_given_back, NULL),
		0);
	remove_proc(&proc);
}

#define ON_STAGE(test) \
	cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(bursts_of_io_cost_no_pass_and_no_dialogue),
		ON_STAGE(late_workers_alone_are_told_at_level_debug_and_nowhere_else),
		ON_STAGE(a_late_worker_does_not_hide_what_else_was_set),
		ON_STAGE(what_nobody_may_set_is_not_wanted_and_no_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

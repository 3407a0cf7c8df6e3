// SPDX-License-Identifier: MIT
/*
 * What is told to people: lines of the form
 *   vm 103: vCPUs 0-3 0-63 -> 8-11,40-43 (resume; L3 group 2 of node 0: free cores)
 * with the same facts as journal fields.
 */
#include "config.h"

#include "daemon/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ctl/shapes.h"
#include "daemon/vm.h"

/* Message ids of the catalog, random once and then fixed. */
#define MESSAGE_MOVED "6f1c1b7d2a3e4c0f9e8d5b4a7c602113"
#define MESSAGE_TROUBLE "0d3b9a54c1f24f6d8a77e2b9f1d4c326"

/* Troubles of one VM that come and go: so many at once, then one a minute. */
#define TROUBLES_BURST 5.0
#define TROUBLES_PER_S (1.0 / 60.0)
#define HUSH_TEXT " (comes and goes: told once a minute from now on)"

/* Long enough for any mask worth reading in a log line; longer ones end in "...". */
#define CPUS_MAX 512

static int
by_class_and_masks(const void *a, const void *b)
{
	const struct move *x = a;
	const struct move *y = b;
	bool x_vcpu = x->thread.class == THREAD_VCPU;
	bool y_vcpu = y->thread.class == THREAD_VCPU;
	int r;

	if (x_vcpu != y_vcpu)
		return x_vcpu ? -1 : 1;
	r = cpuset_compare(&x->to, &y->to);
	if (r == 0)
		r = cpuset_compare(&x->from, &y->from);
	if (r == 0 && x->thread.class != y->thread.class)
		r = x->thread.class < y->thread.class ? -1 : 1;
	if (r == 0)
		r = (x->thread.index > y->thread.index) -
		    (x->thread.index < y->thread.index);
	if (r == 0)
		r = (x->thread.tid > y->thread.tid) - (x->thread.tid < y->thread.tid);
	return r;
}

/* Moves from @first on that are told in one line. */
static size_t
run_length(const struct move *moves, size_t n, size_t first)
{
	const struct move *m = &moves[first];
	size_t end = first + 1;

	while (end < n && cpuset_equal(&moves[end].from, &m->from) &&
		cpuset_equal(&moves[end].to, &m->to) &&
		(moves[end].thread.class == THREAD_VCPU) ==
			(m->thread.class == THREAD_VCPU))
		end++;
	return end - first;
}

/* "vCPUs 0-3", "vCPU 2", "emulator and 4 more threads", "worker". */
static void
describe(const struct move *run, size_t n, char *who, size_t who_size, char *vcpus,
	size_t vcpus_size)
{
	struct cpuset indices = CPUSET_NONE;

	vcpus[0] = '\0';
	if (run[0].thread.class != THREAD_VCPU) {
		if (n == 1)
			(void)snprintf(who, who_size, "%s",
				thread_class_name(run[0].thread.class));
		else
			(void)snprintf(who, who_size, "%s and %zu more thread%s",
				thread_class_name(run[0].thread.class), n - 1,
				n > 2 ? "s" : "");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (run[i].thread.index >= 0 && run[i].thread.index < (int)CPUSET_CAP)
			cpuset_add(&indices, (unsigned int)run[i].thread.index);
	}
	cpuset_format(&indices, vcpus, vcpus_size);
	(void)snprintf(who, who_size, "vCPU%s %s", n > 1 ? "s" : "", vcpus);
}

/* A repair changes no plan, whose reason was told before: what it repairs is told. */
static const char *
reason_of(const struct vm *vm, enum cause cause)
{
	if (vm->drift.text[0] != '\0')
		return vm->drift.text;
	return cause == CAUSE_DRIFT || cause == CAUSE_WORKERS ? "" : vm->why;
}

/* Between the cause and what there is to say of it. */
static const char *
joint_of(const struct vm *vm, const char *note)
{
	if (note[0] == '\0')
		return "";
	return vm->drift.text[0] != '\0' ? ": " : "; ";
}

/* "dry run; resume; L3 group 2 of node 0: free cores". New text. */
static char *
words_of(const struct vm *vm, enum cause cause, const char *pretence, const char *note)
{
	return xasprintf("%s%s%s%s%s", pretence != NULL ? pretence : "",
		pretence != NULL ? "; " : "", cause_name(cause), joint_of(vm, note),
		note);
}

static void
report_run(const struct vm *vm, const struct move *run, size_t n, int priority,
	enum cause cause, const char *words)
{
	char who[160];
	char vcpus[128];
	char from[CPUS_MAX];
	char to[CPUS_MAX];
	char tid[16];
	struct log_field fields[] = {
		{"QMPIN_VM", vm->id},
		{"QMPIN_CPUS", to},
		{"QMPIN_FROM", from},
		{"QMPIN_CAUSE", cause_name(cause)},
		{"QMPIN_REASON", reason_of(vm, cause)},
		{"QMPIN_TID", tid},
		{"QMPIN_VCPU", vcpus},
	};

	describe(run, n, who, sizeof(who), vcpus, sizeof(vcpus));
	cpuset_format(&run->from, from, sizeof(from));
	cpuset_format(&run->to, to, sizeof(to));
	(void)snprintf(tid, sizeof(tid), "%d", (int)run->thread.tid);
	log_fields(priority, MESSAGE_MOVED, fields,
		ARRAY_LEN(fields) - (vcpus[0] == '\0' ? 1 : 0),
		"vm %s: %s %s -> %s (%s)", vm->id, who, from[0] != '\0' ? from : "none",
		to, words);
}

void
report_moves(const struct vm *vm, struct move *moves, size_t n, int priority,
	enum cause cause, const char *pretence)
{
	size_t len;

	qsort(moves, n, sizeof(*moves), by_class_and_masks);
	for (size_t i = 0; i < n; i += len) {
		/* what has happened is the same for all of them: say it once */
		bool said = i > 0 && vm->drift.text[0] != '\0';
		auto_free char *words =
			words_of(vm, cause, pretence, said ? "" : reason_of(vm, cause));

		len = run_length(moves, n, i);
		report_run(vm, &moves[i], len, priority, cause, words);
	}
}

char *
report_summary(
	const struct vm *vm, const struct move *moves, size_t n, const char *pretence)
{
	struct cpuset from[2] = {CPUSET_NONE, CPUSET_NONE};
	struct cpuset to[2] = {CPUSET_NONE, CPUSET_NONE};
	char texts[2][CPUS_MAX];
	bool others;

	for (size_t i = 0; i < n; i++) {
		unsigned int k = moves[i].thread.class == THREAD_VCPU ? 0 : 1;

		from[k] = cpuset_or(&from[k], &moves[i].from);
		to[k] = cpuset_or(&to[k], &moves[i].to);
	}
	others = cpuset_empty(&to[0]); /* no vCPU among them */
	cpuset_format(&from[others], texts[0], sizeof(texts[0]));
	cpuset_format(&to[others], texts[1], sizeof(texts[1]));
	return xasprintf("%s%s%sfrom CPUs %s to %s: %s",
		pretence != NULL ? pretence : "", pretence != NULL ? ": " : "",
		others ? "all but vCPUs " : "", texts[0], texts[1], vm->why);
}

/* How they share the CPUs they are told to have: not alike. */
static const char *
split_of(const struct move *moves, size_t n)
{
	bool single = true;
	bool same = true;

	for (size_t i = 0; i < n; i++) {
		single = single && cpuset_count(&moves[i].to) == 1;
		same = same && cpuset_equal(&moves[i].to, &moves[0].to);
	}
	if (same)
		return "";
	return single ? " one each" : " in parts";
}

/* Of threads that are told together. */
static void
add_part(struct strbuf *line, const struct move *moves, size_t n)
{
	struct cpuset from = CPUSET_NONE;
	struct cpuset to = CPUSET_NONE;
	char who[160];
	char vcpus[128];
	char texts[2][CPUS_MAX];

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		from = cpuset_or(&from, &moves[i].from);
		to = cpuset_or(&to, &moves[i].to);
	}
	describe(moves, n, who, sizeof(who), vcpus, sizeof(vcpus));
	cpuset_format(&from, texts[0], sizeof(texts[0]));
	cpuset_format(&to, texts[1], sizeof(texts[1]));
	strbuf_addf(line, "%s%s %s -> %s%s", line->len > 0 ? "; " : "", who,
		texts[0][0] != '\0' ? texts[0] : "none", texts[1], split_of(moves, n));
}

char *
report_line(const struct vm *vm, const struct move *moves, size_t n, enum cause cause,
	const char *pretence)
{
	struct strbuf line = {0};
	auto_free char *words = words_of(vm, cause, pretence, reason_of(vm, cause));
	size_t n_vcpus = 0;

	while (n_vcpus < n && moves[n_vcpus].thread.class == THREAD_VCPU)
		n_vcpus++;
	add_part(&line, moves, n_vcpus);
	add_part(&line, moves + n_vcpus, n - n_vcpus);
	strbuf_addf(&line, " (%s)", words);
	return strbuf_take(&line);
}

json_t *
report_moves_json(
	const struct vm *vm, const struct move *moves, size_t n, enum cause cause)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, report_move_json(vm->id, &moves[i], cause,
						     reason_of(vm, cause)));
	return array;
}

json_t *
report_move_json(
	const char *id, const struct move *move, enum cause cause, const char *reason)
{
	char from[CPUSET_TEXT_MAX];
	char to[CPUSET_TEXT_MAX];

	return ctl_move_json(&(struct ctl_move){
		.id = id,
		.class = thread_class_name(move->thread.class),
		.index = move->thread.index,
		.tid = move->thread.tid,
		.from = cpuset_format(&move->from, from, sizeof(from)),
		.to = cpuset_format(&move->to, to, sizeof(to)),
		.cause = cause_name(cause),
		.reason = reason,
	});
}

void
report_vm(const struct vm *vm, int priority, const char *fmt, ...)
{
	struct log_field field = {"QMPIN_VM", vm->id};
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_fields(priority, NULL, &field, 1, "vm %s: %s", vm->id, text);
}

static void
say_trouble(struct vm *vm, const char *text)
{
	struct log_field field = {"QMPIN_VM", vm->id};

	str_copy(vm->note, sizeof(vm->note), text);
	if (str_equal(vm->said, text) && !vm->hushed)
		return;
	str_copy(vm->said, sizeof(vm->said), text);
	vm->hushed = !budget_take(
		&vm->words, clock_now_us(vm->clock), TROUBLES_BURST, TROUBLES_PER_S);
	if (!vm->hushed)
		log_fields(LOG_WARNING, MESSAGE_TROUBLE, &field, 1, "vm %s: %s%s",
			vm->id, text, budget_is_spent(&vm->words) ? HUSH_TEXT : "");
}

void
report_trouble(struct vm *vm, const struct err *why)
{
	char text[sizeof(vm->said)];

	say_trouble(vm, err_format(why, text, sizeof(text)));
}

void
report_troublef(struct vm *vm, const char *fmt, ...)
{
	char text[sizeof(vm->said)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say_trouble(vm, text);
}

void
report_better(struct vm *vm)
{
	if (vm->said[0] == '\0')
		return;
	if (str_has_prefix(vm->said, vm->note)) /* the note is shorter */
		vm->note[0] = '\0';
	vm->said[0] = '\0';
	if (!vm->hushed)
		report_vm(vm, LOG_INFO, "all well again");
}

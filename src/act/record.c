// SPDX-License-Identifier: MIT
/*
 * The masks a VM's threads had before they were first touched, as text and as file.
 * Reading the text is record_parse.c's. threads[] is ascending by tid, each tid once.
 */
#include "config.h"

#include "act/record.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "act/bootid.h"
#include "act/record_text.h"
#include "act/statefile.h"
#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"

/* ".ID.json" with room; an id is 64 bytes at most */
#define FILE_NAME_MAX 80u

static size_t
position_of(const struct record *r, pid_t tid)
{
	size_t low = 0;
	size_t high = r->n_threads;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->threads[mid].tid < tid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
has_at(const struct record *r, size_t at, pid_t tid)
{
	return at < r->n_threads && r->threads[at].tid == tid;
}

static const struct cpuset *
keep_mask(struct record *r, const struct cpuset *cpus)
{
	struct record_mask *m = r->masks;

	while (m != NULL && !cpuset_equal(&m->cpus, cpus))
		m = m->next;
	if (m == NULL) {
		m = xcalloc(1, sizeof(*m));
		*m = (struct record_mask){.next = r->masks, .cpus = *cpus};
		r->masks = m;
	}
	return &m->cpus;
}

static bool
is_used(const struct record *r, const struct record_mask *m)
{
	for (size_t i = 0; i < r->n_threads; i++) {
		if (r->threads[i].cpus == &m->cpus || r->threads[i].home == &m->cpus)
			return true;
	}
	return false;
}

/* Masks that no thread has any more. */
static void
drop_masks(struct record *r)
{
	struct record_mask **at = &r->masks;
	struct record_mask *m;

	while ((m = *at) != NULL) {
		if (is_used(r, m)) {
			at = &m->next;
		} else {
			*at = m->next;
			free(m);
		}
	}
}

static bool
add_thread(struct record *r, const struct record_thread *t, const struct cpuset *cpus)
{
	size_t at = position_of(r, t->tid);

	if (has_at(r, at, t->tid)) {
		if (r->threads[at].start_ticks == t->start_ticks &&
			r->threads[at].pid == t->pid)
			return false;
		r->threads[at] = *t;
		r->threads[at].cpus = keep_mask(r, cpus);
		drop_masks(r);
		return true;
	}
	if (r->n_threads == RECORD_THREADS_MAX)
		return false;
	r->threads =
		xgrow(r->threads, r->n_threads, &r->cap_threads, sizeof(*r->threads));
	memmove(&r->threads[at + 1], &r->threads[at],
		(r->n_threads - at) * sizeof(*r->threads));
	r->threads[at] = *t;
	r->threads[at].cpus = keep_mask(r, cpus);
	r->n_threads++;
	return true;
}

bool
record_add_helper(struct record *r, pid_t pid, pid_t tid, uint64_t start_ticks,
	const struct cpuset *cpus)
{
	const struct record_thread t = {
		.tid = tid, .pid = pid, .start_ticks = start_ticks};

	return add_thread(r, &t, cpus);
}

bool
record_add(struct record *r, pid_t tid, uint64_t start_ticks, const struct cpuset *cpus)
{
	return record_add_helper(r, 0, tid, start_ticks, cpus);
}

const struct record_thread *
record_find(const struct record *r, pid_t tid, uint64_t start_ticks)
{
	size_t at = position_of(r, tid);

	if (!has_at(r, at, tid) || r->threads[at].start_ticks != start_ticks)
		return NULL;
	return &r->threads[at];
}

bool
record_set_home(
	struct record *r, pid_t tid, uint64_t start_ticks, const struct cpuset *home)
{
	const struct record_thread *found = record_find(r, tid, start_ticks);
	const struct cpuset *had = found != NULL ? found->home : NULL;
	bool none = cpuset_empty(home);

	if (found == NULL || found->pid != 0 ||
		(had != NULL ? cpuset_equal(had, home) : none))
		return false;
	r->threads[found - r->threads].home = none ? NULL : keep_mask(r, home);
	if (had != NULL)
		drop_masks(r);
	return true;
}

bool
record_retain_helper(struct record *r, pid_t pid, const pid_t *tids, size_t n_tids)
{
	size_t kept = 0;
	size_t at = 0;
	bool changed;

	for (size_t i = 0; i < r->n_threads; i++) {
		const struct record_thread *t = &r->threads[i];

		while (at < n_tids && tids[at] < t->tid)
			at++;
		if (t->pid == pid && (at == n_tids || tids[at] != t->tid))
			continue;
		if (kept != i)
			r->threads[kept] = *t;
		kept++;
	}
	changed = kept != r->n_threads;
	r->n_threads = kept;
	if (changed)
		drop_masks(r);
	return changed;
}

bool
record_retain(struct record *r, const pid_t *tids, size_t n_tids)
{
	return record_retain_helper(r, 0, tids, n_tids);
}

static int
compare_pids(const void *a, const void *b)
{
	const pid_t *x = a;
	const pid_t *y = b;

	return (*x > *y) - (*x < *y);
}

size_t
record_helpers(const struct record *r, pid_t **pids)
{
	pid_t *all = xcalloc(r->n_threads, sizeof(*all));
	size_t kept = 0;
	size_t n = 0;

	for (size_t i = 0; i < r->n_threads; i++) {
		if (r->threads[i].pid != 0)
			all[n++] = r->threads[i].pid;
	}
	qsort(all, n, sizeof(*all), compare_pids);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || all[kept - 1] != all[i])
			all[kept++] = all[i];
	}
	*pids = all;
	return kept;
}

const char *
record_by_name(enum record_by by)
{
	return by == RECORD_BY_TAG ? "tag" : "description";
}

bool
record_id_valid(const char *id)
{
	size_t len = strlen(id);

	if (len == 0 || len >= sizeof(((struct record *)NULL)->id))
		return false;
	if (str_equal(id, ".") || str_equal(id, ".."))
		return false;
	return strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			  "0123456789._-") == len;
}

/* jansson fails on memory only: names and values are ours. */
static json_t *
must_have(json_t *value)
{
	if (value == NULL)
		abort();
	return value;
}

static void
set(json_t *obj, const char *key, json_t *value)
{
	if (json_object_set_new(obj, key, value) < 0)
		abort();
}

static json_t *
thread_to_json(const struct record_thread *t)
{
	char cpus[CPUSET_TEXT_MAX];
	char home[CPUSET_TEXT_MAX];
	json_t *obj = must_have(json_pack("{s:I, s:I, s:s}", "tid", (json_int_t)t->tid,
		"start_ticks", (json_int_t)t->start_ticks, "cpus",
		cpuset_format(t->cpus, cpus, sizeof(cpus))));

	if (t->pid != 0)
		set(obj, "pid", json_integer(t->pid));
	if (t->home != NULL)
		set(obj, "home",
			json_string(cpuset_format(t->home, home, sizeof(home))));
	return obj;
}

static void
add_wide(json_t *obj, const struct record_wide *wide)
{
	char idle[CPUSET_TEXT_MAX];

	set(obj, "widened",
		must_have(json_pack("{s:I, s:s, s:I}", "until_us",
			(json_int_t)wide->until_us, "idle",
			cpuset_format(&wide->idle, idle, sizeof(idle)), "waited_pct",
			(json_int_t)wide->waited)));
}

static void
add_wish(json_t *obj, const struct record_wish *w)
{
	json_t *wish = must_have(json_object());
	char cpus[CPUSET_TEXT_MAX];

	if (w->by != RECORD_BY_NOBODY)
		set(wish, "by", json_string(record_by_name(w->by)));
	if (w->has_mode)
		set(wish, "mode", json_string(place_mode_name(w->mode)));
	if (w->has_smt)
		set(wish, "smt", json_string(place_smt_name(w->smt)));
	if (w->has_emulator)
		set(wish, "emulator", json_string(place_emulator_name(w->emulator)));
	if (w->pinning)
		set(wish, "pinning", json_true());
	if (w->has_affinity)
		set(wish, "affinity",
			json_string(cpuset_format(&w->affinity, cpus, sizeof(cpus))));
	set(obj, "wish", wish);
}

static void
add_marks(json_t *obj, const struct record *r)
{
	if (r->restored)
		set(obj, "restored", json_true());
	if (r->untouched)
		set(obj, "untouched", json_true());
	if (r->has_mode)
		set(obj, "mode", json_string(place_mode_name(r->mode)));
}

char *
record_format(const struct record *r, const char *boot_id)
{
	json_t *threads = must_have(json_array());
	char limit[CPUSET_TEXT_MAX];
	auto_json json_t *obj = NULL;
	char *text;

	assert(record_id_valid(r->id));
	for (size_t i = 0; i < r->n_threads; i++) {
		if (json_array_append_new(threads, thread_to_json(&r->threads[i])) < 0)
			abort();
	}
	obj = must_have(json_pack("{s:i, s:s, s:I, s:I, s:s, s:b, s:s, s:o}", "version",
		(int)RECORD_VERSION, "id", r->id, "pid", (json_int_t)r->pid,
		"start_ticks", (json_int_t)r->start_ticks, "boot_id", boot_id, "placed",
		(int)r->placed, "limit", cpuset_format(&r->limit, limit, sizeof(limit)),
		"threads", threads));
	if (r->wide.until_us > 0)
		add_wide(obj, &r->wide);
	add_marks(obj, r);
	if (r->wish.known)
		add_wish(obj, &r->wish);
	text = json_dumps(obj, JSON_COMPACT);
	if (text == NULL)
		abort();
	return text;
}

static void
file_names(const char *id, char name[FILE_NAME_MAX], char temp[FILE_NAME_MAX])
{
	(void)snprintf(name, FILE_NAME_MAX, "%s.json", id);
	/* no id makes a file of that ending */
	(void)snprintf(temp, FILE_NAME_MAX, ".%s.tmp", id);
}

static int
read_boot_id(char boot_id[BOOTID_MAX], struct err *e)
{
	int r = bootid_read(boot_id);

	if (r < 0)
		return err_set(e, r, NULL, 0,
			"this boot's id is unknown: no /proc/sys/kernel/random/boot_id "
			"and no QMPIN_BOOT_ID");
	return 0;
}

bool
record_exists(int dirfd, const char *id)
{
	char name[FILE_NAME_MAX];
	char temp[FILE_NAME_MAX];

	file_names(id, name, temp);
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int
record_save(int dirfd, const struct record *r, struct err *e)
{
	auto_free char *text = NULL;
	char name[FILE_NAME_MAX];
	char temp[FILE_NAME_MAX];
	char boot_id[BOOTID_MAX];
	size_t len;
	int ret;

	if (!record_id_valid(r->id))
		return err_set(e, -EINVAL, NULL, 0, "no VM's id: \"%s\"", r->id);
	ret = read_boot_id(boot_id, e);
	if (ret < 0)
		return ret;
	file_names(r->id, name, temp);
	text = record_format(r, boot_id);
	len = strlen(text);
	if (len > RECORD_BYTES_MAX)
		return err_set(e, -E2BIG, name, 0, "a record of %zu bytes", len);
	return statefile_replace(dirfd, name, temp, text, len, e);
}

/* The parser knows no file; a message of its own making gets the name. */
static int
parse_file(const char *name, const char *text, size_t len, struct record *out,
	struct err *e)
{
	bool was_set = err_is_set(e);
	char boot_id[BOOTID_MAX];
	int r;

	r = read_boot_id(boot_id, e);
	if (r == 0)
		r = record_parse(text, len, boot_id, out, e);
	if (r < 0 && e != NULL && !was_set)
		str_copy(e->source, sizeof(e->source), name);
	return r;
}

int
record_load(int dirfd, const char *id, struct record *out, struct err *e)
{
	auto_free char *text = NULL;
	char name[FILE_NAME_MAX];
	char temp[FILE_NAME_MAX];
	struct record rec = {0};
	size_t len;
	int r;

	if (!record_id_valid(id))
		return err_set(e, -EINVAL, NULL, 0, "no VM's id: \"%s\"", id);
	file_names(id, name, temp);
	r = statefile_read(dirfd, name, RECORD_BYTES_MAX, &text, &len, e);
	if (r == 0)
		r = parse_file(name, text, len, &rec, e);
	if (r == 0 && !str_equal(rec.id, id)) {
		r = err_set(e, -EINVAL, name, 0, "the record of VM %s", rec.id);
		record_fini(&rec);
	}
	if (r == 0)
		*out = rec;
	return r;
}

void
record_remove(int dirfd, const char *id)
{
	char name[FILE_NAME_MAX];
	char temp[FILE_NAME_MAX];

	if (!record_id_valid(id))
		return;
	file_names(id, name, temp);
	(void)unlinkat(dirfd, name, 0);
	(void)unlinkat(dirfd, temp, 0);
}

void
record_fini(struct record *r)
{
	r->n_threads = 0;
	drop_masks(r);
	free(r->threads);
	*r = (struct record){0};
}

// SPDX-License-Identifier: MIT
/*
 * The masks a VM's threads had before they were first touched, as text and as file.
 *
 * The text is strict: a record decides how far a VM may ever spread, so one that is not
 * wholly understood is no record. threads[] is ascending by tid, each tid once.
 */
#include "config.h"

#include "act/record.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "act/bootid.h"
#include "act/statefile.h"
#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"

#define RECORD_VERSION 1u

/* A thread takes some 60 bytes and its cpulist; what is longer on average is not saved
 * either, so what is saved can be loaded. */
#define RECORD_BYTES_MAX (RECORD_THREADS_MAX * 256u)

/* A thread is at most four members and its place in the array; the rest is a handful.
 */
#define RECORD_VALUES_MAX (RECORD_THREADS_MAX * 5u + 64u)
#define RECORD_DEPTH_MAX 3u

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

static bool
add_thread(struct record *r, const struct record_thread *t)
{
	size_t at = position_of(r, t->tid);

	if (has_at(r, at, t->tid)) {
		if (r->threads[at].start_ticks == t->start_ticks &&
			r->threads[at].pid == t->pid)
			return false;
		r->threads[at] = *t;
		return true;
	}
	if (r->n_threads == RECORD_THREADS_MAX)
		return false;
	r->threads =
		xgrow(r->threads, r->n_threads, &r->cap_threads, sizeof(*r->threads));
	memmove(&r->threads[at + 1], &r->threads[at],
		(r->n_threads - at) * sizeof(*r->threads));
	r->threads[at] = *t;
	r->n_threads++;
	return true;
}

bool
record_add(struct record *r, pid_t tid, uint64_t start_ticks, const struct cpuset *cpus)
{
	const struct record_thread t = {
		.tid = tid, .start_ticks = start_ticks, .cpus = *cpus};

	return add_thread(r, &t);
}

bool
record_add_helper(struct record *r, pid_t pid, pid_t tid, uint64_t start_ticks,
	const struct cpuset *cpus)
{
	const struct record_thread t = {
		.tid = tid, .pid = pid, .start_ticks = start_ticks, .cpus = *cpus};

	return add_thread(r, &t);
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

static json_t *
thread_to_json(const struct record_thread *t)
{
	char cpus[CPUSET_TEXT_MAX];
	json_t *obj = must_have(json_pack("{s:I, s:I, s:s}", "tid", (json_int_t)t->tid,
		"start_ticks", (json_int_t)t->start_ticks, "cpus",
		cpuset_format(&t->cpus, cpus, sizeof(cpus))));

	if (t->pid != 0 && json_object_set_new(obj, "pid", json_integer(t->pid)) < 0)
		abort();
	return obj;
}

static void
add_wide(json_t *obj, const struct record_wide *wide)
{
	char idle[CPUSET_TEXT_MAX];
	json_t *value = must_have(
		json_pack("{s:I, s:s, s:I}", "until_us", (json_int_t)wide->until_us,
			"idle", cpuset_format(&wide->idle, idle, sizeof(idle)),
			"waited_pct", (json_int_t)wide->waited));

	if (json_object_set_new(obj, "widened", value) < 0)
		abort();
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
	if (r->restored && json_object_set_new(obj, "restored", json_true()) < 0)
		abort();
	text = json_dumps(obj, JSON_COMPACT);
	if (text == NULL)
		abort();
	return text;
}

static int
bad_member(struct err *e, const char *key, int r)
{
	const char *why = "is of another type";

	if (r == -ENOENT)
		why = "is missing";
	else if (r == -ERANGE)
		why = "is out of range";
	return err_set(e, -EINVAL, NULL, 0, "not a record: \"%s\" %s", key, why);
}

static int
get_number(
	const json_t *obj, const char *key, uint64_t max, uint64_t *out, struct err *e)
{
	int r = json_get_uint(obj, key, max, out);

	return r < 0 ? bad_member(e, key, r) : 0;
}

/* A pid or tid: 0 and negative ones mean something else to the kernel. */
static int
get_pid(const json_t *obj, const char *key, pid_t *out, struct err *e)
{
	uint64_t n = 0;
	int r = json_get_uint(obj, key, INT_MAX, &n);

	if (r == 0 && n == 0)
		r = -ERANGE;
	if (r < 0)
		return bad_member(e, key, r);
	*out = (pid_t)n;
	return 0;
}

static int
get_string(const json_t *obj, const char *key, const char **out, struct err *e)
{
	int r = json_get_string(obj, key, out);

	return r < 0 ? bad_member(e, key, r) : 0;
}

static int
get_cpus(const json_t *obj, const char *key, struct cpuset *out, struct err *e)
{
	const char *text;
	int r = get_string(obj, key, &text, e);

	if (r < 0)
		return r;
	r = cpuset_parse(text, out);
	if (r < 0)
		return err_set(e, -EINVAL, NULL, 0,
			"not a record: \"%s\" is no CPU list", key);
	return 0;
}

/* Version and boot first: the rest of another version's or boot's means nothing. */
static int
check_epoch(const json_t *obj, const char *boot_id, struct err *e)
{
	const char *text;
	uint64_t version;
	int r;

	r = get_number(obj, "version", INT_MAX, &version, e);
	if (r == 0 && version != RECORD_VERSION)
		r = err_set(e, -EINVAL, NULL, 0, "a record of version %u, not %u",
			(unsigned int)version, RECORD_VERSION);
	if (r < 0)
		return r;
	r = get_string(obj, "boot_id", &text, e);
	if (r == 0 && !str_equal(text, boot_id))
		r = err_set(e, -ESTALE, NULL, 0, "a record of another boot");
	return r;
}

static int
read_head(const json_t *obj, struct record *out, struct err *e)
{
	const char *id;
	int restored = 0;
	int placed;
	int r;

	r = get_string(obj, "id", &id, e);
	if (r == 0 && !record_id_valid(id))
		r = err_set(e, -EINVAL, NULL, 0, "not a record: \"id\" is no VM's");
	if (r == 0)
		r = get_pid(obj, "pid", &out->pid, e);
	if (r == 0)
		r = get_number(obj, "start_ticks", INT64_MAX, &out->start_ticks, e);
	if (r == 0)
		r = get_cpus(obj, "limit", &out->limit, e);
	if (r < 0)
		return r;
	r = json_get_bool(obj, "placed", &placed);
	if (r < 0)
		return bad_member(e, "placed", r);
	r = json_get_bool(obj, "restored", &restored);
	if (r < 0 && r != -ENOENT)
		return bad_member(e, "restored", r);
	str_copy(out->id, sizeof(out->id), id);
	out->placed = placed != 0;
	out->restored = restored != 0;
	return 0;
}

static int
read_wide(const json_t *obj, struct record_wide *out, struct err *e)
{
	const json_t *wide = json_object_get(obj, "widened");
	struct record_wide found = {0};
	uint64_t waited = 0;
	int r;

	if (wide == NULL)
		return 0;
	r = get_number(wide, "until_us", INT64_MAX, &found.until_us, e);
	if (r == 0)
		r = get_cpus(wide, "idle", &found.idle, e);
	if (r == 0)
		r = get_number(wide, "waited_pct", 100, &waited, e);
	found.waited = (unsigned int)waited;
	if (r == 0)
		*out = found;
	return r;
}

static int
read_thread(const json_t *item, struct record *out, struct err *e)
{
	struct record_thread t = {0};
	int r;

	r = get_pid(item, "tid", &t.tid, e);
	if (r == 0)
		r = get_number(item, "start_ticks", INT64_MAX, &t.start_ticks, e);
	if (r == 0)
		r = get_cpus(item, "cpus", &t.cpus, e);
	if (r == 0 && json_object_get(item, "pid") != NULL)
		r = get_pid(item, "pid", &t.pid, e);
	if (r < 0)
		return r;
	if (has_at(out, position_of(out, t.tid), t.tid))
		return err_set(e, -EINVAL, NULL, 0, "not a record: thread %d twice",
			(int)t.tid);
	(void)add_thread(out, &t);
	return 0;
}

static int
read_threads(const json_t *obj, struct record *out, struct err *e)
{
	json_t *items;
	int r;

	r = json_get_array(obj, "threads", &items);
	if (r < 0)
		return bad_member(e, "threads", r);
	if (json_array_size(items) > RECORD_THREADS_MAX)
		return err_set(e, -E2BIG, NULL, 0, "a record of more than %u threads",
			RECORD_THREADS_MAX);
	for (size_t i = 0; r == 0 && i < json_array_size(items); i++)
		r = read_thread(json_array_get(items, i), out, e);
	return r;
}

int
record_parse(const char *text, size_t len, const char *boot_id, struct record *out,
	struct err *e)
{
	const struct json_caps caps = {
		.bytes = RECORD_BYTES_MAX,
		.depth = RECORD_DEPTH_MAX,
		.values = RECORD_VALUES_MAX,
	};
	auto_json json_t *obj = NULL;
	struct record rec = {0};
	int r;

	r = json_parse_object(text, len, &caps, &obj, e);
	if (r < 0)
		return r == -EBADMSG ? -EINVAL : r;
	r = check_epoch(obj, boot_id, e);
	if (r == 0)
		r = read_head(obj, &rec, e);
	if (r == 0)
		r = read_wide(obj, &rec.wide, e);
	if (r == 0)
		r = read_threads(obj, &rec, e);
	if (r < 0) {
		record_fini(&rec);
		return r;
	}
	*out = rec;
	return 0;
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
	free(r->threads);
	*r = (struct record){0};
}

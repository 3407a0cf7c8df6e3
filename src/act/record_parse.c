// SPDX-License-Identifier: MIT
/*
 * The text of a record, read strictly: it decides how far a VM may ever spread, so one
 * that is not wholly understood is no record.
 */
#include "config.h"

#include "act/record.h"

#include <errno.h>
#include <limits.h>

#include "act/record_text.h"
#include "base/json.h"
#include "base/str.h"

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
	str_copy(out->id, sizeof(out->id), id);
	out->placed = placed != 0;
	return 0;
}

/* One of the names that @parse knows. Returns 1, 0 (it is absent) or -EINVAL. */
static int
get_name(const json_t *obj, const char *key, int (*parse)(const char *name), int *out,
	struct err *e)
{
	const char *name;
	int r = json_get_string(obj, key, &name);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return bad_member(e, key, r);
	*out = parse(name);
	if (*out < 0)
		return err_set(
			e, -EINVAL, NULL, 0, "not a record: \"%s\" is none", key);
	return 1;
}

/* Absent is false. */
static int
get_mark(const json_t *obj, const char *key, bool *out, struct err *e)
{
	int mark = 0;
	int r = json_get_bool(obj, key, &mark);

	if (r < 0 && r != -ENOENT)
		return bad_member(e, key, r);
	*out = mark != 0;
	return 0;
}

static int
read_mode(const json_t *obj, struct record *out, struct err *e)
{
	int mode = 0;
	int r = get_name(obj, "mode", place_mode_parse, &mode, e);

	out->has_mode = r > 0;
	out->mode = (enum place_mode)mode;
	return r < 0 ? r : 0;
}

static int
by_parse(const char *name)
{
	for (int by = RECORD_BY_TAG; by <= RECORD_BY_DESCRIPTION; by++) {
		if (str_equal(name, record_by_name((enum record_by)by)))
			return by;
	}
	return -1;
}

static int
read_words(const json_t *wish, struct record_wish *out, struct err *e)
{
	int by = RECORD_BY_NOBODY;
	int mode = 0;
	int smt = 0;
	int emulator = 0;
	int r = get_name(wish, "by", by_parse, &by, e);

	if (r >= 0)
		r = get_name(wish, "mode", place_mode_parse, &mode, e);
	out->has_mode = r > 0;
	if (r >= 0)
		r = get_name(wish, "smt", place_smt_parse, &smt, e);
	out->has_smt = r > 0;
	if (r >= 0)
		r = get_name(wish, "emulator", place_emulator_parse, &emulator, e);
	out->has_emulator = r > 0;
	out->by = (enum record_by)by;
	out->mode = (enum place_mode)mode;
	out->smt = (enum place_smt)smt;
	out->emulator = (enum place_emulator)emulator;
	return r < 0 ? r : 0;
}

static int
read_wish(const json_t *obj, struct record_wish *out, struct err *e)
{
	const json_t *wish = json_object_get(obj, "wish");
	struct record_wish found = {.known = true};
	int r;

	if (wish == NULL)
		return 0;
	if (!json_is_object(wish))
		return bad_member(e, "wish", -EINVAL);
	r = read_words(wish, &found, e);
	if (r == 0)
		r = get_mark(wish, "pinning", &found.pinning, e);
	found.has_affinity = json_object_get(wish, "affinity") != NULL;
	if (r == 0 && found.has_affinity)
		r = get_cpus(wish, "affinity", &found.affinity, e);
	if (r == 0)
		*out = found;
	return r;
}

static int
read_marks(const json_t *obj, struct record *out, struct err *e)
{
	int r = get_mark(obj, "restored", &out->restored, e);

	if (r == 0)
		r = get_mark(obj, "untouched", &out->untouched, e);
	return r == 0 ? read_mode(obj, out, e) : r;
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
	struct cpuset home = CPUSET_NONE;
	struct cpuset cpus;
	size_t before;
	int r;

	r = get_pid(item, "tid", &t.tid, e);
	if (r == 0)
		r = get_number(item, "start_ticks", INT64_MAX, &t.start_ticks, e);
	if (r == 0)
		r = get_cpus(item, "cpus", &cpus, e);
	if (r == 0 && json_object_get(item, "pid") != NULL)
		r = get_pid(item, "pid", &t.pid, e);
	if (r == 0 && json_object_get(item, "home") != NULL)
		r = get_cpus(item, "home", &home, e);
	if (r < 0)
		return r;
	before = out->n_threads;
	(void)record_add_helper(out, t.pid, t.tid, t.start_ticks, &cpus);
	if (out->n_threads == before)
		return err_set(e, -EINVAL, NULL, 0, "not a record: thread %d twice",
			(int)t.tid);
	(void)record_set_home(out, t.tid, t.start_ticks, &home);
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
		r = read_marks(obj, &rec, e);
	if (r == 0)
		r = read_wish(obj, &rec.wish, e);
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

// SPDX-License-Identifier: MIT
/*
 * The replies of the queries decoded. Strict: a member that is missing, of another type
 * or out of range refuses the whole reply, since half a truth about threads is worse
 * than none. Members we do not use may be anything. Pure.
 */
#include "config.h"

#include "qmp/facts.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/xalloc.h"

/* The kernel's PID_MAX_LIMIT on 64-bit: no thread id is larger. */
#define TID_MAX (4u * 1024 * 1024)

/* The error for member @key of item @i (negative: the reply itself). */
static int
bad(struct err *e, int r, const char *query, int i, const char *key)
{
	const char *what = r == -ENOENT	  ? "missing"
			   : r == -ERANGE ? "out of range"
			   : r == -E2BIG  ? "too many"
					  : "of a wrong type";

	if (i < 0)
		err_set(e, r, NULL, 0, "%s: %s: %s", query, key, what);
	else
		err_set(e, r, NULL, 0, "%s: item %d: %s: %s", query, i, key, what);
	return r == -ENOENT ? -EINVAL : r;
}

/* The items of a reply that is an array of at most @max objects. */
static int
check_items(const json_t *ret, size_t max, const char *query, struct err *e)
{
	if (!json_is_array(ret))
		return bad(e, -EINVAL, query, -1, "reply");
	if (json_array_size(ret) > max)
		return bad(e, -E2BIG, query, -1, "items");
	for (size_t i = 0; i < json_array_size(ret); i++) {
		if (!json_is_object(json_array_get(ret, i)))
			return bad(e, -EINVAL, query, (int)i, "itself");
	}
	return 0;
}

static int
get_tid(const json_t *item, pid_t *tid)
{
	uint64_t n;
	int r = json_get_uint(item, "thread-id", TID_MAX, &n);

	if (r < 0)
		return r;
	if (n == 0)
		return -ERANGE;
	*tid = (pid_t)n;
	return 0;
}

/* A member of props; -1 when it is not given. */
static int
get_prop(const json_t *props, const char *key, int *out)
{
	uint64_t n;
	int r;

	*out = -1;
	if (props == NULL)
		return 0;
	r = json_get_uint(props, key, INT_MAX, &n);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		*out = (int)n;
	return r;
}

static int
get_props(const json_t *item, struct qmp_vcpu *v, const char **key)
{
	const struct {
		const char *key;
		int *out;
	} members[] = {
		{"node-id", &v->node},
		{"socket-id", &v->socket},
		{"core-id", &v->core},
		{"thread-id", &v->thread},
	};
	json_t *props = NULL;
	int r;

	*key = "props";
	r = json_get_object(item, "props", &props);
	if (r < 0 && r != -ENOENT)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		*key = members[i].key;
		r = get_prop(props, members[i].key, members[i].out);
		if (r < 0)
			return r;
	}
	return 0;
}

/* @key names the member that is wrong. */
static int
get_vcpu(const json_t *item, struct qmp_vcpu *v, const char **key)
{
	uint64_t index;
	int r;

	*key = "cpu-index";
	r = json_get_uint(item, "cpu-index", QMP_VCPUS_MAX - 1, &index);
	if (r < 0)
		return r;
	v->index = (unsigned int)index;
	*key = "thread-id";
	r = get_tid(item, &v->tid);
	if (r < 0)
		return r;
	return get_props(item, v, key);
}

static int
by_index(const void *a, const void *b)
{
	const struct qmp_vcpu *x = a;
	const struct qmp_vcpu *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

int
qmp_facts_status(struct qmp_facts *facts, const json_t *ret, struct err *e)
{
	const char *status;
	int running;
	int r;

	r = json_get_bool(ret, "running", &running);
	if (r < 0)
		return bad(e, r, "query-status", -1, "running");
	r = json_get_string(ret, "status", &status);
	if (r < 0)
		return bad(e, r, "query-status", -1, "status");
	facts->running = running != 0;
	str_escape(status, strlen(status), facts->status, sizeof(facts->status));
	return 0;
}

int
qmp_facts_cpus(struct qmp_facts *facts, const json_t *ret, struct err *e)
{
	static const char query[] = "query-cpus-fast";
	auto_free struct qmp_vcpu *vcpus = NULL;
	const char *key;
	size_t n;
	int r;

	r = check_items(ret, QMP_VCPUS_MAX, query, e);
	if (r < 0)
		return r;
	n = json_array_size(ret);
	vcpus = xcalloc(n, sizeof(*vcpus));
	for (size_t i = 0; i < n; i++) {
		r = get_vcpu(json_array_get(ret, i), &vcpus[i], &key);
		if (r < 0)
			return bad(e, r, query, (int)i, key);
	}
	qsort(vcpus, n, sizeof(*vcpus), by_index);
	for (size_t i = 1; i < n; i++) {
		if (vcpus[i].index == vcpus[i - 1].index)
			return err_set(e, -EINVAL, NULL, 0,
				"%s: vCPU %u is named twice", query, vcpus[i].index);
	}
	free(facts->vcpus);
	facts->vcpus = take_ptr(&vcpus);
	facts->n_vcpus = (unsigned int)n;
	return 0;
}

int
qmp_facts_hotpluggable(struct qmp_facts *facts, const json_t *ret, struct err *e)
{
	static const char query[] = "query-hotpluggable-cpus";
	uint64_t total = 0;
	uint64_t count;
	int r;

	r = check_items(ret, QMP_VCPUS_MAX, query, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < json_array_size(ret); i++) {
		r = json_get_uint(
			json_array_get(ret, i), "vcpus-count", QMP_VCPUS_MAX, &count);
		if (r < 0)
			return bad(e, r, query, (int)i, "vcpus-count");
		total += count;
	}
	if (total > QMP_VCPUS_MAX)
		return bad(e, -E2BIG, query, -1, "vCPUs");
	facts->vcpus_max = (unsigned int)total;
	return 0;
}

int
qmp_facts_iothreads(struct qmp_facts *facts, const json_t *ret, struct err *e)
{
	static const char query[] = "query-iothreads";
	auto_free struct qmp_iothread *iothreads = NULL;
	const char *id;
	size_t n;
	int r;

	r = check_items(ret, QMP_IOTHREADS_MAX, query, e);
	if (r < 0)
		return r;
	n = json_array_size(ret);
	iothreads = xcalloc(n, sizeof(*iothreads));
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(ret, i);
		struct qmp_iothread *t = &iothreads[i];

		r = json_get_string(item, "id", &id);
		if (r < 0)
			return bad(e, r, query, (int)i, "id");
		str_escape(id, strlen(id), t->id, sizeof(t->id));
		r = get_tid(item, &t->tid);
		if (r < 0)
			return bad(e, r, query, (int)i, "thread-id");
	}
	free(facts->iothreads);
	facts->iothreads = take_ptr(&iothreads);
	facts->n_iothreads = (unsigned int)n;
	return 0;
}

/* UTF-8, cut between two characters. */
static void
copy_utf8(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size) {
		len = size - 1;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(out, text, len);
	out[len] = '\0';
}

int
qmp_facts_name(struct qmp_facts *facts, const json_t *ret, struct err *e)
{
	const char *name = "";
	int r;

	if (!json_is_object(ret))
		return bad(e, -EINVAL, "query-name", -1, "reply");
	r = json_get_string(ret, "name", &name);
	if (r < 0 && r != -ENOENT)
		return bad(e, r, "query-name", -1, "name");
	copy_utf8(facts->name, sizeof(facts->name), name);
	return 0;
}

int
qmp_facts_memdevs(struct qmp_facts *facts, const json_t *ret, struct err *e)
{
	return memdevs_read(&facts->memory, ret, e);
}

int
qmp_facts_dimms(struct qmp_facts *facts, const json_t *ret, struct err *e)
{
	return memdevs_read_dimms(&facts->memory, ret, e);
}

void
qmp_facts_fini(struct qmp_facts *facts)
{
	free(facts->vcpus);
	free(facts->iothreads);
	memdevs_fini(&facts->memory);
	*facts = (struct qmp_facts){.running = false};
}

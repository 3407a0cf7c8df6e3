// SPDX-License-Identifier: MIT
/*
 * Answers of a QEMU that is given a private monitor, or loses it: the first byte says
 * which, then a line each, a value in JSON or the text of an error. When there are no
 * more QEMU repeats the last one. It must come to an end, say why where it did not
 * succeed, and never do what belongs to the other goal.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "qmp/private.h"

#define PATH "/run/qmpin/monitor.sock"

struct play {
	struct private p;
	enum private_goal goal;
	const char *rest;
	size_t len;
	json_t *ret;
	char desc[256];
	unsigned int seen[MESSAGE_OBJECT_DEL + 1];
};

/* Take the next line; the last one stays. */
static void
next_answer(struct play *t)
{
	const char *end;
	size_t n;

	if (t->len == 0)
		return;
	end = memchr(t->rest, '\n', t->len);
	n = end != NULL ? (size_t)(end - t->rest) : t->len;
	json_decref(t->ret);
	t->ret = json_loadb(t->rest, n, JSON_DECODE_ANY, NULL);
	str_escape(t->rest, n < 60 ? n : 60, t->desc, sizeof(t->desc));
	n += end != NULL;
	t->rest += n;
	t->len -= n;
}

static void
check_command(struct play *t, enum message_command c)
{
	bool looks = c == MESSAGE_QUERY_CHARDEV || c == MESSAGE_QOM_LIST_OBJECTS;
	bool adds = c == MESSAGE_CHARDEV_ADD || c == MESSAGE_OBJECT_ADD;

	assert(looks || adds || c == MESSAGE_CHARDEV_REMOVE || c == MESSAGE_OBJECT_DEL);
	assert(!adds || t->goal == PRIVATE_ADD);
	assert(c != MESSAGE_OBJECT_DEL || t->goal == PRIVATE_REMOVE);
	/* only what was made just now is undone */
	assert(c != MESSAGE_CHARDEV_REMOVE || t->goal == PRIVATE_REMOVE ||
		t->seen[MESSAGE_CHARDEV_ADD] > 0);
	t->seen[c]++;
	assert(t->seen[c] == 1 || c == MESSAGE_QUERY_CHARDEV);
}

static void
check_end(const struct play *t, enum private_outcome outcome)
{
	bool good = outcome == PRIVATE_ADDED || outcome == PRIVATE_THERE ||
		    outcome == PRIVATE_REMOVED;

	assert(outcome != PRIVATE_BUSY && outcome <= PRIVATE_FAILED);
	assert(good != err_is_set(private_why(&t->p)));
	assert(!good || (outcome == PRIVATE_REMOVED) == (t->goal == PRIVATE_REMOVE));
	assert(outcome != PRIVATE_ADDED || t->seen[MESSAGE_OBJECT_ADD] == 1);
	assert(outcome != PRIVATE_THERE || t->seen[MESSAGE_OBJECT_ADD] == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum private_outcome outcome = PRIVATE_BUSY;
	unsigned int answers = 0;
	struct play t = {.ret = NULL};

	if (size == 0)
		return 0;
	t.goal = data[0] % 2 == 0 ? PRIVATE_REMOVE : PRIVATE_ADD;
	t.rest = (const char *)data + 1;
	t.len = size - 1;
	private_init(&t.p, t.goal, PATH);
	while (outcome == PRIVATE_BUSY) {
		check_command(&t, private_next(&t.p));
		next_answer(&t);
		outcome = private_answer(&t.p, t.ret, t.ret != NULL ? NULL : t.desc);
		answers++;
		assert(answers <= PRIVATE_ANSWERS_MAX);
	}
	check_end(&t, outcome);
	json_decref(t.ret);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * The order of a QMP session. Only a reply with the id of a command of ours that still
 * waits counts. Others are skipped: QEMU gives a client the replies to what the client
 * before it asked, even ahead of the greeting. Pure.
 */
#include "config.h"

#include "qmp/session.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "qmp/message.h"

/* What one observation asks, in this order on the wire. A machine may not know the
 * optional ones; the others every QEMU since 2.12 answers. Without the answers that are
 * extra, or with nonsense in them, there are facts all the same. */
static const struct query {
	enum message_command command;
	bool optional;
	bool extra;
	int (*decode)(struct qmp_facts *facts, const json_t *ret, struct err *e);
} queries[] = {
	{MESSAGE_QUERY_STATUS, false, false, qmp_facts_status},
	{MESSAGE_QUERY_CPUS_FAST, false, false, qmp_facts_cpus},
	{MESSAGE_QUERY_HOTPLUGGABLE_CPUS, true, false, qmp_facts_hotpluggable},
	{MESSAGE_QUERY_IOTHREADS, true, false, qmp_facts_iothreads},
	{MESSAGE_QUERY_NAME, true, false, qmp_facts_name},
	{MESSAGE_QUERY_MEMDEV, true, true, qmp_facts_memdevs},
	{MESSAGE_QUERY_MEMORY_DEVICES, true, true, qmp_facts_dimms},
};

#define ALL_ANSWERED ((1u << ARRAY_LEN(queries)) - 1)

static void
set_state(struct session *s, enum session_state state)
{
	static const unsigned int legal[] = {
		[SESSION_GREETING] = 1u << SESSION_CAPABILITIES | 1u << SESSION_ENDED,
		[SESSION_CAPABILITIES] = 1u << SESSION_READY | 1u << SESSION_ENDED,
		[SESSION_READY] = 1u << SESSION_ENDED,
		[SESSION_ENDED] = 0,
	};

	assert((legal[s->state] & 1u << state) != 0);
	s->state = state;
}

static enum session_tell
end(struct session *s, enum session_tell how)
{
	set_state(s, SESSION_ENDED);
	s->deadline_us = SESSION_NEVER;
	return how;
}

static uint64_t
send_command(struct session *s, enum message_command command, const char *path)
{
	s->last_id++;
	message_command_format(command, s->last_id, path, &s->out);
	return s->last_id;
}

/* What is being waited for, in words; NULL: nothing. */
static const char *
awaited(const struct session *s)
{
	if (s->state == SESSION_GREETING)
		return "greeting";
	if (s->state == SESSION_CAPABILITIES)
		return "the answer to qmp_capabilities";
	for (size_t i = 0; s->observing && i < ARRAY_LEN(queries); i++) {
		if ((s->answered & 1u << i) == 0)
			return message_command_name(queries[i].command);
	}
	if (s->command_id != 0)
		return "the answer to a command";
	return NULL;
}

void
session_init(struct session *s, uint64_t now_us, const struct session_terms *terms)
{
	*s = (struct session){
		.state = SESSION_GREETING,
		.deadline_us = now_us + terms->session_us,
		.query_us = terms->query_us,
		.last_id = terms->last_id,
		.why = ERR_NONE,
	};
}

void
session_fini(struct session *s)
{
	frame_fini(&s->frame);
	strbuf_fini(&s->out);
	qmp_facts_fini(&s->facts);
	message_fini(&s->answer);
}

void
session_observe(struct session *s)
{
	s->wanted = true;
}

void
session_command(struct session *s, enum message_command command, const char *path,
	uint64_t now_us)
{
	assert(s->state == SESSION_READY && s->command_id == 0);
	s->command_id = send_command(s, command, path);
	s->deadline_us = now_us + s->query_us;
}

static void
begin_observation(struct session *s, uint64_t now_us)
{
	qmp_facts_fini(&s->facts);
	err_clear(&s->why);
	s->wanted = false;
	s->observing = true;
	s->answered = 0;
	s->first_id = s->last_id + 1;
	if (s->deadline_us == SESSION_NEVER) /* else the first one holds for all */
		s->deadline_us = now_us + s->query_us;
	for (size_t i = 0; i < ARRAY_LEN(queries); i++)
		(void)send_command(s, queries[i].command, NULL);
}

static void
drop_deadline(struct session *s)
{
	if (s->command_id == 0 && !s->observing)
		s->deadline_us = SESSION_NEVER;
}

static enum session_tell
end_observation(struct session *s, struct session_told *told)
{
	s->observing = false;
	drop_deadline(s);
	if (err_is_set(&s->why)) {
		told->why = s->why;
		return SESSION_NO_FACTS;
	}
	if (s->facts.vcpus_max < s->facts.n_vcpus)
		s->facts.vcpus_max = s->facts.n_vcpus;
	s->facts.version = s->version;
	told->facts = &s->facts;
	return SESSION_FACTS;
}

static enum session_tell
on_query_reply(struct session *s, const struct message *m, struct session_told *told)
{
	const struct query *query;
	uint64_t slot = m->id - s->first_id; /* wraps when it is an older one */

	if (!s->observing || slot >= ARRAY_LEN(queries) ||
		(s->answered & 1u << slot) != 0)
		return SESSION_NOTHING;
	query = &queries[slot];
	s->answered |= 1u << slot;
	if (m->kind == MESSAGE_RETURN)
		(void)query->decode(&s->facts, m->ret, query->extra ? NULL : &s->why);
	else if (!query->optional)
		(void)err_set(&s->why, -EPROTO, NULL, 0, "%s was refused: %s",
			message_command_name(query->command), m->desc);
	if (s->answered != ALL_ANSWERED)
		return SESSION_NOTHING;
	return end_observation(s, told);
}

static enum session_tell
on_capabilities_reply(
	struct session *s, const struct message *m, struct session_told *told)
{
	if (m->id != s->caps_id)
		return SESSION_NOTHING;
	if (m->kind == MESSAGE_ERROR) {
		(void)err_set(&told->why, -EPROTO, NULL, 0, "%s was refused: %s",
			message_command_name(MESSAGE_CAPABILITIES), m->desc);
		return end(s, SESSION_BROKEN);
	}
	set_state(s, SESSION_READY);
	drop_deadline(s);
	return SESSION_UP;
}

static enum session_tell
on_greeting(struct session *s, const struct message *m, struct session_told *told)
{
	if (s->state != SESSION_GREETING) {
		(void)err_set(&told->why, -EPROTO, NULL, 0, "greeted twice");
		return end(s, SESSION_BROKEN);
	}
	s->version = m->version;
	s->caps_id = send_command(s, MESSAGE_CAPABILITIES, NULL);
	set_state(s, SESSION_CAPABILITIES);
	return SESSION_GREETED;
}

/* The answer outlives @m. */
static enum session_tell
on_command_reply(struct session *s, struct message *m, struct session_told *told)
{
	s->command_id = 0;
	drop_deadline(s);
	s->answer = *m;
	*m = (struct message){.id = 0};
	told->ret = s->answer.ret;
	told->desc = s->answer.desc;
	return SESSION_ANSWER;
}

static enum session_tell
on_reply(struct session *s, struct message *m, struct session_told *told)
{
	if (s->state == SESSION_CAPABILITIES)
		return on_capabilities_reply(s, m, told);
	if (s->state != SESSION_READY || m->id == 0)
		return SESSION_NOTHING;
	if (m->id == s->command_id)
		return on_command_reply(s, m, told);
	return on_query_reply(s, m, told);
}

static enum session_tell
on_message(struct session *s, struct message *m, struct session_told *told)
{
	switch (m->kind) {
	case MESSAGE_GREETING:
		return on_greeting(s, m, told);
	case MESSAGE_EVENT:
		told->event = m->event;
		return SESSION_EVENT;
	case MESSAGE_RETURN:
	case MESSAGE_ERROR:
		break;
	}
	return on_reply(s, m, told);
}

enum session_tell
session_feed(struct session *s, struct frame_span *in, struct session_told *told)
{
	enum session_tell tell = SESSION_NOTHING;
	struct frame_span object;
	struct message m;
	int r;

	err_clear(&told->why);
	message_fini(&s->answer);
	while (tell == SESSION_NOTHING && s->state != SESSION_ENDED) {
		r = frame_next(&s->frame, in, &object, &told->why);
		if (r == 0)
			break;
		if (r > 0)
			r = message_parse(object.bytes, object.len, &m, &told->why);
		if (r < 0)
			return end(s, SESSION_BROKEN);
		tell = on_message(s, &m, told);
		message_fini(&m);
	}
	return tell;
}

bool
session_is_busy(const struct session *s)
{
	return s->state == SESSION_CAPABILITIES ||
	       (s->state == SESSION_READY && (s->observing || s->command_id != 0));
}

bool
session_is_wanted(const struct session *s)
{
	return s->wanted;
}

enum session_tell
session_check(struct session *s, uint64_t now_us, struct session_told *told)
{
	if (s->deadline_us == SESSION_NEVER || now_us < s->deadline_us)
		return SESSION_NOTHING;
	s->deadline_us = SESSION_NEVER;
	err_clear(&told->why);
	(void)err_set(&told->why, -ETIMEDOUT, NULL, 0, "does not answer (%s awaited%s)",
		awaited(s),
		s->state == SESSION_GREETING
			? ": it is stopped, or another client holds its monitor"
			: "");
	return SESSION_STALLED;
}

enum session_tell
session_close(struct session *s, int err, struct session_told *told)
{
	const char *before = awaited(s);

	if (s->state == SESSION_ENDED)
		return SESSION_NOTHING;
	err_clear(&told->why);
	(void)err_set(&told->why, err, NULL, 0, "%s%s%s%s",
		err < 0 ? strerror(-err) : "closed by the peer",
		before != NULL ? " (" : "", before != NULL ? before : "",
		before != NULL ? " awaited)" : "");
	return end(s, SESSION_CLOSED);
}

uint64_t
session_deadline_us(const struct session *s)
{
	return s->deadline_us;
}

struct frame_span
session_output(struct session *s, uint64_t now_us)
{
	if (s->state == SESSION_ENDED)
		return (struct frame_span){"", 0};
	if (s->state != SESSION_GREETING && s->wanted && !s->observing)
		begin_observation(s, now_us);
	return (struct frame_span){strbuf_text(&s->out), s->out.len};
}

void
session_sent(struct session *s, size_t n)
{
	strbuf_drop(&s->out, n);
}

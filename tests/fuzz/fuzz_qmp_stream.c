// SPDX-License-Identifier: MIT
/*
 * Any bytes into a QMP session. The first byte seeds the cuts: what is told must be the
 * same for the stream in one piece and in many. The unit tests replay the corpus.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "qmp/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool fact, const char *what)
{
	if (fact)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static void
note_facts(struct strbuf *log, const struct qmp_facts *facts)
{
	strbuf_addf(log, "facts %d %s %s %u:", facts->running, facts->status,
		facts->name, facts->vcpus_max);
	require(facts->vcpus_max >= facts->n_vcpus, "all vCPUs are possible");
	for (unsigned int i = 0; i < facts->n_vcpus; i++) {
		require(facts->vcpus[i].tid > 0, "thread ids are positive");
		require(i == 0 || facts->vcpus[i - 1].index < facts->vcpus[i].index,
			"vCPUs ascend");
		strbuf_addf(log, " %u=%d", facts->vcpus[i].index, facts->vcpus[i].tid);
	}
	for (unsigned int i = 0; i < facts->n_iothreads; i++) {
		require(facts->iothreads[i].tid > 0, "thread ids are positive");
		strbuf_addf(
			log, " %s=%d", facts->iothreads[i].id, facts->iothreads[i].tid);
	}
	strbuf_adds(log, "\n");
}

static void
note(struct strbuf *log, enum session_tell tell, const struct session_told *told)
{
	if (tell == SESSION_FACTS)
		note_facts(log, told->facts);
	else if (tell == SESSION_EVENT)
		strbuf_addf(log, "event %d %s\n", told->event.kind, told->event.name);
	else if (tell == SESSION_UP)
		strbuf_adds(log, "up\n");
	else
		strbuf_addf(log, "%d %s\n", tell, told->why.text);
}

/* One piece; after each thing told the owner wants facts again and all is sent. */
static void
feed(struct session *s, const uint8_t *data, size_t size, struct strbuf *log)
{
	auto_free char *copy = xmemdupz((const char *)data, size);
	struct frame_span in = {copy, size};
	struct session_told told;
	enum session_tell tell;

	while ((tell = session_feed(s, &in, &told)) != SESSION_NOTHING) {
		note(log, tell, &told);
		session_observe(s);
		session_sent(s, session_output(s, 0).len);
	}
	require(in.len == 0 || s->state == SESSION_ENDED, "all input is taken");
}

/* @most: bytes a piece, drawn by @seed */
static void
run(const uint8_t *data, size_t size, size_t most, unsigned int seed,
	struct strbuf *log)
{
	struct session_told told;
	struct session s;
	size_t n;

	session_init(
		&s, 0, &(struct session_terms){.session_us = 1000, .query_us = 1000});
	for (; size > 0; data += n, size -= n) {
		seed = seed * 1103515245u + 12345u;
		n = (seed >> 8) % most + 1;
		n = most == SIZE_MAX || n > size ? size : n;
		feed(&s, data, n, log);
	}
	if (session_check(&s, 2000, &told) != SESSION_NOTHING)
		strbuf_addf(log, "%s\n", told.why.text);
	if (session_close(&s, 0, &told) != SESSION_NOTHING)
		strbuf_addf(log, "%s\n", told.why.text);
	require(s.state == SESSION_ENDED, "a closed session has ended");
	session_fini(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf whole = {0};
	struct strbuf pieces = {0};

	if (size == 0)
		return 0;
	run(data + 1, size - 1, SIZE_MAX, 0, &whole);
	run(data + 1, size - 1, 64, data[0], &pieces);
	require(strcmp(strbuf_text(&whole), strbuf_text(&pieces)) == 0,
		"the cuts change nothing");
	strbuf_fini(&whole);
	strbuf_fini(&pieces);
	return 0;
}

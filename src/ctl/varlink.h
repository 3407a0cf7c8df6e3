// SPDX-License-Identifier: MIT
/*
 * The varlink wire format: JSON objects, each ended by a NUL byte. Cuts a byte stream
 * into messages, reads and writes requests and replies, all under caps. Pure.
 *
 * Source: varlink.org, "Method Call" and "Method Reply".
 */
#ifndef QMPIN_CTL_VARLINK_H
#define QMPIN_CTL_VARLINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

/* Longest request that is read. The interface's own are below 1 KiB; a list of every VM
 * of a large host as `ids` fits. */
#define VARLINK_REQUEST_MAX (64u * 1024u)

/* Longest reply the client reads, and the most values in it: the latencies of 2048 CPUs
 * (CPUSET_CAP) are four million numbers of about seven bytes. */
#define VARLINK_REPLY_MAX (40u * 1024u * 1024u)
#define VARLINK_REPLY_VALUES_MAX ((size_t)2048 * 2048 + (1u << 18))

/* Collects bytes and gives out messages. */
struct varlink_framer {
	struct strbuf buf;
	size_t start;	/* first byte of the message being collected */
	size_t scanned; /* there is no NUL in [start, scanned) */
	size_t max;	/* longest message, without its NUL */
};

void varlink_framer_init(struct varlink_framer *f, size_t max);
void varlink_framer_fini(struct varlink_framer *f);

void varlink_framer_add(struct varlink_framer *f, const char *bytes, size_t len);

/**
 * The next whole message, without its NUL.
 *
 * @text  borrowed until the next call for this framer
 *
 * Returns 1, 0 (none yet) or -E2BIG (longer than the cap: the stream is lost).
 */
MUST_CHECK int varlink_framer_next(
	struct varlink_framer *f, const char **text, size_t *len);

/** Bytes of a message that is not whole are there. */
bool varlink_framer_has_begun(const struct varlink_framer *f);

/* Strings and parameters are borrowed from message, which is owned. */
struct varlink_request {
	const char *method; /* with its interface: "io.qmpin.GetStatus" */
	json_t *parameters; /* an object, never NULL */
	bool more;
	bool oneway;
	bool upgrade;
	json_t *message;
};

/**
 * Read a request. Absent parameters are an empty object; unknown members are ignored.
 *
 * @out  written only on success; varlink_request_fini
 *
 * Returns 0, -E2BIG (over a cap) or -EBADMSG (not a request).
 */
MUST_CHECK int varlink_request_decode(
	const char *text, size_t len, struct varlink_request *out, struct err *e);
void varlink_request_fini(struct varlink_request *request);

/* As in varlink_request. error: its full name, NULL when the call went well. */
struct varlink_reply {
	const char *error;
	json_t *parameters;
	bool continues;
	json_t *message;
};

/** Read a reply; as varlink_request_decode. */
MUST_CHECK int varlink_reply_decode(
	const char *text, size_t len, struct varlink_reply *out, struct err *e);
void varlink_reply_fini(struct varlink_reply *reply);

/**
 * Write a message; @parameters (an object) is stolen.
 *
 * @len  its length with the NUL, which is part of the message
 *
 * Returns the bytes; free() them. Never NULL.
 */
MUST_CHECK char *varlink_request_encode(
	const char *method, json_t *parameters, bool more, size_t *len);
MUST_CHECK char *varlink_reply_encode(
	const char *error, json_t *parameters, bool continues, size_t *len);

#endif

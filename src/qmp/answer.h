// SPDX-License-Identifier: MIT
/*
 * What a client of the proxy is told without asking QEMU: the greeting, the negotiation
 * of capabilities, refusals; worded as QEMU 7.2 does. Pure.
 */
#ifndef QMPIN_QMP_ANSWER_H
#define QMPIN_QMP_ANSWER_H

#include <stdbool.h>

#include "qmp/frame.h"
#include "qmp/request.h"

/** Append QEMU's @greeting without capabilities: commands out of band would overtake
 * those of other clients, so they are not offered. */
void answer_greeting(struct frame_span greeting, struct strbuf *out);

/** Append the answer to qmp_capabilities. Returns true when it is a success. */
bool answer_capabilities(const struct request *r, bool again, struct strbuf *out);

/**
 * Append an error.
 *
 * @id    of the command, as the client wrote it; len 0: none
 * @desc  escaped for JSON
 */
void answer_error(
	struct frame_span id, const char *class, const char *desc, struct strbuf *out);

#endif

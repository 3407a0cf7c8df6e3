// SPDX-License-Identifier: MIT
/*
 * One QMP message: what QEMU said, told apart, and the few things that are ever said to
 * it. Pure.
 *
 * Source: QEMU's docs/interop/qmp-spec.
 */
#ifndef QMPIN_QMP_MESSAGE_H
#define QMPIN_QMP_MESSAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "qmp/event.h"
#include "qmp/facts.h"

enum message_kind {
	MESSAGE_GREETING,
	MESSAGE_RETURN,
	MESSAGE_ERROR,
	MESSAGE_EVENT,
};

struct message {
	enum message_kind kind;
	struct qmp_version version; /* GREETING */
	uint64_t id;		/* RETURN, ERROR: of our command; 0: none or not ours */
	const json_t *ret;	/* RETURN; borrowed from json */
	const char *desc;	/* ERROR: as QEMU words it, not escaped; from json */
	struct qmp_event event; /* EVENT */
	json_t *json;		/* owned */
};

/**
 * Read one message.
 *
 * @out  written only on success; free with message_fini
 *
 * Returns 0, -E2BIG (over the caps of qmp/frame.h) or -EBADMSG (not JSON, or not QMP).
 */
MUST_CHECK int message_parse(
	const char *text, size_t len, struct message *out, struct err *e);

void message_fini(struct message *m);

/* All that is ever sent on our own behalf. The queries are constant and read-only; the
 * last four make or remove our private monitor, and one of them carries the path that
 * QEMU is to dial. Never among them: qom-list-types, which loads all of QEMU's modules
 * (20-40 ms of its main loop, 5 MB) and aborts QEMU when the files are of another
 * build, as after an upgrade of its package; query-qmp-schema, which costs the VM 15-20
 * MB. */
enum message_command {
	MESSAGE_CAPABILITIES,
	MESSAGE_QUERY_STATUS,
	MESSAGE_QUERY_CPUS_FAST,
	MESSAGE_QUERY_HOTPLUGGABLE_CPUS,
	MESSAGE_QUERY_IOTHREADS,
	MESSAGE_QUERY_NAME,
	MESSAGE_QUERY_MEMDEV,
	MESSAGE_QUERY_MEMORY_DEVICES,
	MESSAGE_QUERY_CHARDEV,
	MESSAGE_QOM_LIST_OBJECTS,
	MESSAGE_CHARDEV_ADD,
	MESSAGE_CHARDEV_REMOVE,
	MESSAGE_OBJECT_ADD,
	MESSAGE_OBJECT_DEL,
	MESSAGE_COMMANDS, /* how many */
};

/** As QEMU calls it: "query-status". */
const char *message_command_name(enum message_command command);

/**
 * Append the command and its newline.
 *
 * @id    not 0; the reply carries it
 * @path  for MESSAGE_CHARDEV_ADD, in UTF-8; ignored otherwise
 */
void message_command_format(enum message_command command, uint64_t id, const char *path,
	struct strbuf *out);

#endif

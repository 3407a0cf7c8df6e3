// SPDX-License-Identifier: MIT
/* Members are in QEMU's order: an id comes first in errors and last in returns. Pure.
 */
#include "config.h"

#include "qmp/answer.h"

#include <string.h>

#include "qmp/jstring.h"
#include "qmp/member.h"

void
answer_greeting(struct frame_span greeting, struct strbuf *out)
{
	struct frame_span version = {"{}", 2};
	struct frame_span qmp;

	if (member_find(greeting, "QMP", &qmp))
		(void)member_find(qmp, "version", &version);
	strbuf_adds(out, "{\"QMP\": {\"version\": ");
	strbuf_add(out, version.bytes, version.len);
	strbuf_adds(out, ", \"capabilities\": []}}\r\n");
}

void
answer_error(
	struct frame_span id, const char *class, const char *desc, struct strbuf *out)
{
	strbuf_adds(out, "{");
	if (id.len > 0) {
		strbuf_adds(out, "\"id\": ");
		jstring_lay_out(id, out);
		strbuf_adds(out, ", ");
	}
	strbuf_addf(out, "\"error\": {\"class\": \"%s\", \"desc\": \"", class);
	strbuf_adds(out, desc);
	strbuf_adds(out, "\"}}\r\n");
}

static void
answer_success(struct frame_span id, struct strbuf *out)
{
	strbuf_adds(out, "{\"return\": {}");
	if (id.len > 0) {
		strbuf_adds(out, ", \"id\": ");
		jstring_lay_out(id, out);
	}
	strbuf_adds(out, "}\r\n");
}

static void
fault_in_enable(struct frame_span list, struct strbuf *desc)
{
	struct frame_span first;
	char name[32];

	if (list.bytes[0] != '[') {
		strbuf_adds(
			desc, "Invalid parameter type for 'enable', expected: array");
		return;
	}
	if (!member_first_item(list, &first))
		return;
	if (jstring_decode(first, name, sizeof(name)) < 0) {
		strbuf_adds(desc,
			"Invalid parameter type for 'enable[0]', expected: string");
	} else if (strcmp(name, "oob") == 0) {
		strbuf_adds(desc, "Capability oob not available");
	} else {
		strbuf_adds(desc, "Parameter 'null' does not accept value '");
		jstring_escape(name, strlen(name), desc);
		strbuf_adds(desc, "'");
	}
}

/* What is wrong with the arguments of qmp_capabilities; nothing is added if nothing. */
static void
find_fault(struct frame_span arguments, struct strbuf *desc)
{
	struct member_walk walk = {arguments};
	struct frame_span key;
	struct frame_span value;
	char name[32];

	while (desc->len == 0 && member_next(&walk, &key, &value)) {
		if (jstring_decode(key, name, sizeof(name)) < 0)
			strcpy(name, "...");
		if (strcmp(name, "enable") == 0) {
			fault_in_enable(value, desc);
			continue;
		}
		strbuf_adds(desc, "Parameter '");
		jstring_escape(name, strlen(name), desc);
		strbuf_adds(desc, "' is unexpected");
	}
}

bool
answer_capabilities(const struct request *r, bool again, struct strbuf *out)
{
	struct strbuf desc = {0};
	bool good;

	find_fault(r->arguments, &desc);
	good = desc.len == 0 && !again;
	if (good)
		answer_success(r->id, out);
	else if (desc.len > 0)
		answer_error(r->id, "GenericError", desc.s, out);
	else
		answer_error(r->id, "CommandNotFound",
			"Capabilities negotiation is already complete, command ignored",
			out);
	strbuf_fini(&desc);
	return good;
}

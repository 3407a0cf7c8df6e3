// SPDX-License-Identifier: MIT
/*
 * Fuzzes what a client can send: framing in pieces of any size, requests against the
 * declared parameters, and the same bytes as replies. The first byte is the size of the
 * pieces. Run: fuzz_varlink -dict=tests/fuzz/varlink.dict CORPUS
 */
#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "ctl/idl.h"
#include "ctl/remote.h"
#include "ctl/shapes.h"
#include "ctl/varlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_request(const char *text, size_t len)
{
	static const char *const names[] = {
		"GetStatus", "ListVMs", "SetMode", "Plan", "Probe"};
	struct varlink_request q;
	struct err e = ERR_NONE;
	char bad[16];

	if (varlink_request_decode(text, len, &q, &e) < 0) {
		if (!err_is_set(&e))
			abort();
		return;
	}
	(void)idl_has(ctl_interface_text(), IDL_METHOD_IN, q.method);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)!idl_check(ctl_interface_text(), IDL_METHOD_IN, names[i],
			q.parameters, bad, sizeof(bad));
	(void)!idl_check(
		ctl_interface_text(), IDL_TYPE, "VM", q.parameters, bad, sizeof(bad));
	varlink_request_fini(&q);
}

static void
try_reply(const char *text, size_t len)
{
	struct varlink_reply p;
	struct err e = ERR_NONE;

	if (varlink_reply_decode(text, len, &p, NULL) < 0)
		return;
	if (p.error != NULL && remote_error("X", p.error, p.parameters, &e) == 0)
		abort();
	varlink_reply_fini(&p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct varlink_framer f;
	size_t piece = size > 0 ? data[0] + 1u : 1;
	const char *text;
	size_t len;

	varlink_framer_init(&f, 4096);
	for (size_t at = 1; at < size; at += piece) {
		varlink_framer_add(&f, (const char *)data + at,
			size - at < piece ? size - at : piece);
		while (varlink_framer_next(&f, &text, &len) == 1) {
			try_request(text, len);
			try_reply(text, len);
		}
	}
	varlink_framer_fini(&f);
	return 0;
}

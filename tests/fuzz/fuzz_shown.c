// SPDX-License-Identifier: MIT
/*
 * Names that VMs give themselves, as they are shown: in JSON, metrics and pictures.
 * Whatever is in them, the text around them means what it did, is UTF-8, and holds
 * nothing that misleads who reads it.
 */
#include "config.h"

#include "fuzz.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#include "base/str.h"
#include "ctl/heatmap.h"
#include "ctl/latency.h"
#include "ctl/metrics.h"
#include "ctl/shapes.h"
#include "ctl/utf8.h"
#include "ctl/varlink.h"
#include "ctl/xml.h"
#include "layouts.h"
#include "parts.h"

/* The plain character at @p, or a line's end; returns its length. */
static size_t
expect_plain(const char *p, uint32_t *c)
{
	size_t len = utf8_decode(p, c);

	assert(len > 0 && (utf8_is_plain(*c) || *c == '\n'));
	return len;
}

static size_t
encode(uint32_t c, char out[4])
{
	static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = len - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(first[len] | c);
	return len;
}

/* jansson is of the same mind about what UTF-8 is. */
static void
check_utf8(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	json_t *value = json_string(text);
	bool whole = true;

	for (const char *p = text; *p != '\0';) {
		uint32_t c = 0;
		char again[4];
		size_t n = utf8_decode(p, &c);

		assert(n <= 4);
		whole &= n > 0;
		assert(n == 0 || encode(c, again) == n);
		assert(n == 0 || memcmp(p, again, n) == 0);
		assert(utf8_columns(c) == 1 || utf8_columns(c) == 2);
		p += n > 0 ? n : 1;
	}
	assert(whole == (value != NULL));
	json_decref(value);
}

/* Its character if it is an entity, else what is there. */
static size_t
read_entity(const char *p, uint32_t *c)
{
	static const struct {
		const char *name;
		char c;
	} entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'},
		{"&#39;", '\''}};

	assert(strchr("<>\"'", *p) == NULL);
	if (*p != '&')
		return expect_plain(p, c);
	for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
		*c = (unsigned char)entities[i].c;
		if (str_has_prefix(p, entities[i].name))
			return strlen(entities[i].name);
	}
	abort();
}

/* The first byte says how long it may become. */
static void
check_xml(const char *bytes, size_t len)
{
	size_t max = len > 0 ? (unsigned char)bytes[0] % 40 + 1u : 1;
	auto_free char *text = xmemdupz(bytes, len);
	const char *from = text;
	struct strbuf b = {0};
	size_t n = 0;

	xml_add(&b, text, max);
	for (const char *p = strbuf_text(&b); *p != '\0'; n++) {
		uint32_t c;
		uint32_t was = 0;
		size_t step = utf8_decode(from, &was);

		p += read_entity(p, &c);
		from += step > 0 ? step : 1;
		if (n + 1 == max && *p == '\0' && c == 0x2026)
			continue; /* an ellipsis for all that was left */
		assert(c == (step > 0 && utf8_is_plain(was) ? was : 0xfffd));
	}
	assert(n <= max && b.len == strlen(strbuf_text(&b)));
	strbuf_fini(&b);
}

/* All strings of a VM and of its thread. */
static void
check_reply(const char *bytes, size_t len)
{
	auto_free char *text = xmemdupz(bytes, len);
	const struct ctl_thread thread = {
		.class = "worker", .index = -1, .comm = text, .want = "0", .have = "1"};
	const struct ctl_vm vm = {.id = text,
		.name = text,
		.note = text,
		.last_cause = text,
		.threads = &thread,
		.n_threads = 1};
	json_t *parameters = json_pack("{s:o}", "vm", ctl_vm_json(&vm));
	struct varlink_reply reply;
	struct err e = ERR_NONE;
	size_t size;
	auto_free char *message = NULL;
	int r;

	assert(parameters != NULL);
	message = varlink_reply_encode(NULL, json_incref(parameters), false, &size);
	assert(size > 0 && strlen(message) + 1 == size);
	r = varlink_reply_decode(message, size - 1, &reply, &e);
	assert(r == 0 && json_equal(reply.parameters, parameters));
	varlink_reply_fini(&reply);
	json_decref(parameters);
}

/* NAME="VALUE" up to a comma or the brace that ends them all. */
static const char *
read_label(const char *p)
{
	p += strspn(p, "abcdefghijklmnopqrstuvwxyz_");
	assert(p[0] == '=' && p[1] == '"');
	for (p += 2; *p != '"'; p++) {
		assert(*p != '\0' && *p != '\n');
		if (*p == '\\') {
			p++;
			assert(strchr("\\\"n", *p) != NULL && *p != '\0');
		}
	}
	assert(p[1] == ',' || p[1] == '}');
	return p + 1;
}

static const char *
read_sample(const char *p)
{
	char *end;

	assert(str_has_prefix(p, "qmpin_"));
	p += strspn(p, "abcdefghijklmnopqrstuvwxyz_");
	while (*p == '{' || *p == ',')
		p = read_label(p + 1);
	p += *p == '}';
	assert(*p == ' ');
	(void)strtod(p + 1, &end);
	assert(*end == '\n');
	return end + 1;
}

static unsigned int
read_metrics(const char *id, const char *name)
{
	const struct metrics_vm vm = {.id = id, .name = name, .mode = "pin"};
	const struct metrics_count count = {name, 3};
	const struct metrics m = {.version = name,
		.latency = "model",
		.drifts = {&count, 1},
		.vms = &vm,
		.n_vms = 1};
	auto_free char *text = metrics_text(&m);
	unsigned int lines = 0;
	uint32_t c;

	for (const char *p = text; *p != '\0';)
		p += expect_plain(p, &c);
	for (const char *p = text; *p != '\0'; lines++)
		p = *p == '#' ? strchr(p, '\n') + 1 : read_sample(p);
	return lines;
}

static void
check_metrics(const char *bytes, size_t len)
{
	static unsigned int usual;
	auto_free char *text = xmemdupz(bytes, len);

	if (usual == 0)
		usual = read_metrics("103", "web");
	assert(read_metrics(text, text) == usual);
	assert(read_metrics("103", text) == usual);
}

/* Elements end in the order in which they began, and quotes are closed. */
static void
read_svg(const char *p)
{
	const char *open[16];
	unsigned int depth = 0;

	while ((p = strchr(p, '<')) != NULL) {
		const char *name = ++p;
		size_t len;

		if (*p == '?')
			continue;
		name += *p == '/';
		len = strcspn(name, " \n/>");
		assert(len > 0 && islower((unsigned char)*name));
		if (*p == '/') {
			assert(depth > 0 && strncmp(open[--depth], name, len) == 0);
			assert(strchr(" \n/>", open[depth][len]) != NULL);
		} else {
			assert(depth < ARRAY_LEN(open));
			open[depth++] = name;
		}
		for (p = name; *p != '>'; p++) {
			assert(*p != '<' && *p != '\0');
			if (*p == '"')
				p = strchr(p + 1, '"');
			assert(p != NULL);
		}
		depth -= p[-1] == '/';
	}
	assert(depth == 0);
}

/* Nothing for the terminal but colours. */
static void
read_picture(const char *p)
{
	while (*p != '\0') {
		uint32_t c;

		if (*p == '\x1b') {
			assert(*++p == '[');
			p += 1 + strspn(p + 1, "0123456789;");
			assert(*p++ == 'm');
		} else {
			p += expect_plain(p, &c);
		}
	}
}

static void
check_pictures(const char *bytes, size_t len)
{
	const struct layout host = {
		.packages = 1, .nodes = 2, .l3s = 1, .cores = 2, .threads = 1};
	auto_free char *text = xmemdupz(bytes, len);
	struct topo *t = hosts_build(&host);
	struct ctl_latency l = {.trusted = false};
	struct heatmap_vm vms[] = {{text, text, cpuset_of(1)},
		{"103", text, cpuset_of(0)}, {text, NULL, cpuset_of(3)}};
	struct heatmap h = {.latency = &l, .title = text, .vms = vms, .n_vms = 3};
	auto_free char *svg = NULL;
	auto_free char *plain = NULL;
	auto_free char *coloured = NULL;

	ctl_latency_set_model(&l, t);
	svg = heatmap_svg(&h);
	read_svg(svg);
	h.utf8 = len % 2 == 0;
	plain = heatmap_text(&h, 60, 0);
	read_picture(plain);
	assert(strchr(plain, '\x1b') == NULL);
	coloured = heatmap_text(&h, 60, 256);
	read_picture(coloured);
	ctl_latency_fini(&l);
	topo_free(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static parts_check *const parts[] = {
		check_utf8, check_xml, check_reply, check_metrics, check_pictures};

	parts_run(parts, ARRAY_LEN(parts), data, size);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * The table below is the whole language, for both sides and directions. Messages are
 * handed out in place. Nothing that comes is trusted: what is not exactly a message
 * ends the conversation.
 */
#include "config.h"

#include "pve/pvefeed.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pve/vmconf.h"

static const struct lineframe_caps caps = {.line = PVEFEED_LINE_MAX,
	.buffer = (size_t)VMCONF_BYTES_MAX + PVEFEED_LINE_MAX + (1u << 20),
	.kept = 128u << 10};

enum shape {
	SHAPE_WORD,  /* nothing else */
	SHAPE_VMID,  /* a VMID */
	SHAPE_NAME,  /* a subject */
	SHAPE_WHY,   /* a subject, and the rest of the line */
	SHAPE_LINE,  /* the rest of the line */
	SHAPE_BYTES, /* a subject and a length; so many bytes follow the line */
};

static const struct {
	const char *word;
	enum shape shape;
} table[] = {
	[PVEFEED_ADD] = {"add", SHAPE_VMID},
	[PVEFEED_REMOVE] = {"remove", SHAPE_VMID},
	[PVEFEED_LOOK] = {"look", SHAPE_WORD},
	[PVEFEED_READ] = {"read", SHAPE_WORD},
	[PVEFEED_TEXT] = {"text", SHAPE_BYTES},
	[PVEFEED_NONE] = {"none", SHAPE_NAME},
	[PVEFEED_UNREAD] = {"unread", SHAPE_WHY},
	[PVEFEED_ABSENT] = {"absent", SHAPE_LINE},
	[PVEFEED_BUSY] = {"busy", SHAPE_WORD},
	[PVEFEED_DONE] = {"done", SHAPE_WORD},
};

static const char *const files[PVEFEED_FILES] = {
	[PVEFEED_QMPIN_CONF] = "qmpin.conf",
	[PVEFEED_DATACENTER_CFG] = "datacenter.cfg",
};

char *
pvefeed_name(unsigned int subject, char out[PVEFEED_NAME_MAX])
{
	if (subject < PVEFEED_FILES)
		str_copy(out, PVEFEED_NAME_MAX, files[subject]);
	else
		(void)snprintf(out, PVEFEED_NAME_MAX, "%u", subject);
	return out;
}

int
pvefeed_vmid_parse(const char *text, unsigned int *out)
{
	uint64_t value;

	if (text[0] == '0' || str_parse_uint(text, PVEFEED_VMID_MAX, &value) < 0 ||
		value < PVEFEED_VMID_MIN)
		return -EINVAL;
	*out = (unsigned int)value;
	return 0;
}

void
pvefeed_fini(struct pvefeed *f)
{
	lineframe_fini(&f->frame);
}

int
pvefeed_take(struct pvefeed *f, const char *bytes, size_t len)
{
	return lineframe_add(&f->frame, &caps, bytes, len);
}

/* Cut the word in front of the first blank off *rest; false: there is none. */
static bool
cut_word(char **rest, char **word)
{
	char *blank = strchr(*rest, ' ');

	if (blank == NULL)
		return false;
	*blank = '\0';
	*word = *rest;
	*rest = blank + 1;
	return true;
}

static int
find_kind(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (strcmp(table[i].word, word) == 0)
			return (int)i;
	}
	return -EPROTO;
}

static int
read_subject(const char *name, unsigned int *out)
{
	for (unsigned int i = 0; i < PVEFEED_FILES; i++) {
		if (strcmp(files[i], name) == 0) {
			*out = i;
			return 0;
		}
	}
	return pvefeed_vmid_parse(name, out);
}

static int
read_length(const char *number, size_t *out)
{
	uint64_t value;

	if (str_parse_uint(number, VMCONF_BYTES_MAX, &value) < 0)
		return -EPROTO;
	*out = (size_t)value;
	return 0;
}

/* What follows the word; @rest NULL: nothing does. Of a text m->len is what it should
 * be. */
static int
read_rest(enum shape shape, char *rest, struct pvefeed_message *m)
{
	char *name = rest;

	if (shape == SHAPE_WORD || rest == NULL)
		return shape == SHAPE_WORD && rest == NULL ? 0 : -EPROTO;
	if (shape == SHAPE_VMID)
		return pvefeed_vmid_parse(rest, &m->subject);
	if ((shape == SHAPE_WHY || shape == SHAPE_BYTES) && !cut_word(&rest, &name))
		return -EPROTO;
	if (shape != SHAPE_LINE && read_subject(name, &m->subject) < 0)
		return -EPROTO;
	if (shape == SHAPE_BYTES)
		return read_length(rest, &m->len);
	if (shape == SHAPE_NAME)
		return 0;
	m->text = rest;
	m->len = strlen(rest);
	return 0;
}

static int
read_line(char *line, struct pvefeed_message *m)
{
	char *rest = line;
	char *word = line;
	bool more = cut_word(&rest, &word);
	int kind = find_kind(word);

	if (kind < 0)
		return kind;
	*m = (struct pvefeed_message){.kind = (enum pvefeed_kind)kind};
	return read_rest(table[kind].shape, more ? rest : NULL, m) < 0 ? -EPROTO : 0;
}

int
pvefeed_next(struct pvefeed *f, struct pvefeed_message *out, struct err *e)
{
	char copy[PVEFEED_LINE_MAX]; /* words are cut off it */
	struct pvefeed_message m;
	const char *bytes;
	bool has_bytes;
	char *line;
	size_t len;
	int r = lineframe_line(&f->frame, &caps, &line, &len, e);

	if (r != 1)
		return r;
	memcpy(copy, line, len + 1);
	if (read_line(copy, &m) < 0)
		return lineframe_refuse(&f->frame, e);
	has_bytes = m.kind == PVEFEED_TEXT;
	if (!lineframe_take(&f->frame, has_bytes ? m.len : 0, &bytes))
		return 0;
	if (has_bytes)
		m.text = bytes;
	else if (m.text != NULL)
		m.text = line + (m.text - copy);
	*out = m;
	return 1;
}

/* Room is kept for the word, the name and the newline. */
static void
put_line(struct strbuf *out, const struct pvefeed_message *m)
{
	size_t most = PVEFEED_LINE_MAX - 64;

	for (size_t i = 0; i < m->len && i < most; i++) {
		bool breaks = m->text[i] == '\n' || m->text[i] == '\0';

		strbuf_add(out, breaks ? " " : m->text + i, 1);
	}
}

void
pvefeed_put(struct strbuf *out, const struct pvefeed_message *m)
{
	enum shape shape = table[m->kind].shape;
	char name[PVEFEED_NAME_MAX];

	strbuf_adds(out, table[m->kind].word);
	if (shape != SHAPE_WORD && shape != SHAPE_LINE)
		strbuf_addf(out, " %s", pvefeed_name(m->subject, name));
	if (shape == SHAPE_BYTES) {
		assert(m->len <= VMCONF_BYTES_MAX);
		strbuf_addf(out, " %zu", m->len);
	} else if (shape == SHAPE_WHY || shape == SHAPE_LINE) {
		strbuf_adds(out, " ");
		put_line(out, m);
	}
	strbuf_adds(out, "\n");
	if (shape == SHAPE_BYTES && m->len > 0)
		strbuf_add(out, m->text, m->len);
}

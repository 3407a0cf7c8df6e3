// SPDX-License-Identifier: MIT
/* The varlink wire format: framing under a cap, requests and replies. Pure. */
#include "config.h"

#include "ctl/varlink.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

/* A framer that is empty gives larger memory than this back: most clients send one
 * short request and then only wait. */
#define KEEP_BYTES 4096u

/* Nesting and separators: requests are flat lists, replies rows of small objects. */
static const struct json_caps request_caps = {VARLINK_REQUEST_MAX, 16, 8192};
static const struct json_caps reply_caps = {
	VARLINK_REPLY_MAX, 16, VARLINK_REPLY_VALUES_MAX};

void
varlink_framer_init(struct varlink_framer *f, size_t max)
{
	*f = (struct varlink_framer){.max = max};
}

void
varlink_framer_fini(struct varlink_framer *f)
{
	strbuf_fini(&f->buf);
	f->start = 0;
	f->scanned = 0;
}

static void
compact(struct varlink_framer *f)
{
	if (f->start == 0)
		return;
	if (f->start == f->buf.len && f->buf.cap > KEEP_BYTES)
		strbuf_fini(&f->buf);
	else
		strbuf_drop(&f->buf, f->start);
	f->scanned -= f->start;
	f->start = 0;
}

void
varlink_framer_add(struct varlink_framer *f, const char *bytes, size_t len)
{
	compact(f);
	strbuf_add(&f->buf, bytes, len);
}

int
varlink_framer_next(struct varlink_framer *f, const char **text, size_t *len)
{
	const char *nul = NULL;
	size_t end;

	if (f->scanned < f->buf.len)
		nul = memchr(f->buf.s + f->scanned, '\0', f->buf.len - f->scanned);
	end = nul != NULL ? (size_t)(nul - f->buf.s) : f->buf.len;
	f->scanned = end;
	if (end - f->start > f->max)
		return -E2BIG;
	if (nul == NULL) {
		compact(f);
		return 0;
	}
	*text = f->buf.s + f->start;
	*len = end - f->start;
	f->start = end + 1;
	f->scanned = f->start;
	return 1;
}

bool
varlink_framer_has_begun(const struct varlink_framer *f)
{
	return f->start < f->buf.len;
}

/* An optional member of a message: absent or null leaves @out. */
static int
get_flag(const json_t *message, const char *key, bool *out, struct err *e)
{
	int flag = 0;
	int r = json_get_bool(message, key, &flag);

	if (r < 0 && r != -ENOENT)
		return err_set(e, -EBADMSG, NULL, 0, "'%s' is not a bool", key);
	*out = flag != 0;
	return 0;
}

/* Every message may carry parameters; an absent object is put there, so that callers
 * need not care. */
static int
get_parameters(json_t *message, json_t **out, struct err *e)
{
	int r = json_get_object(message, "parameters", out);

	if (r == -ENOENT) {
		*out = json_object();
		json_object_set_new(message, "parameters", *out);
		return 0;
	}
	if (r < 0)
		return err_set(e, -EBADMSG, NULL, 0, "'parameters' is not an object");
	return 0;
}

int
varlink_request_decode(
	const char *text, size_t len, struct varlink_request *out, struct err *e)
{
	struct varlink_request q = {0};
	auto_json json_t *message = NULL;
	int r;

	r = json_parse_object(text, len, &request_caps, &message, e);
	if (r < 0)
		return r;
	if (json_get_string(message, "method", &q.method) < 0)
		return err_set(e, -EBADMSG, NULL, 0, "a request without 'method'");
	if (get_parameters(message, &q.parameters, e) < 0 ||
		get_flag(message, "more", &q.more, e) < 0 ||
		get_flag(message, "oneway", &q.oneway, e) < 0 ||
		get_flag(message, "upgrade", &q.upgrade, e) < 0)
		return -EBADMSG;
	if (q.more && q.oneway)
		return err_set(
			e, -EBADMSG, NULL, 0, "'more' and 'oneway' exclude each other");
	q.message = json_incref(message);
	*out = q;
	return 0;
}

void
varlink_request_fini(struct varlink_request *request)
{
	json_decref(request->message);
	*request = (struct varlink_request){0};
}

int
varlink_reply_decode(
	const char *text, size_t len, struct varlink_reply *out, struct err *e)
{
	struct varlink_reply p = {0};
	auto_json json_t *message = NULL;
	int r;

	r = json_parse_object(text, len, &reply_caps, &message, e);
	if (r < 0)
		return r;
	r = json_get_string(message, "error", &p.error);
	if (r < 0 && r != -ENOENT)
		return err_set(e, -EBADMSG, NULL, 0, "'error' is not a string");
	if (get_parameters(message, &p.parameters, e) < 0 ||
		get_flag(message, "continues", &p.continues, e) < 0)
		return -EBADMSG;
	p.message = json_incref(message);
	*out = p;
	return 0;
}

void
varlink_reply_fini(struct varlink_reply *reply)
{
	json_decref(reply->message);
	*reply = (struct varlink_reply){0};
}

/* Steals @message. With DBL_DIG digits a latency of 12.3 is written as it is, and not
 * as 12.300000000000001: a matrix of 1024 CPUs takes 6 MB instead of 17. jansson fails
 * only without memory, as all our objects hold valid UTF-8 and finite numbers: it
 * refuses others when they are made. */
static char *
encode(json_t *message, size_t *len)
{
	char *text = json_dumps(message, JSON_COMPACT | JSON_REAL_PRECISION(DBL_DIG));

	json_decref(message);
	if (text == NULL)
		abort();
	*len = strlen(text) + 1;
	return text;
}

static void
set_parameters(json_t *message, json_t *parameters)
{
	json_object_set_new(
		message, "parameters", parameters != NULL ? parameters : json_object());
}

char *
varlink_request_encode(const char *method, json_t *parameters, bool more, size_t *len)
{
	json_t *message = json_object();

	json_object_set_new(message, "method", json_string(method));
	set_parameters(message, parameters);
	if (more)
		json_object_set_new(message, "more", json_true());
	return encode(message, len);
}

char *
varlink_reply_encode(const char *error, json_t *parameters, bool continues, size_t *len)
{
	json_t *message = json_object();

	if (error != NULL)
		json_object_set_new(message, "error", json_string(error));
	set_parameters(message, parameters);
	if (continues)
		json_object_set_new(message, "continues", json_true());
	return encode(message, len);
}

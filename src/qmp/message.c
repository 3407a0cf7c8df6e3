// SPDX-License-Identifier: MIT
/*
 * Messages told apart by the one member that marks their kind. A message with none or
 * several of them is refused: guessing would let a peer choose. Pure.
 */
#include "config.h"

#include "qmp/message.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "qmp/frame.h"

#define ID_PREFIX "qmpin:"

static const struct {
	const char *name;
	enum qmp_event_kind kind;
} events[] = {
	{"RESUME", QMP_EVENT_RESUME},
	{"STOP", QMP_EVENT_STOP},
	{"RESET", QMP_EVENT_RESET},
	{"SHUTDOWN", QMP_EVENT_SHUTDOWN},
	{"SUSPEND", QMP_EVENT_SUSPEND},
	{"WAKEUP", QMP_EVENT_WAKEUP},
	{"DEVICE_DELETED", QMP_EVENT_DEVICE_DELETED},
	{"ACPI_DEVICE_OST", QMP_EVENT_ACPI_DEVICE_OST},
	{"MIGRATION", QMP_EVENT_MIGRATION},
	{"DEVICE_UNPLUG_GUEST_ERROR", QMP_EVENT_DEVICE_UNPLUG_GUEST_ERROR},
};

/* A QEMU that dials in vain makes a short-lived thread each time: not every second. */
#define REDIAL_MS "5000"

/* arguments: NULL for none; what stands behind the path for the one that has it. */
static const struct {
	const char *name;
	const char *arguments;
	const char *behind_path;
} commands[MESSAGE_COMMANDS] = {
	[MESSAGE_CAPABILITIES] = {"qmp_capabilities", NULL, NULL},
	[MESSAGE_QUERY_STATUS] = {"query-status", NULL, NULL},
	[MESSAGE_QUERY_CPUS_FAST] = {"query-cpus-fast", NULL, NULL},
	[MESSAGE_QUERY_HOTPLUGGABLE_CPUS] = {"query-hotpluggable-cpus", NULL, NULL},
	[MESSAGE_QUERY_IOTHREADS] = {"query-iothreads", NULL, NULL},
	[MESSAGE_QUERY_NAME] = {"query-name", NULL, NULL},
	[MESSAGE_QUERY_MEMDEV] = {"query-memdev", NULL, NULL},
	[MESSAGE_QUERY_MEMORY_DEVICES] = {"query-memory-devices", NULL, NULL},
	[MESSAGE_QUERY_CHARDEV] = {"query-chardev", NULL, NULL},
	[MESSAGE_QOM_LIST_OBJECTS] = {"qom-list", "{\"path\":\"/objects\"}", NULL},
	[MESSAGE_CHARDEV_ADD] = {"chardev-add",
		"{\"id\":\"qmpin\",\"backend\":{\"type\":\"socket\",\"data\":"
		"{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":",
		"}},\"server\":false,\"reconnect-ms\":" REDIAL_MS "}}}"},
	[MESSAGE_CHARDEV_REMOVE] = {"chardev-remove", "{\"id\":\"qmpin\"}", NULL},
	[MESSAGE_OBJECT_ADD] = {"object-add",
		"{\"qom-type\":\"monitor-qmp\",\"id\":\"qmpin\","
		"\"chardev\":\"qmpin\"}",
		NULL},
	[MESSAGE_OBJECT_DEL] = {"object-del", "{\"id\":\"qmpin\"}", NULL},
};

static enum qmp_event_kind
event_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		if (strcmp(events[i].name, name) == 0)
			return events[i].kind;
	}
	return QMP_EVENT_OTHER;
}

/* The number in "qmpin:NUMBER", exactly as we write it; 0 for any other id. */
static uint64_t
own_id(const json_t *json)
{
	const char *text;
	uint64_t id;

	if (json_get_string(json, "id", &text) < 0 || !str_has_prefix(text, ID_PREFIX))
		return 0;
	text += strlen(ID_PREFIX);
	if (text[0] == '0' || str_parse_uint(text, UINT64_MAX, &id) < 0)
		return 0;
	return id;
}

static int
read_event(const json_t *json, struct message *m)
{
	const char *name;

	if (json_get_string(json, "event", &name) < 0)
		return -EBADMSG;
	m->event.kind = event_kind(name);
	str_escape(name, strlen(name), m->event.name, sizeof(m->event.name));
	return 0;
}

static int
read_error(const json_t *json, struct message *m)
{
	json_t *error;

	if (json_get_object(json, "error", &error) < 0 ||
		json_get_string(error, "desc", &m->desc) < 0)
		return -EBADMSG;
	m->id = own_id(json);
	return 0;
}

static int
read_return(const json_t *json, struct message *m)
{
	m->ret = json_object_get(json, "return");
	m->id = own_id(json);
	return 0;
}

static int
read_greeting(const json_t *json, struct message *m)
{
	json_t *greeting;
	json_t *version;
	json_t *qemu;
	uint64_t major;
	uint64_t minor;

	if (json_get_object(json, "QMP", &greeting) < 0)
		return -EBADMSG;
	if (json_get_object(greeting, "version", &version) == 0 &&
		json_get_object(version, "qemu", &qemu) == 0 &&
		json_get_uint(qemu, "major", UINT16_MAX, &major) == 0 &&
		json_get_uint(qemu, "minor", UINT16_MAX, &minor) == 0)
		m->version =
			(struct qmp_version){(unsigned int)major, (unsigned int)minor};
	return 0;
}

static const struct {
	const char *key;
	enum message_kind kind;
	int (*read)(const json_t *json, struct message *m);
} kinds[] = {
	{"QMP", MESSAGE_GREETING, read_greeting},
	{"return", MESSAGE_RETURN, read_return},
	{"error", MESSAGE_ERROR, read_error},
	{"event", MESSAGE_EVENT, read_event},
};

int
message_parse(const char *text, size_t len, struct message *out, struct err *e)
{
	static const struct json_caps caps = {
		.bytes = FRAME_BYTES_MAX,
		.depth = FRAME_DEPTH_MAX,
		.values = FRAME_VALUES_MAX,
	};
	struct message m = {.id = 0};
	auto_json json_t *json = NULL;
	size_t found = ARRAY_LEN(kinds);
	int r;

	r = json_parse_object(text, len, &caps, &json, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (json_object_get(json, kinds[i].key) == NULL)
			continue;
		if (found < ARRAY_LEN(kinds))
			return err_set(e, -EBADMSG, NULL, 0,
				"a message with both \"%s\" and \"%s\"",
				kinds[found].key, kinds[i].key);
		found = i;
	}
	if (found == ARRAY_LEN(kinds))
		return err_set(e, -EBADMSG, NULL, 0, "JSON, but not QMP");
	r = kinds[found].read(json, &m);
	if (r < 0)
		return err_set(
			e, r, NULL, 0, "\"%s\" is not as QMP has it", kinds[found].key);
	m.kind = kinds[found].kind;
	m.json = json_incref(json);
	*out = m;
	return 0;
}

void
message_fini(struct message *m)
{
	json_decref(m->json);
	*m = (struct message){.id = 0};
}

const char *
message_command_name(enum message_command command)
{
	return commands[command].name;
}

static void
add_path(struct strbuf *out, const char *path)
{
	auto_json json_t *json = json_string(path);
	auto_free char *text = json_dumps(json, JSON_ENCODE_ANY);

	assert(text != NULL);
	strbuf_adds(out, text);
}

void
message_command_format(
	enum message_command command, uint64_t id, const char *path, struct strbuf *out)
{
	assert(id > 0);
	strbuf_addf(out, "{\"execute\":\"%s\",\"id\":\"" ID_PREFIX "%" PRIu64 "\"",
		commands[command].name, id);
	if (commands[command].arguments != NULL)
		strbuf_addf(out, ",\"arguments\":%s", commands[command].arguments);
	if (commands[command].behind_path != NULL) {
		add_path(out, path);
		strbuf_adds(out, commands[command].behind_path);
	}
	strbuf_adds(out, "}\n");
}

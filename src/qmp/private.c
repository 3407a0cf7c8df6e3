// SPDX-License-Identifier: MIT
/*
 * The steps to a private monitor and back. Pure. Invariants: steps only go forward, so
 * that any peer comes to an end; nothing is changed before chardevs and objects have
 * been seen; only what is ours is taken away, and PRIVATE_ADD takes away nothing but a
 * chardev that it has just added.
 */
#include "config.h"

#include "qmp/private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

#define NAME "qmpin"
#define MONITOR_TYPE "child<monitor-qmp>"
#define SOCKET_NAME "/monitor.sock"
#define DISCONNECTED "disconnected:"

/*
 * The path, NULL if it is no unix socket. QEMU's "filename" of a client socket is
 * "disconnected:unix:" and the path it dials, or, while connected, "unix:" and the path
 * the listener was bound to. Servers and abstract names have options behind the path.
 */
static const char *
dialled(const char *filename)
{
	static const char unix_socket[] = "unix:";

	if (str_has_prefix(filename, DISCONNECTED))
		filename += strlen(DISCONNECTED);
	if (!str_has_prefix(filename, unix_socket))
		return NULL;
	return filename + strlen(unix_socket);
}

static void
end(struct private *p, enum private_outcome outcome)
{
	p->outcome = outcome;
}

static void
go(struct private *p, enum private_step step)
{
	assert(step > p->step);
	p->step = step;
}

static void
note_refusal(struct private *p, const char *desc)
{
	err_set(&p->why, -EIO, NULL, 0, "%s is refused: %s",
		message_command_name(private_next(p)), desc);
}

static void
fail(struct private *p, const char *desc)
{
	note_refusal(p, desc);
	end(p, PRIVATE_FAILED);
}

static void
take_as_foreign(struct private *p, const char *what, const char *is)
{
	err_set(&p->why, -EEXIST, NULL, 0, "its %s \"" NAME "\" is not ours: %s", what,
		is);
	end(p, PRIVATE_TAKEN);
}

/* It serves another daemon, or one that ran with another directory: an admin knows. */
static void
take_as_elsewhere(struct private *p, const char *filename)
{
	err_set(&p->why, -EEXIST, NULL, 0,
		"its chardev \"" NAME "\" dials %s (`qmpin release` removes it)",
		dialled(filename));
	end(p, PRIVATE_TAKEN);
}

static void
end_unsupported(struct private *p)
{
	err_set(&p->why, -EOPNOTSUPP, NULL, 0,
		"this QEMU has no monitor-qmp (11.1 or later is needed)");
	end(p, PRIVATE_UNSUPPORTED);
}

/*
 * The member @wanted of the element whose @key is @name: NULL when there is no such
 * element. Returns false, having failed, when that cannot be told.
 */
static bool
look_up(struct private *p, const json_t *list, const char *key, const char *name,
	const char *wanted, const char **out)
{
	const json_t *item;
	const char *text;
	size_t i;

	*out = NULL;
	json_array_foreach (list, i, item) {
		if (json_get_string(item, key, &text) < 0)
			break;
		if (strcmp(text, name) != 0)
			continue;
		if (json_get_string(item, wanted, out) < 0)
			break;
		return true;
	}
	if (json_is_array(list) && i == json_array_size(list))
		return true;
	err_set(&p->why, -EBADMSG, NULL, 0, "what %s returns is not as QMP has it",
		message_command_name(private_next(p)));
	end(p, PRIVATE_FAILED);
	return false;
}

static bool
has_suffix(const char *text, const char *suffix)
{
	size_t n = strlen(text);
	size_t m = strlen(suffix);

	return n >= m && strcmp(text + n - m, suffix) == 0;
}

static enum private_sight
sight_of(const char *filename, const char *path)
{
	const char *dials = dialled(filename);

	if (dials == NULL)
		return PRIVATE_FOREIGN;
	if (strcmp(dials, path) == 0)
		return PRIVATE_HERE;
	return has_suffix(dials, SOCKET_NAME) ? PRIVATE_ELSEWHERE : PRIVATE_FOREIGN;
}

static void
take_chardevs(struct private *p, const json_t *ret)
{
	const char *filename;
	bool ours;

	if (!look_up(p, ret, "label", NAME, "filename", &filename))
		return;
	if (filename != NULL)
		p->chardev = sight_of(filename, p->path);
	p->connected = filename != NULL && !str_has_prefix(filename, DISCONNECTED);
	ours = p->chardev == PRIVATE_HERE || p->chardev == PRIVATE_ELSEWHERE;
	if (p->goal == PRIVATE_REMOVE && !ours)
		end(p, PRIVATE_REMOVED);
	else if (p->chardev == PRIVATE_FOREIGN)
		take_as_foreign(p, "chardev", filename);
	else if (p->goal == PRIVATE_ADD && p->chardev == PRIVATE_ELSEWHERE)
		take_as_elsewhere(p, filename);
	else
		go(p, PRIVATE_STEP_OBJECTS);
}

/* To wait until it is connected would be in everybody's way. */
static void
leave_half_made(struct private *p)
{
	err_set(&p->why, -EBUSY, NULL, 0,
		"its private monitor is half made; qmpin release removes it");
	end(p, PRIVATE_FAILED);
}

/* All has been seen: what is there, if anything, is ours and dials here. */
static void
begin_to_add(struct private *p, enum private_sight object)
{
	if (p->chardev == PRIVATE_NOTHING)
		go(p, PRIVATE_STEP_CHARDEV_ADD);
	else if (object == PRIVATE_HERE)
		end(p, PRIVATE_THERE);
	else if (p->connected)
		go(p, PRIVATE_STEP_OBJECT_ADD); /* who began it died half-way */
	else
		leave_half_made(p);
}

/* Since 11.1 every QMP monitor is such an object, also the one we speak through. */
static bool
has_monitor_objects(const json_t *objects)
{
	const json_t *item;
	const char *type;
	size_t i;

	json_array_foreach (objects, i, item) {
		if (json_get_string(item, "type", &type) == 0 &&
			strcmp(type, MONITOR_TYPE) == 0)
			return true;
	}
	return false;
}

/* A monitor "qmpin" without our chardev is somebody else's: ours could not have lost
 * it, since a chardev is busy until its monitor is gone. */
static void
take_objects(struct private *p, const json_t *ret)
{
	enum private_sight object = PRIVATE_NOTHING;
	const char *type;

	if (!look_up(p, ret, "name", NAME, "type", &type))
		return;
	if (type != NULL)
		object = strcmp(type, MONITOR_TYPE) == 0 ? PRIVATE_HERE
							 : PRIVATE_FOREIGN;
	if (p->goal == PRIVATE_REMOVE)
		go(p, object == PRIVATE_HERE ? PRIVATE_STEP_OBJECT_DEL
					     : PRIVATE_STEP_CHARDEV_REMOVE);
	else if (!has_monitor_objects(ret))
		end_unsupported(p);
	else if (object == PRIVATE_FOREIGN ||
		 (object == PRIVATE_HERE && p->chardev == PRIVATE_NOTHING))
		take_as_foreign(p, "object", type);
	else
		begin_to_add(p, object);
}

/* A refusal is not the end: the monitor may be gone by itself. If it is not, its
 * chardev is busy and cannot be removed either. */
static void
object_is_deleted(struct private *p, const char *desc)
{
	if (desc != NULL)
		note_refusal(p, desc);
	go(p, PRIVATE_STEP_CHARDEV_REMOVE);
}

static void
chardev_is_removed(struct private *p, const char *desc)
{
	if (desc != NULL) {
		fail(p, desc);
		return;
	}
	err_clear(&p->why);
	end(p, PRIVATE_REMOVED);
}

static void
chardev_is_added(struct private *p, const char *desc)
{
	if (desc != NULL)
		fail(p, desc);
	else
		go(p, PRIVATE_STEP_CONNECTED);
}

/*
 * A monitor is made only on a chardev that is connected: while QEMU 11.1.3 connects, in
 * one thread, and makes a monitor on it, in another, both set up the same reading. It
 * greeted twice then or died, once in two thousand times; never in this order.
 */
static void
take_connected(struct private *p, const json_t *ret)
{
	const char *filename;

	if (!look_up(p, ret, "label", NAME, "filename", &filename))
		return;
	p->looks++;
	if (filename != NULL && !str_has_prefix(filename, DISCONNECTED)) {
		go(p, PRIVATE_STEP_OBJECT_ADD);
	} else if (filename == NULL || p->looks >= PRIVATE_LOOKS_MAX) {
		err_set(&p->why, -ETIMEDOUT, NULL, 0, "QEMU does not dial in");
		go(p, PRIVATE_STEP_UNDO);
	}
}

static void
object_is_added(struct private *p, const char *desc)
{
	if (desc == NULL) {
		end(p, PRIVATE_ADDED);
		return;
	}
	note_refusal(p, desc);
	if (p->chardev == PRIVATE_NOTHING)
		go(p, PRIVATE_STEP_UNDO);
	else
		end(p, PRIVATE_FAILED); /* the chardev was there before */
}

static void
chardev_is_undone(struct private *p, const char *desc)
{
	(void)desc;
	end(p, PRIVATE_FAILED);
}

/* look: takes the list that is returned; done: an error's words, NULL for success. */
static const struct {
	enum message_command command;
	void (*look)(struct private *p, const json_t *ret);
	void (*done)(struct private *p, const char *desc);
} steps[PRIVATE_STEPS] = {
	[PRIVATE_STEP_CHARDEVS] = {MESSAGE_QUERY_CHARDEV, take_chardevs, NULL},
	[PRIVATE_STEP_OBJECTS] = {MESSAGE_QOM_LIST_OBJECTS, take_objects, NULL},
	[PRIVATE_STEP_CHARDEV_ADD] = {MESSAGE_CHARDEV_ADD, NULL, chardev_is_added},
	[PRIVATE_STEP_CONNECTED] = {MESSAGE_QUERY_CHARDEV, take_connected, NULL},
	[PRIVATE_STEP_OBJECT_ADD] = {MESSAGE_OBJECT_ADD, NULL, object_is_added},
	[PRIVATE_STEP_UNDO] = {MESSAGE_CHARDEV_REMOVE, NULL, chardev_is_undone},
	[PRIVATE_STEP_OBJECT_DEL] = {MESSAGE_OBJECT_DEL, NULL, object_is_deleted},
	[PRIVATE_STEP_CHARDEV_REMOVE] = {MESSAGE_CHARDEV_REMOVE, NULL,
		chardev_is_removed},
};

void
private_init(struct private *p, enum private_goal goal, const char *path)
{
	*p = (struct private){.goal = goal, .path = path};
}

enum message_command
private_next(const struct private *p)
{
	assert(p->outcome == PRIVATE_BUSY);
	return steps[p->step].command;
}

enum private_outcome
private_answer(struct private *p, const json_t *ret, const char *desc)
{
	assert(p->outcome == PRIVATE_BUSY);
	assert((ret == NULL) != (desc == NULL));
	if (steps[p->step].done != NULL)
		steps[p->step].done(p, desc);
	else if (desc != NULL)
		fail(p, desc);
	else
		steps[p->step].look(p, ret);
	return p->outcome;
}

const struct err *
private_why(const struct private *p)
{
	return &p->why;
}

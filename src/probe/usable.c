// SPDX-License-Identifier: MIT
/* Sets in, a set and a sentence out; long lists are cut in the sentence only. Pure. */
#include "config.h"

#include "probe/usable.h"

#include <errno.h>
#include <stdio.h>

/* Of a cpulist in a sentence. */
#define USABLE_LIST_MAX 80u

static int
refuse(const char *why, const struct cpuset *online, const struct cpuset *allowed,
	struct err *e)
{
	char there[USABLE_LIST_MAX];
	char ours[USABLE_LIST_MAX];

	return err_set(e, -EINVAL, NULL, 0, "%s (online: %s; allowed: %s)", why,
		cpuset_format(online, there, sizeof(there)),
		cpuset_empty(allowed) ? "none"
				      : cpuset_format(allowed, ours, sizeof(ours)));
}

static int
refuse_none(const struct cpuset *asked, const struct cpuset *online,
	const struct cpuset *allowed, struct err *e)
{
	char list[USABLE_LIST_MAX];
	char why[2 * USABLE_LIST_MAX];

	if (asked == NULL)
		return refuse("no CPU may be used here", online, allowed, e);
	(void)snprintf(why, sizeof(why),
		"none of the CPUs asked for, %s, is online and allowed",
		cpuset_format(asked, list, sizeof(list)));
	return refuse(why, online, allowed, e);
}

static int
refuse_one(const struct cpuset *cpus, const struct cpuset *online,
	const struct cpuset *allowed, struct err *e)
{
	char why[USABLE_LIST_MAX];

	(void)snprintf(why, sizeof(why),
		"CPU %u is the only one that can be measured, and a pair is needed",
		cpuset_next(cpus, 0));
	return refuse(why, online, allowed, e);
}

static void
write_note(const struct cpuset *left_out, const struct cpuset *cpus, bool asked,
	char *note)
{
	char list[USABLE_LIST_MAX];
	char rest[USABLE_LIST_MAX];

	*note = '\0';
	if (cpuset_empty(left_out))
		return;
	(void)cpuset_format(left_out, list, sizeof(list));
	(void)cpuset_format(cpus, rest, sizeof(rest));
	(void)snprintf(note, USABLE_NOTE_MAX,
		asked ? "left out, since they are offline or not allowed here: CPUs %s"
		      : "left out, since they are not allowed here: CPUs %s (measured: "
			"%s)",
		list, rest);
}

int
usable_choose(const struct cpuset *asked, const struct cpuset *online,
	const struct cpuset *allowed, struct usable *out, struct err *e)
{
	const struct cpuset *wanted = asked != NULL ? asked : online;
	struct cpuset can = cpuset_and(online, allowed);
	struct cpuset cpus = cpuset_and(wanted, &can);
	struct cpuset left_out = cpuset_minus(wanted, &cpus);

	if (cpuset_empty(&cpus))
		return refuse_none(asked, online, allowed, e);
	if (cpuset_count(&cpus) == 1)
		return refuse_one(&cpus, online, allowed, e);
	out->cpus = cpus;
	write_note(&left_out, &cpus, asked != NULL, out->note);
	return 0;
}

// SPDX-License-Identifier: MIT
/* From a wish and what is possible to the way a monitor is shared. Pure. */
#include "config.h"

#include "qmp/share.h"

#include <errno.h>

static const char *const names[] = {
	[SHARE_AUTO] = "auto",
	[SHARE_PRIVATE] = "private",
	[SHARE_YIELD] = "yield",
	[SHARE_BRIEF] = "brief",
	[SHARE_PROXY] = "proxy",
	[SHARE_NONE] = "none",
};

const char *
share_name(enum share s)
{
	return names[s];
}

static bool
is_possible(const char *obstacle)
{
	return obstacle == NULL || obstacle[0] == '\0';
}

static void
give_reason(struct err *why, const char *text)
{
	(void)err_set(why, -ENOTSUP, NULL, 0, "%s", text);
}

enum share
share_choose(enum share wish, const struct share_means *means, struct err *why)
{
	if (wish == SHARE_BRIEF || wish == SHARE_NONE)
		return SHARE_BRIEF;
	if (wish == SHARE_PRIVATE || wish == SHARE_AUTO) {
		if (is_possible(means->no_private))
			return SHARE_PRIVATE;
		if (wish == SHARE_PRIVATE)
			give_reason(why, means->no_private);
	}
	if (!is_possible(means->no_hold)) {
		give_reason(why, means->no_hold);
		return SHARE_BRIEF;
	}
	if (wish != SHARE_PROXY)
		return SHARE_YIELD;
	if (!means->no_proxy)
		return SHARE_PROXY;
	give_reason(why, "its clients can be counted, but not accepted");
	return SHARE_YIELD;
}

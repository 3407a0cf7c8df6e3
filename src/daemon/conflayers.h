// SPDX-License-Identifier: MIT
/*
 * The settings of the daemon, made of the host's files as they were last read and of
 * the cluster's file as it last was good: a change of one does not bring in what has
 * not been asked for of the other.
 */
#ifndef QMPIN_DAEMON_CONFLAYERS_H
#define QMPIN_DAEMON_CONFLAYERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "conf/settings.h"
#include "conf/sources.h"

#define CONFLAYERS_CLUSTER "/etc/pve/qmpin.conf"

/* Zeroed but for root and file. */
struct conflayers {
	const char *root; /* as settings_load's */
	const char *file;
	struct sources host;
	struct source cluster; /* text NULL: none */
};

/** Read the host's files anew, and log the warnings. Returns 0, or a negative errno
 * with
 * @e: then @f is as before, and @out not written. */
MUST_CHECK int conflayers_load(
	struct conflayers *f, struct settings *out, struct err *e);

/** That failure passes by itself: nothing is wrong in the files. */
bool conflayers_may_pass(int error);

/** The cluster's file counts: one that --config names stands for all files. */
bool conflayers_heeds_cluster(const struct conflayers *f);

/** Another text of the cluster's file, NULL: it has gone. Returns as conflayers_load.
 */
MUST_CHECK int conflayers_take_cluster(struct conflayers *f, const char *text,
	size_t len, struct settings *out, struct err *e);

void conflayers_fini(struct conflayers *f);

#endif

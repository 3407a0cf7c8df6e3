// SPDX-License-Identifier: MIT
/*
 * The method Doctor of io.qmpin: looks at the host, at this process and at the VMs, and
 * tells what is wrong. What could hang or takes long (/etc/pve, all processes) is not
 * looked at here: the client does that by itself.
 */
#ifndef QMPIN_DAEMON_DOCTORING_H
#define QMPIN_DAEMON_DOCTORING_H

#include <jansson.h>
#include <stdint.h>

struct ctl_call;

/* How the daemon was started; borrowed, NULL: unknown or as always. */
struct doctoring {
	const char *root;
	const char *config; /* a file that stands for all, or a directory */
	const char *vm_dir;
	const char *run_dir;
	const char *state_dir;
	uint64_t config_us; /* real time at which reading the files began; 0: unknown */
};

/** A call of the method; @owner is the engine. */
void doctoring_on_call(void *owner, struct ctl_call *call, const json_t *params);

#endif

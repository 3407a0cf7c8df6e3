// SPDX-License-Identifier: MIT
/*
 * What comes of a Proxmox cluster's files: settings under those of the host, and what
 * VMs say about themselves. Nothing here waits, and what is missing or bad leaves all
 * as it is.
 */
#ifndef QMPIN_DAEMON_PVECLUSTER_H
#define QMPIN_DAEMON_PVECLUSTER_H

#include <stdbool.h>

struct pvecluster;
struct conflayers;
struct engine;
struct settings;

/* Prefix of /etc/pve in tests, in place of --root. */
#define PVECLUSTER_ROOT_ENV "QMPIN_PVE_ROOT"

struct pvecluster_options {
	struct engine *engine;
	struct conflayers *files; /* borrowed */
	const char *root;	  /* prefix of /etc and /sys; "" for this machine */
	bool foreign;		  /* the topology is another host's, with its devices */
	/* Other settings, taken over. */
	void (*on_settings)(void *owner, struct settings *config);
	void *owner;
};

/** Begin to watch, before there are VMs. Never NULL; who calls has been ready before,
 * as what is read may hang. */
struct pvecluster *pvecluster_new(const struct pvecluster_options *options);

/** Behind the engine, which lets go of its VMs. NULL is allowed. */
void pvecluster_free(struct pvecluster *c);

/** Look at everything now. */
void pvecluster_look(struct pvecluster *c);

#endif

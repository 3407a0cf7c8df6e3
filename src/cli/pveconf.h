// SPDX-License-Identifier: MIT
/*
 * Who else pins the threads of a Proxmox VM, by the texts of its configuration and of
 * its hookscript. The texts are anybody's who may edit a VM. Pure.
 *
 * Source: Proxmox VE's qm.conf(5) and storage.cfg of pvesm(1).
 */
#ifndef QMPIN_CLI_PVECONF_H
#define QMPIN_CLI_PVECONF_H

#include <stdbool.h>
#include <stddef.h>

#define PVECONF_TEXT_MAX 256u

struct pveconf {
	char hookscript[PVECONF_TEXT_MAX]; /* "local:snippets/pin.sh"; "": none, or one
					    * whose name is too long */
	bool pinning;			   /* it has a property of that name */
	const char *in_args; /* a program that pins, in its arguments; static, NULL */
};

/** Read the main section; snapshots and pending changes count for nothing. */
void pveconf_parse(const char *text, struct pveconf *out);

/** The first word of a script that pins threads, comments left out: "taskset". Static;
 * NULL: there is none. */
const char *pveconf_pins(const char *script);

/**
 * The file of a hookscript.
 *
 * @storage  text of storage.cfg, "" where there is none
 * @out      written only on success
 *
 * Returns false for what is no name of a volume, or leads elsewhere.
 */
bool pveconf_script_path(
	const char *storage, const char *volume, char out[2 * PVECONF_TEXT_MAX]);

#endif

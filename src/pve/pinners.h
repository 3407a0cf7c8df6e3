// SPDX-License-Identifier: MIT
/*
 * Who else pins the threads of a Proxmox VM, by the arguments in its configuration and
 * by its hookscript. The texts are anybody's who may edit a VM. Pure.
 *
 * Source: Proxmox VE's qm.conf(5) and storage.cfg of pvesm(1).
 */
#ifndef QMPIN_PVE_PINNERS_H
#define QMPIN_PVE_PINNERS_H

#include <stdbool.h>

#define PINNERS_PATH_MAX 512u

/** The first word in arguments that pins threads: "taskset". Static; NULL: there is
 * none. */
const char *pinners_in_args(const char *args);

/** The same of a script, comments left out. */
const char *pinners_in_script(const char *script);

/**
 * The file of a hookscript.
 *
 * @storage  text of storage.cfg, "" where there is none
 * @volume   "local:snippets/pin.sh"
 * @out      written only on success
 *
 * Returns false for what is no name of a volume, leads elsewhere or is too long.
 */
bool pinners_script_path(
	const char *storage, const char *volume, char out[PINNERS_PATH_MAX]);

#endif

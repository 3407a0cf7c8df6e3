// SPDX-License-Identifier: MIT
/* qmpin ps: VMs in a table, and the threads of one in another. */
#ifndef QMPIN_CLI_VMTABLE_H
#define QMPIN_CLI_VMTABLE_H

#include <jansson.h>

#include "cli/args.h"
#include "cli/columns.h"

/** The columns that @args ask for. With @threads those of the threads of one VM.
 * Returns 0, or -EINVAL with @e. */
MUST_CHECK int vmtable_columns(
	const struct args *args, bool threads, struct columns *out, struct err *e);

/** @vms as in ListVMs' reply. */
void vmtable_print(const json_t *vms, const struct columns *columns, bool heading);

/** The threads of a VM, a row each, or with @together a row for all of a class that
 * want and have the same CPUs. */
void vmtable_print_threads(const json_t *threads, const struct columns *columns,
	bool heading, bool together);

#endif

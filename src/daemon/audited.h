// SPDX-License-Identifier: MIT
/* What the audit remembers of a VM: whether its list of threads can still be right. */
#ifndef QMPIN_DAEMON_AUDITED_H
#define QMPIN_DAEMON_AUDITED_H

#include <stddef.h>

/* Zeroed: nothing is known. */
struct audited {
	size_t n_threads; /* of its process, when all were known; 0: list them */
	unsigned int n;	  /* audits so far */
};

#endif

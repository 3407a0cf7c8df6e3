// SPDX-License-Identifier: MIT
/* End the session of a socket for everybody who has a copy of it, for good. */
#ifndef QMPIN_QMP_ENDING_H
#define QMPIN_QMP_ENDING_H

#include <stdbool.h>

/**
 * What is connected is shut down; what is not can never be connected any more
 * (connect() fails with EINVAL).
 *
 * @fd  a stream socket of family unix; not closed
 *
 * Returns false when neither could be done (no memory).
 */
bool ending_end(int fd);

#endif

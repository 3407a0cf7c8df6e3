// SPDX-License-Identifier: MIT
/* Arrays of whatever begins with its subject (see pvefeed.h), ascending. Pure. */
#ifndef QMPIN_PVE_SUBJECTS_H
#define QMPIN_PVE_SUBJECTS_H

#include <stddef.h>

/** Where @subject is in the array, or belongs.
 *
 * @items  @n structs of @size bytes each, whose first member is an unsigned int
 */
size_t subjects_position(
	const void *items, size_t n, size_t size, unsigned int subject);

#endif

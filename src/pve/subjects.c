// SPDX-License-Identifier: MIT
/* Searched by halves: a thousand VMs are asked for one by one. */
#include "config.h"

#include "pve/subjects.h"

#include <string.h>

static unsigned int
subject_at(const void *items, size_t at, size_t size)
{
	unsigned int subject;

	memcpy(&subject, (const char *)items + at * size, sizeof(subject));
	return subject;
}

size_t
subjects_position(const void *items, size_t n, size_t size, unsigned int subject)
{
	size_t low = 0;
	size_t high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (subject_at(items, mid, size) < subject)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

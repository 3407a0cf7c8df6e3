// SPDX-License-Identifier: MIT
/* A ring of decisions. */
#include "config.h"

#include "daemon/history.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xalloc.h"

void
history_add(struct history *h, uint64_t time_us, enum cause cause, const char *text)
{
	struct decision *d = &h->items[(h->first + h->n) % HISTORY_MAX];

	if (h->n == HISTORY_MAX)
		h->first = (h->first + 1) % HISTORY_MAX;
	else
		h->n++;
	free(d->text);
	*d = (struct decision){time_us, cause, xstrdup(text)};
}

const struct decision *
history_at(const struct history *h, unsigned int i)
{
	assert(i < h->n);
	return &h->items[(h->first + i) % HISTORY_MAX];
}

void
history_clear(struct history *h)
{
	for (unsigned int i = 0; i < HISTORY_MAX; i++)
		free(h->items[i].text);
	*h = (struct history){.n = 0};
}

// SPDX-License-Identifier: MIT
/* A ring of decisions. */
#include "config.h"

#include "daemon/history.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static struct decision *
item(struct history *h, unsigned int i)
{
	return &h->items[(h->first + i) % HISTORY_MAX];
}

static void
add(struct history *h, const struct decision *new)
{
	struct decision *d = item(h, h->n); /* the oldest, when all are taken */

	if (h->n == HISTORY_MAX)
		h->first = (h->first + 1) % HISTORY_MAX;
	else
		h->n++;
	free(d->text);
	*d = *new;
}

static void
drop(struct history *h, unsigned int i)
{
	free(item(h, i)->text);
	for (; i + 1 < h->n; i++)
		*item(h, i) = *item(h, i + 1);
	item(h, i)->text = NULL;
	h->n--;
}

void
history_add(struct history *h, uint64_t time_us, enum cause cause, const char *text)
{
	add(h, &(struct decision){time_us, cause, xstrdup(text), false});
}

/* The repair that a new one comes in place of: the same, or the oldest of too many. */
static int
find_replaced(struct history *h, const char *text)
{
	unsigned int repairs = 0;
	int oldest = -1;

	for (unsigned int i = 0; i < h->n; i++) {
		const struct decision *d = item(h, i);

		if (!d->repair)
			continue;
		if (strcmp(d->text, text) == 0)
			return (int)i;
		if (repairs++ == 0)
			oldest = (int)i;
	}
	return repairs >= HISTORY_REPAIRS_MAX ? oldest : -1;
}

void
history_add_repair(
	struct history *h, uint64_t time_us, enum cause cause, const char *text)
{
	int i = find_replaced(h, text);

	if (i >= 0)
		drop(h, (unsigned int)i);
	add(h, &(struct decision){time_us, cause, xstrdup(text), true});
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

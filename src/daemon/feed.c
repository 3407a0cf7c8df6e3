// SPDX-License-Identifier: MIT
/* A ring of texts under a cap of their bytes. */
#include "config.h"

#include "daemon/feed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void
drop_oldest(struct feed *f)
{
	struct feed_item *item = &f->items[f->first++ % FEED_MAX];

	f->bytes -= item->len;
	free(item->text);
	item->text = NULL;
}

void
feed_add(struct feed *f, const char *id, char *text)
{
	struct feed_item *item;
	size_t len = strlen(text);

	while (f->first < f->next &&
		(f->next - f->first == FEED_MAX || f->bytes + len > FEED_BYTES_MAX))
		drop_oldest(f);
	item = &f->items[f->next++ % FEED_MAX];
	str_copy(item->id, sizeof(item->id), id);
	item->text = text;
	item->len = len;
	f->bytes += len;
}

const struct feed_item *
feed_at(const struct feed *f, uint64_t number)
{
	assert(number >= f->first && number < f->next);
	return &f->items[number % FEED_MAX];
}

uint64_t
feed_find(const struct feed *f, const char *id, uint64_t n)
{
	uint64_t at = f->next;

	for (uint64_t i = f->next; i > f->first && n > 0; i--) {
		if (id != NULL && strcmp(feed_at(f, i - 1)->id, id) != 0)
			continue;
		at = i - 1;
		n--;
	}
	return at;
}

void
feed_fini(struct feed *f)
{
	while (f->first < f->next)
		drop_oldest(f);
}

// SPDX-License-Identifier: MIT
/* Choices from a seed or from bytes. */
#include "config.h"

#include "chance.h"

struct chance
chance_of_seed(uint64_t seed)
{
	struct chance c = {.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};

	(void)chance_below(&c, 2);
	return c;
}

struct chance
chance_of_bytes(const uint8_t *bytes, size_t n)
{
	return (struct chance){.bytes = bytes, .left = n};
}

static unsigned int
next_byte(struct chance *c)
{
	if (c->left == 0)
		return 0;
	c->left--;
	return *c->bytes++;
}

unsigned int
chance_below(struct chance *c, unsigned int n)
{
	uint64_t x = c->state;

	if (c->bytes != NULL) {
		unsigned int low = next_byte(c);

		return (n > 256 ? low | next_byte(c) << 8 : low) % n;
	}
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	c->state = x;
	return (unsigned int)((x * UINT64_C(2685821657736338717)) >> 33) % n;
}

bool
chance_of(struct chance *c, unsigned int percent)
{
	return chance_below(c, 100) >= 100 - percent;
}

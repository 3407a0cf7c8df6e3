// SPDX-License-Identifier: MIT
/* Seeded random damage to a text, for the parsers that face hostile input. */
#ifndef QMPIN_TESTS_MUTATE_H
#define QMPIN_TESTS_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/** The next number of a seeded series (xorshift; @state is never 0). */
static inline uint64_t
mutate_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/** Change, drop, repeat or cut a few bytes of @text (@len bytes in @size); new length.
 */
static inline size_t
mutate_text(char *text, size_t len, size_t size, uint64_t *state)
{
	static const char nasty[] = "(){}[]\"\\,:-+0189.\n\r\t \xff\x80";
	unsigned int n = 1 + (unsigned int)(mutate_random(state) % 4);

	while (n-- > 0 && len > 0) {
		size_t at = (size_t)(mutate_random(state) % len);

		switch (mutate_random(state) % 5) {
		case 0:
			text[at] = (char)mutate_random(state);
			break;
		case 1:
			text[at] = nasty[mutate_random(state) % sizeof(nasty)];
			break;
		case 2: /* drop */
			for (size_t i = at; i + 1 < len; i++)
				text[i] = text[i + 1];
			len--;
			break;
		case 3: /* repeat */
			if (len == size)
				break;
			for (size_t i = len; i > at; i--)
				text[i] = text[i - 1];
			len++;
			break;
		default:
			len = mutate_random(state) % 8 == 0 ? at : len;
			break;
		}
	}
	return len;
}

#endif

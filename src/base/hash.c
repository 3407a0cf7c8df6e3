// SPDX-License-Identifier: MIT
/* FNV-1a by its public definition: offset basis and prime for 64 bits. */
#include "config.h"

#include "base/hash.h"

uint64_t
hash_fnv64(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
	return sum;
}

char *
hash_text(const void *bytes, size_t len, char out[HASH_TEXT_MAX])
{
	uint64_t sum = hash_fnv64(bytes, len);

	for (size_t i = HASH_TEXT_MAX - 1; i > 0; i--, sum >>= 4)
		out[i - 1] = "0123456789abcdef"[sum & 15];
	out[HASH_TEXT_MAX - 1] = '\0';
	return out;
}

// SPDX-License-Identifier: MIT
/* 64-bit FNV-1a: tells damage and names things; no protection against malice. Pure. */
#ifndef QMPIN_BASE_HASH_H
#define QMPIN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_TEXT_MAX 17u /* 16 hexadecimal digits */

uint64_t hash_fnv64(const void *bytes, size_t len);

/** The hash as 16 lower-case hexadecimal digits. Returns @out. */
char *hash_text(const void *bytes, size_t len, char out[HASH_TEXT_MAX]);

#endif

// SPDX-License-Identifier: MIT
/*
 * A fuzz target is a program with this one function. It must return 0 and end the
 * process (assert, sanitizer) on what must never happen.
 */
#ifndef QMPIN_FUZZ_FUZZ_H
#define QMPIN_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

// SPDX-License-Identifier: MIT
/*
 * Colours of pictures: latencies by a scale whose lightness changes evenly, so that it
 * can be read without seeing colours; VMs by colours that are easy to tell apart. Pure.
 */
#ifndef QMPIN_CTL_PALETTE_H
#define QMPIN_CTL_PALETTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finer steps cannot be seen. */
#define PALETTE_LEVELS 128u

struct palette_rgb {
	uint8_t r, g, b;
};

/** From 0 (near: light yellow) to 1 (far: dark violet); others are cut. */
struct palette_rgb palette_heat(double at);

/** The same of the 256 colours of terminals: fewer steps, each darker than the one
 * before. */
struct palette_rgb palette_heat_256(double at);

/** The same in steps: 0 to PALETTE_LEVELS - 1. */
unsigned int palette_level(double at);
struct palette_rgb palette_of_level(unsigned int level);

/** Of the @i-th VM. */
struct palette_rgb palette_vm(size_t i);

/** Black text is easier to read on it than white. */
bool palette_is_light(struct palette_rgb c);

/** The nearest of the 256 colours of terminals (16 to 255: the first ones are the
 * user's own). */
unsigned int palette_256(struct palette_rgb c);

#endif

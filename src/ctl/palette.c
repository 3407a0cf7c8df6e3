// SPDX-License-Identifier: MIT
/*
 * Latencies: the stops of viridis (public domain), far to near. VMs: the colours of
 * Okabe and Ito for the colour blind, then hues by the golden angle, which never repeat
 * and are far from those just before.
 */
#include "config.h"

#include "ctl/palette.h"

#include <math.h>

#include "base/attr.h"

#define GOLDEN_ANGLE 137.508

static const struct palette_rgb heat[] = {
	{0xfd, 0xe7, 0x25},
	{0xbd, 0xdf, 0x26},
	{0x7a, 0xd1, 0x51},
	{0x44, 0xbf, 0x70},
	{0x22, 0xa8, 0x84},
	{0x21, 0x91, 0x8c},
	{0x2a, 0x78, 0x8e},
	{0x35, 0x5f, 0x8d},
	{0x41, 0x44, 0x87},
	{0x48, 0x24, 0x75},
	{0x44, 0x01, 0x54},
};

static const struct palette_rgb distinct[] = {
	{0xe6, 0x9f, 0x00},
	{0x56, 0xb4, 0xe9},
	{0x00, 0x9e, 0x73},
	{0xd5, 0x5e, 0x00},
	{0xcc, 0x79, 0xa7},
	{0x00, 0x72, 0xb2},
	{0xd8, 0xc8, 0x20},
};

static uint8_t
between(uint8_t a, uint8_t b, double part)
{
	return (uint8_t)lround(a + (b - a) * part);
}

struct palette_rgb
palette_heat(double at)
{
	double stop = fmin(fmax(at, 0), 1) * (double)(ARRAY_LEN(heat) - 1);
	size_t i = (size_t)fmin(floor(stop), (double)(ARRAY_LEN(heat) - 2));
	const struct palette_rgb *a = &heat[i];
	const struct palette_rgb *b = &heat[i + 1];
	double part = stop - (double)i;

	return (struct palette_rgb){between(a->r, b->r, part),
		between(a->g, b->g, part), between(a->b, b->b, part)};
}

/* 16 to 231 are a cube of six levels, 232 to 255 are greys. */
static struct palette_rgb
terminal_colour(unsigned int index)
{
	static const uint8_t level[] = {0, 95, 135, 175, 215, 255};
	unsigned int cube = index - 16;

	if (index >= 232) {
		uint8_t grey = (uint8_t)(8 + 10 * (index - 232));

		return (struct palette_rgb){grey, grey, grey};
	}
	return (struct palette_rgb){
		level[cube / 36], level[cube / 6 % 6], level[cube % 6]};
}

struct palette_rgb
palette_heat_256(double at)
{
	/* The nearest to the stops would be greys at the dark end, and not in order. */
	static const uint8_t steps[] = {220, 184, 148, 113, 77, 71, 36, 30, 24, 55, 53};
	double place = fmin(fmax(at, 0), 1) * (double)(ARRAY_LEN(steps) - 1);

	return terminal_colour(steps[lround(place)]);
}

unsigned int
palette_level(double at)
{
	return (unsigned int)lround(fmin(fmax(at, 0), 1) * (PALETTE_LEVELS - 1));
}

struct palette_rgb
palette_of_level(unsigned int level)
{
	return palette_heat((double)level / (PALETTE_LEVELS - 1));
}

/* One part of hue (degrees), saturation and lightness as red, green, blue. */
static uint8_t
hsl_part(double shift, double hue, double saturation, double lightness)
{
	double k = fmod(shift + hue / 30, 12);
	double ramp = fmax(-1, fmin(fmin(k - 3, 9 - k), 1));
	double amount = saturation * fmin(lightness, 1 - lightness);

	return (uint8_t)lround(255 * (lightness - amount * ramp));
}

struct palette_rgb
palette_vm(size_t i)
{
	static const double lightness[] = {0.45, 0.62, 0.36, 0.72};
	double hue = fmod((double)i * GOLDEN_ANGLE, 360);
	double l = lightness[i % ARRAY_LEN(lightness)];

	if (i < ARRAY_LEN(distinct))
		return distinct[i];
	return (struct palette_rgb){hsl_part(0, hue, 0.6, l), hsl_part(8, hue, 0.6, l),
		hsl_part(4, hue, 0.6, l)};
}

bool
palette_is_light(struct palette_rgb c)
{
	/* Weights of ITU-R BT.601; in the middle black is still easier to read. */
	return 299u * c.r + 587u * c.g + 114u * c.b >= 120u * 1000u;
}

static unsigned int
distance(struct palette_rgb a, struct palette_rgb b)
{
	int r = a.r - b.r;
	int g = a.g - b.g;
	int bl = a.b - b.b;

	return (unsigned int)(r * r + g * g + bl * bl);
}

unsigned int
palette_256(struct palette_rgb c)
{
	unsigned int best = 16;

	for (unsigned int i = 17; i < 256; i++) {
		if (distance(terminal_colour(i), c) <
			distance(terminal_colour(best), c))
			best = i;
	}
	return best;
}

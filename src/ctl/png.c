// SPDX-License-Identifier: MIT
/*
 * One byte a pixel, stored without compression: measured values hardly compress, and a
 * picture of 512 CPUs is 350 kB.
 *
 * Sources: RFC 2083 (PNG), RFC 1950 (its zlib stream), RFC 1951 section 3.2.4 (stored
 * blocks), RFC 4648 section 4 (base64).
 */
#include "config.h"

#include "ctl/png.h"

#include <stdlib.h>

#include "base/attr.h"

#define STORED_MAX 65535u

static void
add_byte(struct strbuf *b, unsigned int byte)
{
	char c = (char)(unsigned char)byte;

	strbuf_add(b, &c, 1);
}

static void
add_u32(struct strbuf *b, uint32_t value)
{
	for (unsigned int shift = 32; shift > 0; shift -= 8)
		add_byte(b, value >> (shift - 8) & 0xff);
}

static void
add_u16_little(struct strbuf *b, unsigned int value)
{
	add_byte(b, value & 0xff);
	add_byte(b, value >> 8);
}

static uint32_t
crc32_of(const char *bytes, size_t len)
{
	uint32_t table[256];
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (unsigned int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
	}
	for (size_t i = 0; i < len; i++)
		crc = table[(crc ^ (unsigned char)bytes[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}

static uint32_t
adler32_of(const char *bytes, size_t len)
{
	uint32_t a = 1;
	uint32_t b = 0;

	for (size_t i = 0; i < len; i++) {
		a = (a + (unsigned char)bytes[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

/* @name  four letters
 * @data  emptied */
static void
add_chunk(struct strbuf *b, const char *name, struct strbuf *data)
{
	size_t from = b->len + 4;

	add_u32(b, (uint32_t)data->len);
	strbuf_add(b, name, 4);
	strbuf_add(b, data->s, data->len);
	add_u32(b, crc32_of(b->s + from, b->len - from));
	strbuf_fini(data);
	*data = (struct strbuf){0};
}

static void
add_stored(struct strbuf *out, const struct strbuf *raw)
{
	strbuf_add(out, "\x78\x01", 2);
	for (size_t at = 0; at < raw->len; at += STORED_MAX) {
		size_t left = raw->len - at;
		unsigned int n = left < STORED_MAX ? (unsigned int)left : STORED_MAX;

		add_byte(out, left <= STORED_MAX);
		add_u16_little(out, n);
		add_u16_little(out, ~n & 0xffff);
		strbuf_add(out, raw->s + at, n);
	}
	add_u32(out, adler32_of(raw->s, raw->len));
}

static void
add_pixels(struct strbuf *out, const uint8_t *pixels, unsigned int side)
{
	struct strbuf raw = {0};

	for (unsigned int y = 0; y < side; y++) {
		add_byte(&raw, 0); /* no filter */
		strbuf_add(&raw, (const char *)&pixels[(size_t)y * side], side);
	}
	add_stored(out, &raw);
	strbuf_fini(&raw);
}

static void
add_base64(struct strbuf *b, const char *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		uint32_t three = (uint32_t)(unsigned char)bytes[i] << 16;
		char out[4];

		if (i + 1 < len)
			three |= (uint32_t)(unsigned char)bytes[i + 1] << 8;
		if (i + 2 < len)
			three |= (unsigned char)bytes[i + 2];
		for (unsigned int k = 0; k < 4; k++)
			out[k] = digits[three >> (18 - 6 * k) & 63];
		if (i + 1 >= len)
			out[2] = '=';
		if (i + 2 >= len)
			out[3] = '=';
		strbuf_add(b, out, 4);
	}
}

void
png_add_uri(struct strbuf *b, const uint8_t *pixels, unsigned int side,
	const struct palette_rgb *colours, unsigned int n)
{
	struct strbuf png = {0};
	struct strbuf data = {0};

	strbuf_add(&png, "\x89PNG\r\n\x1a\n", 8);
	add_u32(&data, side);
	add_u32(&data, side);
	/* Eight bits, indexes; the only methods there are; not interlaced. */
	strbuf_add(&data, "\x08\x03\x00\x00\x00", 5);
	add_chunk(&png, "IHDR", &data);
	for (unsigned int i = 0; i <= n; i++) {
		add_byte(&data, i < n ? colours[i].r : 0);
		add_byte(&data, i < n ? colours[i].g : 0);
		add_byte(&data, i < n ? colours[i].b : 0);
	}
	add_chunk(&png, "PLTE", &data);
	for (unsigned int i = 0; i <= n; i++)
		add_byte(&data, i < n ? 255 : 0);
	add_chunk(&png, "tRNS", &data);
	add_pixels(&data, pixels, side);
	add_chunk(&png, "IDAT", &data);
	add_chunk(&png, "IEND", &data);
	strbuf_adds(b, "data:image/png;base64,");
	add_base64(b, png.s, png.len);
	strbuf_fini(&png);
}

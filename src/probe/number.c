// SPDX-License-Identifier: MIT
/*
 * Decimal numbers. What a float cannot tell apart is lost; nothing else is. strtod and
 * printf would depend on the locale.
 */
#include "config.h"

#include "probe/number.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Digits that fit 64 bits; a float needs nine. */
#define DIGITS_MAX 18u
/* Beyond any number that a double holds. */
#define EXPONENT_MAX 400u

static bool
is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

int
number_read_uint(const char **p, const char *end, uint64_t max, uint64_t *out)
{
	const char *at = *p;
	uint64_t value = 0;

	if (!is_digit(at, end))
		return -EINVAL;
	for (; is_digit(at, end); at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (value > (max - digit) / 10 || digit > max)
			return -ERANGE;
		value = value * 10 + digit;
	}
	*p = at;
	*out = value;
	return 0;
}

/* Digits seen so far: their number is mantissa * 10^exponent. */
struct decimal {
	uint64_t mantissa;
	unsigned int digits;
	int exponent;
};

/* Returns false without a digit. */
static bool
read_digits(const char **p, const char *end, bool fraction, struct decimal *d)
{
	const char *from = *p;

	for (; is_digit(*p, end); (*p)++) {
		if (d->digits == DIGITS_MAX) {
			d->exponent += fraction ? 0 : 1;
			continue;
		}
		d->mantissa = d->mantissa * 10 + (uint64_t)(**p - '0');
		d->digits += d->mantissa > 0;
		d->exponent -= fraction ? 1 : 0;
	}
	return *p > from;
}

static int
read_exponent(const char **p, const char *end, struct decimal *d)
{
	const char *at = *p;
	uint64_t value;
	bool negative;
	int r;

	if (at == end || (*at != 'e' && *at != 'E'))
		return 0;
	at++;
	negative = at < end && *at == '-';
	at += at < end && (*at == '-' || *at == '+');
	r = number_read_uint(&at, end, EXPONENT_MAX, &value);
	if (r < 0)
		return -EINVAL;
	d->exponent += negative ? -(int)value : (int)value;
	*p = at;
	return 0;
}

static double
value_of(const struct decimal *d)
{
	static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
	double value = (double)d->mantissa;

	if (d->exponent <= 0 && d->exponent > -10)
		return value / tens[-d->exponent];
	return value * pow(10, d->exponent);
}

int
number_read(const char **p, const char *end, double *out)
{
	struct decimal d = {0};
	const char *at = *p;
	bool some = read_digits(&at, end, false, &d);
	int r;

	if (at < end && *at == '.') {
		at++;
		some = read_digits(&at, end, true, &d) || some;
	}
	if (!some)
		return -EINVAL;
	r = read_exponent(&at, end, &d);
	if (r < 0)
		return r;
	*p = at;
	*out = value_of(&d);
	return 0;
}

size_t
number_write_uint(unsigned int n, char *out)
{
	char digits[10];
	size_t len = 0;

	do {
		digits[len++] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	for (size_t i = 0; i < len; i++)
		out[i] = digits[len - 1 - i];
	return len;
}

size_t
number_write_ns(float ns, char out[NUMBER_NS_TEXT_MAX])
{
	double bounded = fmin((double)ns, NUMBER_NS_MAX);
	unsigned int hundredths = (unsigned int)(bounded * 100 + 0.5);
	size_t len;

	if (hundredths == 0)
		hundredths = 1;
	len = number_write_uint(hundredths / 100, out);
	hundredths %= 100;
	if (hundredths == 0)
		return len;
	out[len++] = '.';
	out[len++] = (char)('0' + hundredths / 10);
	if (hundredths % 10 != 0)
		out[len++] = (char)('0' + hundredths % 10);
	return len;
}

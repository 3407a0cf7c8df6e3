// SPDX-License-Identifier: MIT
/* Domain, bus, device and function in hexadecimal digits. Pure. */
#include "config.h"

#include "pve/pciaddr.h"

#include <errno.h>
#include <stdio.h>

#define DEVICE_MAX 0x1fu
#define FUNCTION_MAX 7u

/* A number of hexadecimal digits at the beginning of @rest, which it is cut off from.
 * Returns how many there are, 0 for more than eight. */
static size_t
take_hex(struct pvetext *rest, unsigned int *out)
{
	unsigned int value = 0;
	size_t n;

	for (n = 0; n < rest->len && n <= 8; n++) {
		char c = rest->s[n];

		if (c >= '0' && c <= '9')
			value = value * 16 + (unsigned int)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (unsigned int)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (unsigned int)(c - 'A') + 10;
		else
			break;
	}
	if (n > 8)
		return 0;
	*out = value;
	rest->s += n;
	rest->len -= n;
	return n;
}

static bool
take_char(struct pvetext *rest, char c)
{
	if (rest->len == 0 || rest->s[0] != c)
		return false;
	rest->s++;
	rest->len--;
	return true;
}

int
pciaddr_parse(struct pvetext t, char out[PCIADDR_MAX])
{
	unsigned int domain = 0;
	unsigned int bus = 0;
	unsigned int device = 0;
	unsigned int function = 0;
	bool has_function;
	size_t n;

	t = pvetext_trim(t);
	n = take_hex(&t, &bus);
	if (n >= 4) {
		domain = bus;
		n = take_char(&t, ':') ? take_hex(&t, &bus) : 0;
	}
	if (n != 2 || !take_char(&t, ':') || take_hex(&t, &device) != 2)
		return -EINVAL;
	has_function = take_char(&t, '.');
	if (has_function && take_hex(&t, &function) != 1)
		return -EINVAL;
	if (t.len > 0 || device > DEVICE_MAX || function > FUNCTION_MAX)
		return -EINVAL;
	n = (size_t)snprintf(out, PCIADDR_MAX, "%04x:%02x:%02x", domain, bus, device);
	if (has_function)
		(void)snprintf(out + n, PCIADDR_MAX - n, ".%x", function);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * Fuzz target: a configuration file. The unit test of config replays the corpus through
 * the same function.
 */
#include "config.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "conf/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What holds for every file: an error has a text, a success is consistent. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_NONE;
	enum settings_origin origin;
	struct settings c;
	int r;

	settings_init(&c);
	r = settings_parse(
		&c, (const char *)data, size, "fuzz", SETTINGS_ORIGIN_CONFIG, &e);
	assert((r < 0) == err_is_set(&e));
	assert(c.n_warnings <= SETTINGS_WARNINGS_MAX);
	for (size_t i = 0; i < c.n_vms; i++) {
		assert(i == 0 || strcmp(c.vms[i - 1].id, c.vms[i].id) < 0);
		assert(settings_vm_find(&c, c.vms[i].id) == &c.vms[i]);
		assert((unsigned int)settings_mode(&c, c.vms[i].id, &origin) <
			PLACE_N_MODES);
	}
	for (unsigned int t = 0; t < N_TERMS; t++)
		assert(c.weights[t] >= 0 && c.weights[t] <= 100);
	settings_fini(&c);
	return 0;
}

// SPDX-License-Identifier: MIT
/* qmpind: keeps the threads of QEMU virtual machines on the right CPUs. */
#include "config.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/cmdline.h"
#include "daemon/conflayers.h"
#include "daemon/letgo.h"
#include "daemon/offline.h"
#include "daemon/service.h"

/* --check-config: print the verdict. Returns the exit status. */
static int
check_config(const struct cmdline *c)
{
	struct conflayers files = {.root = c->root, .file = c->config};
	struct err why = ERR_NONE;
	struct settings config;
	char text[512];

	if (conflayers_load(&files, &config, &why) < 0) {
		log_error("%s", err_format(&why, text, sizeof(text)));
		return SERVICE_BAD_CONFIG;
	}
	conflayers_fini(&files);
	settings_fini(&config);
	(void)puts("the configuration is valid");
	return 0;
}

/* Each VM takes a few descriptors. */
static void
raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int
main(int argc, char **argv)
{
	struct err why = ERR_NONE;
	struct cmdline c;

	event_set_mem_functions(xmalloc, xresize, free);
	json_set_alloc_funcs(xmalloc, free);
	if (cmdline_parse(&c, argc, argv, &why) < 0) {
		(void)fprintf(stderr, "qmpind: %s\nTry 'qmpind --help'.\n", why.text);
		return SERVICE_USAGE;
	}
	if (c.help) {
		cmdline_help(stdout);
		return 0;
	}
	if (c.version) {
		(void)puts("qmpind " PACKAGE_VERSION);
		return 0;
	}
	if (c.check_config)
		return check_config(&c);
	raise_fd_limit();
	if (c.restore != NULL)
		return offline_restore(&c);
	if (c.release != NULL)
		return letgo_run(&c);
	return service_run(&c);
}

// SPDX-License-Identifier: MIT
/* qmpind: keeps the threads of QEMU virtual machines on the right CPUs. */
#include "config.h"

#include <stdio.h>

#include "daemon/cmdline.h"
#include "daemon/letgo.h"
#include "daemon/offline.h"
#include "daemon/service.h"

int
main(int argc, char **argv)
{
	struct err why = ERR_NONE;
	struct cmdline c;

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
		return service_check_config(&c);
	if (c.restore != NULL)
		return offline_restore(&c);
	if (c.release != NULL)
		return letgo_run(&c);
	return service_run(&c);
}

// SPDX-License-Identifier: MIT
/* A real QEMU (TCG, no guest but the firmware) and a proxy on it. QEMU is given a
 * listening socket of ours: the one of which the proxy needs a duplicate. */
#ifndef QMPIN_TESTS_PROXY_QEMU_H
#define QMPIN_TESTS_PROXY_QEMU_H

#include <stdbool.h>
#include <sys/types.h>

#include "proxy_host.h"

#define CAPABILITIES "{\"execute\": \"qmp_capabilities\"}\n"

struct proxy_qemu {
	char folder[64];
	char path[100];
	int listener;
	pid_t qemu;
	struct proxy_host host;
};

bool proxy_qemu_is_installed(void);

/** QEMU alone, or with a proxy on it. */
int proxy_qemu_setup(void **state);
int proxy_qemu_setup_shared(void **state);
int proxy_qemu_teardown(void **state);

/** Put a proxy on it. Returns when it is up. */
void proxy_qemu_share(struct proxy_qemu *f);

/** One command as Proxmox does it: connect, say all, hear the reply, close. */
void proxy_qemu_command(const char *path, unsigned int n);

/** The reply to @command is exactly @reply. */
void proxy_qemu_expect(int fd, const char *command, const char *reply);

#endif

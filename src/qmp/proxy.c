// SPDX-License-Identifier: MIT
/* Clients and QEMU's session on libevent; what is said is the mux's. */
#include "config.h"

#include "qmp/proxy.h"

#include <errno.h>
#include <unistd.h>

struct proxy *
proxy_new(struct event_base *base, int upstream, int listener,
	const struct proxy_options *options, const struct proxy_handlers *handlers,
	void *owner)
{
	(void)base;
	(void)listener;
	(void)options;
	(void)handlers;
	(void)owner;
	close(upstream);
	return NULL;
}

int
proxy_join(struct proxy *p)
{
	(void)p;
	return -ENOTSUP;
}

bool
proxy_is_busy(const struct proxy *p)
{
	(void)p;
	return false;
}

void
proxy_finish(struct proxy *p)
{
	(void)p;
}

void
proxy_free(struct proxy *p)
{
	(void)p;
}

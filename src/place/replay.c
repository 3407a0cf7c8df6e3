// SPDX-License-Identifier: MIT
/* Events, one after the other. */
#include "config.h"

#include "place/replay.h"

#include <errno.h>
#include <stdlib.h>

void
replay_event_fini(struct replay_event *e)
{
	free(e->start.guest_vcpus);
	free(e->start.host_nodes);
	free(e->start.resident);
	free(e->free);
	free(e->background);
	*e = (struct replay_event){0};
}

struct replay_settings
replay_settings_default(void)
{
	return (struct replay_settings){
		.policy = plan_policy_default(),
		.rebalance_vms_per_min = 2,
		.rebalance_vcpus_per_min = 1,
		.mode = PLACE_AUTO,
	};
}

int
replay_new(const struct replay_settings *s, replay_host_fn *host, void *owner,
	struct replay **out, struct err *e)
{
	(void)s;
	(void)host;
	(void)owner;
	(void)out;
	return err_set(e, -EINVAL, "", 0, "not built yet");
}

void
replay_free(struct replay *r)
{
	free(r);
}

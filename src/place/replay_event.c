// SPDX-License-Identifier: MIT
/* Events own their arrays. */
#include "config.h"

#include "place/replay_event.h"

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

// SPDX-License-Identifier: MIT
/* Settings of the host's files above the cluster's. */
#include "config.h"

#include "daemon/conflayers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"

static void
forget(struct source *s)
{
	free(s->name);
	free(s->text);
	*s = (struct source){.name = NULL};
}

static const struct source *
under(const struct source *cluster)
{
	return cluster->text != NULL ? cluster : NULL;
}

/* Those that begin so. */
static void
log_warnings(const struct settings *c, const char *prefix)
{
	for (size_t i = 0; i < c->n_warnings; i++) {
		if (str_has_prefix(c->warnings[i], prefix))
			log_warning("%s", c->warnings[i]);
	}
}

int
conflayers_load(struct conflayers *f, struct settings *out, struct err *e)
{
	struct sources host;
	int r = sources_read(f->root, f->file, &host, e);

	if (r < 0)
		return r;
	r = sources_parse(&host, under(&f->cluster), out, e);
	if (r < 0) {
		sources_fini(&host);
		return r;
	}
	sources_fini(&f->host);
	f->host = host;
	log_warnings(out, "");
	return 0;
}

bool
conflayers_may_pass(int error)
{
	switch (-error) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EIO:
		return true;
	default:
		return false;
	}
}

bool
conflayers_heeds_cluster(const struct conflayers *f)
{
	struct stat st;

	return f->file == NULL || (stat(f->file, &st) == 0 && S_ISDIR(st.st_mode));
}

int
conflayers_take_cluster(struct conflayers *f, const char *text, size_t len,
	struct settings *out, struct err *e)
{
	struct source cluster = {.name = xstrdup(CONFLAYERS_CLUSTER)};
	int r;

	if (text != NULL) {
		cluster.text = xmemdupz(text, len);
		cluster.len = len;
	}
	r = sources_parse(&f->host, under(&cluster), out, e);
	if (r < 0) {
		forget(&cluster);
		return r;
	}
	forget(&f->cluster);
	f->cluster = cluster;
	log_warnings(out, CONFLAYERS_CLUSTER);
	return 0;
}

void
conflayers_fini(struct conflayers *f)
{
	sources_fini(&f->host);
	forget(&f->cluster);
}

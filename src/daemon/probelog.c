// SPDX-License-Identifier: MIT
/* What is told to people about latencies. */
#include "config.h"

#include "daemon/probelog.h"

#include <stdio.h>

#include "base/log.h"
#include "base/str.h"

static void
say_trusted(struct probelog *l, const struct hostmodel *h, const char *how, bool other)
{
	char tiers[256];

	if (l->trusted && !other)
		return;
	log_notice("latency: %s: %s; placement goes by it", how,
		hostmodel_tiers_text(h, tiers, sizeof(tiers)));
	l->trusted = true;
	l->why = NULL;
}

static void
say_dispute(struct probelog *l, const struct hostmodel *h)
{
	char dispute[sizeof(l->dispute)];

	hostmodel_dispute_text(h, dispute, sizeof(dispute));
	if (str_equal(dispute, l->dispute))
		return;
	str_copy(l->dispute, sizeof(l->dispute), dispute);
	if (dispute[0] != '\0')
		log_notice("latency: the firmware's groups are not what was measured: "
			   "%s; placement goes by what was measured",
			dispute);
}

static void
say_untrusted(struct probelog *l, const struct hostmodel *h, const char *how)
{
	if (!l->trusted && str_equal(l->why, h->why))
		return;
	log_info("latency: %s: not trusted (%s); placement goes by what CPUs share",
		how, h->why);
	l->trusted = false;
	l->why = h->why;
}

const char *
probelog_how(const struct hostmodel *h, double took_s, char *buf, size_t size)
{
	unsigned int n = hostmodel_pairs(h);
	size_t all = matrix_pairs(h->topo->n_pus);

	if (took_s < 0)
		(void)snprintf(
			buf, size, "%u of %zu pairs are known from earlier", n, all);
	else
		(void)snprintf(buf, size, "measured %u of %zu pairs in %.1f s", n, all,
			took_s);
	return buf;
}

void
probelog_taken(struct probelog *l, const struct hostmodel *h, double took_s, bool other,
	bool final)
{
	char how[80];

	(void)probelog_how(h, took_s, how, sizeof(how));
	if (h->why == NULL) {
		say_trusted(l, h, how, other);
		say_dispute(l, h);
	} else if (final || l->trusted) {
		say_untrusted(l, h, how);
	}
}

void
probelog_failed(struct probelog *l, const struct err *why, unsigned long long again_ms)
{
	char text[400];
	bool said;

	err_format(why, text, sizeof(text));
	said = str_has_prefix(l->trouble, text);
	(void)snprintf(l->trouble, sizeof(l->trouble), "%s; tried again after %llu min",
		text, again_ms / 60000);
	if (!said)
		log_warning("latency: qmpin-probe: %s", l->trouble);
}

void
probelog_note(struct probelog *l, const char *text)
{
	if (str_equal(l->note, text))
		return;
	str_copy(l->note, sizeof(l->note), text);
	log_info("latency: %s", text);
}

void
probelog_works(struct probelog *l)
{
	l->trouble[0] = '\0';
}

void
probelog_refused(const struct err *why, bool measures)
{
	char text[512];

	log_warning("latency: %s: %s", err_format(why, text, sizeof(text)),
		measures ? "measured afresh" : "ignored");
}

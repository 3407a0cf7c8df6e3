// SPDX-License-Identifier: MIT
/* Values of options: words, numbers, sets. */
#include "config.h"

#include "conf/option_value.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "conf/settings.h"
#include "topo/cpuset.h"

/* Digits behind the point of a factor: a millionth is less than any weight means. */
#define DECIMALS_MAX 6u

/* Value of the n-th word, which is one that parses. */
static int
word_value(const struct option_def *o, size_t n)
{
	return o->parse != NULL ? o->parse(o->words[n]) : (int)n;
}

/* All words, joined. */
static void
add_words(const struct option_def *o, struct strbuf *out, const char *separator)
{
	for (size_t i = 0; o->words[i] != NULL; i++)
		strbuf_addf(out, "%s%s", out->len > 0 ? separator : "", o->words[i]);
}

static int
read_word(const struct option_def *o, const struct inifile_item *item, void *member,
	struct err *e)
{
	struct strbuf words = {0};
	size_t i = 0;
	int value;
	int r;

	while (o->words[i] != NULL && strcmp(o->words[i], item->value) != 0)
		i++;
	if (o->words[i] != NULL) {
		value = word_value(o, i);
		memcpy(member, &value, sizeof(value));
		return 0;
	}
	add_words(o, &words, ", ");
	r = err_set(e, -EINVAL, item->file, item->line,
		"%s: \"%.60s\" is not one of %s", o->key, item->value,
		strbuf_text(&words));
	strbuf_fini(&words);
	return r;
}

static int
read_uint(const struct option_def *o, const struct inifile_item *item, void *member,
	struct err *e)
{
	const char *blank = o->unit != NULL ? " " : "";
	const char *unit = o->unit != NULL ? o->unit : "";
	bool above;
	uint64_t number;
	unsigned int value;
	int r = str_parse_uint(item->value, o->max, &number);

	if (r == -EINVAL)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: \"%.60s\" is not a number (%u to %u%s%s)", o->key,
			item->value, o->min, o->max, blank, unit);
	above = r == -ERANGE;
	if (above || number < o->min)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: %.60s is %s %u%s%s", o->key, item->value,
			above ? "above" : "below", above ? o->max : o->min, blank,
			unit);
	value = (unsigned int)number;
	memcpy(member, &value, sizeof(value));
	return 0;
}

/* "1", "0.25": no sign, no exponent, a digit on both sides of the point. The locale has
 * no say. Returns 0, -EINVAL or -ERANGE. */
static int
parse_factor(const char *text, unsigned int max, double *out)
{
	const char *point = strchr(text, '.');
	char whole[16];
	size_t len = point != NULL ? (size_t)(point - text) : strlen(text);
	uint64_t units;
	uint64_t parts = 0;
	double scale = 1;
	int r;

	if (len >= sizeof(whole))
		return -EINVAL;
	str_copy(whole, len + 1, text);
	r = str_parse_uint(whole, max, &units);
	if (r < 0)
		return r;
	if (point != NULL && strlen(point + 1) > DECIMALS_MAX)
		return -EINVAL;
	if (point != NULL)
		r = str_parse_uint(point + 1, UINT32_MAX, &parts);
	if (r < 0)
		return r;
	for (size_t i = point != NULL ? strlen(point + 1) : 0; i > 0; i--)
		scale *= 10;
	*out = (double)units + (double)parts / scale;
	return 0;
}

static int
read_factor(const struct option_def *o, const struct inifile_item *item, double *member,
	struct err *e)
{
	double value;
	int r = parse_factor(item->value, o->max, &value);

	if (r == -EINVAL)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: \"%.60s\" is not a factor (%u to %u, such as 0.5)", o->key,
			item->value, o->min, o->max);
	if (r < 0 || value > o->max)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: %.60s is above %u", o->key, item->value, o->max);
	if (value < o->min)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: %.60s is below %u", o->key, item->value, o->min);
	*member = value;
	return 0;
}

static int
read_cpulist(const struct option_def *o, const struct inifile_item *item,
	struct cpuset *member, struct err *e)
{
	int r = cpuset_parse(item->value, member);

	if (r == -ERANGE)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: CPU numbers end at %u", o->key, CPUSET_CAP - 1);
	if (r < 0)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: \"%.60s\" is not a list of CPUs such as 0-3,8", o->key,
			item->value);
	return 0;
}

/* As adduser takes them, and numbers. */
static int
read_group(const struct option_def *o, const struct inifile_item *item, char *member,
	struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(item->value);

	if (len == 0 || len >= SETTINGS_GROUP_MAX || item->value[0] == '-' ||
		strspn(item->value, allowed) != len)
		return err_set(e, -EINVAL, item->file, item->line,
			"%s: \"%.60s\" is not the name of a group", o->key,
			item->value);
	str_copy(member, SETTINGS_GROUP_MAX, item->value);
	return 0;
}

int
option_value_read(const struct option_def *o, const struct inifile_item *item,
	void *member, struct err *e)
{
	switch (o->type) {
	case OPTION_UINT:
		return read_uint(o, item, member, e);
	case OPTION_FACTOR:
		return read_factor(o, item, member, e);
	case OPTION_WORD:
		return read_word(o, item, member, e);
	case OPTION_CPULIST:
		return read_cpulist(o, item, member, e);
	case OPTION_GROUP:
		return read_group(o, item, member, e);
	}
	return -EINVAL;
}

/* The shortest that is read back as the same; no exponent. */
static char *
factor_text(double value)
{
	char *text = xasprintf("%.*f", (int)DECIMALS_MAX, value);
	size_t len = strlen(text);

	while (text[len - 1] == '0')
		len--;
	text[text[len - 1] == '.' ? len - 1 : len] = '\0';
	return text;
}

static char *
word_text(const struct option_def *o, int value)
{
	size_t i = 0;

	while (o->words[i] != NULL && word_value(o, i) != value)
		i++;
	return xstrdup(o->words[i] != NULL ? o->words[i] : "");
}

char *
option_value_text(const struct option_def *o, const void *member)
{
	char cpus[CPUSET_TEXT_MAX];

	switch (o->type) {
	case OPTION_UINT:
		return xasprintf("%u", *(const unsigned int *)member);
	case OPTION_FACTOR:
		return factor_text(*(const double *)member);
	case OPTION_WORD:
		return word_text(o, *(const int *)member);
	case OPTION_CPULIST:
		return xstrdup(cpuset_format(member, cpus, sizeof(cpus)));
	case OPTION_GROUP:
		return xstrdup(member);
	}
	return xstrdup("");
}

void
option_value_describe(const struct option_def *o, FILE *out)
{
	struct strbuf words = {0};

	switch (o->type) {
	case OPTION_UINT:
		(void)fprintf(out, "# %u to %u%s%s", o->min, o->max,
			o->unit != NULL ? " " : "", o->unit != NULL ? o->unit : "");
		break;
	case OPTION_FACTOR:
		(void)fprintf(out, "# %u to %u, such as 0.5", o->min, o->max);
		break;
	case OPTION_WORD:
		add_words(o, &words, " | ");
		(void)fprintf(out, "# %s", strbuf_text(&words));
		strbuf_fini(&words);
		break;
	case OPTION_CPULIST:
		(void)fprintf(out, "# A list of CPUs such as 0-3,8");
		break;
	case OPTION_GROUP:
		(void)fprintf(out, "# The name of a group");
		break;
	}
	(void)fprintf(out, "%s\n", o->fixed ? "; changed by a restart only" : "");
}

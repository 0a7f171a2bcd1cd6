/*
 * option_value.c - a row's value inside its struct.
 *
 * A number or word of the tables of databases and users is kept in an int64_t
 * with CONF_UNSET whatever its type, a global one in the C type of its row.
 */
#include "conf/option_value.h"

#include "base/clock.h"
#include "conf/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A value on its way between text and member. */
union option_number {
	int64_t i;
	uint64_t u;
	bool b;
	int word;
};

static enum value_words option_value_words(enum option_type type)
{
	switch (type) {
	case OPTION_AUTH:
		return VALUE_WORDS_AUTH;
	case OPTION_ACTION:
		return VALUE_WORDS_ACTION;
	case OPTION_TLS:
		return VALUE_WORDS_TLS;
	case OPTION_LOGFMT:
		return VALUE_WORDS_LOGFMT;
	case OPTION_ATTACH:
		return VALUE_WORDS_ATTACH;
	case OPTION_ENGINE:
		return VALUE_WORDS_ENGINE;
	case OPTION_PROTOCOL:
		return VALUE_WORDS_PROTOCOL;
	case OPTION_NEGOTIATION:
		return VALUE_WORDS_NEGOTIATION;
	case OPTION_WEAKAUTH:
		return VALUE_WORDS_WEAKAUTH;
	case OPTION_BINDING:
		return VALUE_WORDS_BINDING;
	case OPTION_HOSTS:
		return VALUE_WORDS_HOSTS;
	default:
		CHECK(type == OPTION_MODE);
		return VALUE_WORDS_MODE;
	}
}

static int option_value_bad(const struct option *o, const char *text, const char *expected, char *error)
{
	snprintf(error, OPTION_VALUE_ERROR_MAX, "%s = %.60s: expected %.120s", o->name, text, expected);
	return -1;
}

static int option_value_out_of_range(const struct option *o, const char *text, char *error)
{
	snprintf(error, OPTION_VALUE_ERROR_MAX,
		"%s = %.80s is out of range, %" PRId64 " to %" PRId64 " %s are allowed", o->name, text,
		o->min, o->max,
		o->type == OPTION_INT || o->type == OPTION_OCTAL ? "" : option_type_name(o->type));
	return -1;
}

static int option_value_parse_int(
	const struct option *o, const char *text, union option_number *v, char *error)
{
	bool octal = o->type == OPTION_OCTAL;

	if ((octal ? value_octal(text, &v->i) : value_int(text, &v->i)) < 0)
		return option_value_bad(o, text,
			octal ? "an octal number with a leading 0, such as 0770" : "a whole number", error);
	if (v->i < o->min || v->i > o->max)
		return option_value_out_of_range(o, text, error);
	return 0;
}

static int option_value_parse_unit(
	const struct option *o, const char *text, union option_number *v, char *error)
{
	uint64_t unit = o->type == OPTION_TIME   ? CLOCK_US_PER_SEC
			: o->type == OPTION_MSEC ? CLOCK_US_PER_MS
						 : 1;
	uint64_t u;

	if (o->type == OPTION_SIZE) {
		if (value_size(text, &u) < 0)
			return option_value_bad(o, text, "a size, such as 4096, 64kB or 1MB", error);
	} else if (value_time(text, unit, &u) < 0) {
		return option_value_bad(o, text, "a time, such as 30, 500ms, 30s, 5min or 1h", error);
	}
	if (u < (uint64_t)o->min * unit || u > (uint64_t)o->max * unit)
		return option_value_out_of_range(o, text, error);
	v->u = u;
	return 0;
}

static int option_value_parse(const struct option *o, const char *text, union option_number *v, char *error)
{
	char expected[OPTION_VALUE_ERROR_MAX];

	switch (o->type) {
	case OPTION_BOOL:
		if (value_bool(text, &v->b) < 0)
			return option_value_bad(o, text, "0 or 1 (or off, on, no, yes, false, true)", error);
		return 0;
	case OPTION_INT:
	case OPTION_OCTAL:
		return option_value_parse_int(o, text, v, error);
	case OPTION_TIME:
	case OPTION_MSEC:
	case OPTION_SIZE:
		return option_value_parse_unit(o, text, v, error);
	case OPTION_STR:
	case OPTION_SECRET:
		break;
	default:
		if (value_word(option_value_words(o->type), text, &v->word) < 0) {
			snprintf(expected, sizeof(expected), "one of %s",
				value_word_list(option_value_words(o->type)));
			return option_value_bad(o, text, expected, error);
		}
		return 0;
	}
	CHECK(!"texts are not numbers");
	return -1;
}

static void option_value_store(const struct option *o, void *at, union option_number v)
{
	if (o->type == OPTION_BOOL)
		*(bool *)at = v.b;
	else if (o->type >= OPTION_MODE)
		*(int *)at = v.word;
	else if (o->type == OPTION_INT || o->type == OPTION_OCTAL)
		*(int64_t *)at = v.i;
	else
		*(uint64_t *)at = v.u;
}

static union option_number option_value_load(const struct option *o, const void *at)
{
	union option_number v = {.u = 0};

	if (o->type == OPTION_BOOL)
		v.b = *(const bool *)at;
	else if (o->type >= OPTION_MODE)
		v.word = *(const int *)at;
	else if (o->type == OPTION_INT || o->type == OPTION_OCTAL)
		v.i = *(const int64_t *)at;
	else
		v.u = *(const uint64_t *)at;
	return v;
}

/* The override's int64_t to and from the number of its type. */
static int64_t option_value_pack(const struct option *o, union option_number v)
{
	return o->type >= OPTION_MODE ? v.word : o->type == OPTION_INT ? v.i : (int64_t)v.u;
}

static union option_number option_value_unpack(const struct option *o, int64_t packed)
{
	union option_number v = {.u = 0};

	if (o->type >= OPTION_MODE)
		v.word = (int)packed;
	else if (o->type == OPTION_INT)
		v.i = packed;
	else
		v.u = (uint64_t)packed;
	return v;
}

int option_value_set(const struct option *o, void *base, const char *text, char error[OPTION_VALUE_ERROR_MAX])
{
	void *at = (char *)base + o->offset;
	union option_number v = {.u = 0};

	if (o->type == OPTION_SECRET) {
		if (o->table == OPTION_GLOBAL && (text[0] == '\0' || strcmp(text, "''") == 0))
			secret_drop(at);
		else
			secret_set(at, text, strlen(text));
		return 0;
	}
	if (o->type == OPTION_STR) {
		/* '' is how PgBouncer's manual writes an empty text */
		*(const char **)at = o->table == OPTION_GLOBAL && strcmp(text, "''") == 0 ? "" : text;
		return 0;
	}
	if (o->table != OPTION_GLOBAL && strcmp(text, "-1") == 0) {
		*(int64_t *)at = CONF_UNSET;
		return 0;
	}
	if (option_value_parse(o, text, &v, error) < 0)
		return -1;
	if (o->table == OPTION_GLOBAL)
		option_value_store(o, at, v);
	else
		*(int64_t *)at = option_value_pack(o, v);
	return 0;
}

void option_value_unset(const struct option *o, void *base)
{
	void *at = (char *)base + o->offset;

	CHECK(o->table != OPTION_GLOBAL);
	if (o->type == OPTION_SECRET)
		secret_drop(at);
	else if (o->type == OPTION_STR)
		*(const char **)at = NULL;
	else
		*(int64_t *)at = CONF_UNSET;
}

static const char *option_value_print_number(
	const struct option *o, union option_number v, char *out, size_t size)
{
	switch (o->type) {
	case OPTION_BOOL:
		return v.b ? "1" : "0";
	case OPTION_INT:
	case OPTION_OCTAL: /* PgBouncer prints the file mode in decimal */
		snprintf(out, size, "%" PRId64, v.i);
		return out;
	case OPTION_TIME:
		snprintf(out, size, "%g", (double)v.u / (double)CLOCK_US_PER_SEC);
		return out;
	case OPTION_MSEC:
		snprintf(out, size, "%" PRIu64, v.u / CLOCK_US_PER_MS);
		return out;
	case OPTION_SIZE:
		snprintf(out, size, "%" PRIu64, v.u);
		return out;
	default:
		return value_word_name(option_value_words(o->type), v.word);
	}
}

const char *option_value_print(const struct option *o, const void *base, char *out, size_t size)
{
	const void *at = (const char *)base + o->offset;
	int64_t packed;

	if (o->type == OPTION_SECRET)
		return NULL;
	if (o->type == OPTION_STR)
		return *(const char *const *)at;
	if (o->table == OPTION_GLOBAL)
		return option_value_print_number(o, option_value_load(o, at), out, size);
	packed = *(const int64_t *)at;
	return packed == CONF_UNSET ? NULL
				    : option_value_print_number(o, option_value_unpack(o, packed), out, size);
}

void option_value_copy(const struct option *o, struct conf_settings *to, const struct conf_settings *from)
{
	const void *src = (const char *)from + o->offset;
	void *dst = (char *)to + o->offset;

	/* a secret is no setting of the start, and its bytes have one owner */
	CHECK(o->table == OPTION_GLOBAL && o->type != OPTION_SECRET);
	if (o->type == OPTION_STR)
		*(const char **)dst = *(const char *const *)src;
	else
		option_value_store(o, dst, option_value_load(o, src));
}

static bool option_value_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool option_value_is_equal(const struct option *o, const void *a, const void *b)
{
	const void *x = (const char *)a + o->offset, *y = (const char *)b + o->offset;
	const struct secret *s = x, *t = y;

	if (o->type == OPTION_SECRET)
		return (s->data == NULL) == (t->data == NULL) &&
		       secret_is_equal(s->data, s->len, t->data, t->len);
	if (o->type == OPTION_STR)
		return option_value_same_text(*(const char *const *)x, *(const char *const *)y);
	if (o->table != OPTION_GLOBAL)
		return *(const int64_t *)x == *(const int64_t *)y;
	return option_value_load(o, x).u == option_value_load(o, y).u;
}

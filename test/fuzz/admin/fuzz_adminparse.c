/*
 * fuzz_adminparse.c - F-11: a command of the console.
 *
 * Input: the text.  Either there is a sentence about what is wrong, or there are a verb and arguments within
 * their bounds that mean the same when they are written down again in quotes.
 */
#include "admin/adminparse.h"

#include "admin/fakevar.h"
#include "base/buf.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void write_quoted(struct buf *out, const char *text, char quote)
{
	(void)buf_append_u8(out, (uint8_t)quote);
	for (; *text != '\0'; text++) {
		if (*text == quote)
			(void)buf_append_u8(out, (uint8_t)quote);
		(void)buf_append_u8(out, (uint8_t)*text);
	}
	(void)buf_append_u8(out, (uint8_t)quote);
}

static void check_again(const struct adminparse *p)
{
	static struct adminparse again;
	struct buf text;

	buf_init(&text, 0);
	(void)buf_append_str(&text, p->verb);
	for (unsigned i = 0; i < p->args; i++) {
		(void)buf_append_u8(&text, ' ');
		write_quoted(&text, p->arg[i], '"');
	}
	if (p->has_value) {
		(void)buf_append_str(&text, " = ");
		write_quoted(&text, p->value, '\'');
	}
	(void)buf_append_str(&text, " ; -- once more");
	CHECK(adminparse_command((const char *)text.data, text.len, &again) == 0);
	CHECK(strcmp(again.verb, p->verb) == 0 && again.args == p->args && again.has_value == p->has_value);
	for (unsigned i = 0; i < p->args; i++)
		CHECK(strcmp(again.arg[i], p->arg[i]) == 0);
	CHECK(strcmp(again.value, p->value) == 0);
	buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct adminparse p;
	const char *own;
	uint64_t id;
	double seconds;

	if (adminparse_command((const char *)data, n, &p) < 0) {
		CHECK(p.error[0] != '\0' && strlen(p.error) < sizeof(p.error));
		return 0;
	}
	CHECK(p.verb[0] != '\0' && strlen(p.verb) <= ADMINPARSE_VERB_MAX && p.args <= ADMINPARSE_ARGS);
	for (const char *c = p.verb; *c != '\0'; c++)
		CHECK(!(*c >= 'a' && *c <= 'z') && *c != ' ' && *c != ';');
	CHECK(p.has_value == (strcmp(p.verb, "SET") == 0));
	for (unsigned i = 0; i < p.args; i++) {
		if (adminparse_id(p.arg[i], &id) == 0)
			CHECK(id > 0);
		if (adminparse_seconds(p.arg[i], &seconds) == 0)
			CHECK(seconds >= 0 && seconds <= 315360000);
		if (fakevar_value(p.arg[i], &own) != NULL)
			CHECK(strlen(own) == strlen(p.arg[i]));
	}
	check_again(&p);
	return 0;
}

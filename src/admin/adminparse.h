/*
 * adminparse.h - one line of the console to a verb and its arguments.
 *
 * Any thread, no state.  Grammar: verb [argument [argument]] or SET key = value /
 * SET key TO value; words in any case, "quoted identifiers", 'strings', comments,
 * trailing semicolons; nothing after them.
 */
#ifndef ADMIN_ADMINPARSE_H
#define ADMIN_ADMINPARSE_H

#include "base/check.h"

#define ADMINPARSE_VERB_MAX  15
#define ADMINPARSE_ARG_MAX   63
#define ADMINPARSE_ARGS      2
#define ADMINPARSE_VALUE_MAX 4095

struct adminparse {
	char verb[ADMINPARSE_VERB_MAX + 1]; /* in upper case */
	unsigned args;
	char arg[ADMINPARSE_ARGS][ADMINPARSE_ARG_MAX + 1]; /* SET: the key */
	bool has_value;
	char value[ADMINPARSE_VALUE_MAX + 1]; /* SET only */
	char error[200];
};

/* 0, or -1 with a sentence in error.  text is borrowed until return and need not end with a NUL. */
int adminparse_command(const char *text, size_t n, struct adminparse *out) FX_MUST_USE;
/* Decimal digits, or 0x and hexadecimal ones; never 0.  -1: it is none. */
int adminparse_id(const char *text, uint64_t *out) FX_MUST_USE;
/* A number of seconds: digits[.digits], at most ten years. */
int adminparse_seconds(const char *text, double *out) FX_MUST_USE;

#endif

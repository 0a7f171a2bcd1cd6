/*
 * value.h - texts of single values to numbers, and the words of the enums.
 *
 * Any thread, no state.  Exact: no floating point when parsing, every overflow
 * is refused.  -1 leaves *out alone.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "base/check.h"

/* [-]digits */
int value_int(const char *text, int64_t *out) FX_MUST_USE;
/* 0 followed by octal digits, as in a file mode */
int value_octal(const char *text, int64_t *out) FX_MUST_USE;
/* 0 1 on off yes no true false, in any case of letters */
int value_bool(const char *text, bool *out) FX_MUST_USE;
/* digits[.digits][us|ms|s|min|h|d|w], blanks before the unit allowed; bare numbers are in units of
 * bare_us microseconds. Below a microsecond is cut off. */
int value_time(const char *text, uint64_t bare_us, uint64_t *out) FX_MUST_USE;
/* digits[B|kB|MB|GB|TB|k|M|G|T], powers of 1024, any case of letters */
int value_size(const char *text, uint64_t *out) FX_MUST_USE;

enum value_words {
	VALUE_WORDS_MODE,
	VALUE_WORDS_AUTH,
	VALUE_WORDS_ACTION,
	VALUE_WORDS_TLS,
	VALUE_WORDS_LOGFMT,
	VALUE_WORDS_ATTACH,
	VALUE_WORDS_ENGINE,
	VALUE_WORDS_PROTOCOL,
	VALUE_WORDS_HOSTS,
	VALUE_WORDS_NEGOTIATION,
	VALUE_WORDS_WEAKAUTH,
	VALUE_WORDS_BINDING,
};
int value_word(enum value_words set, const char *text, int *out) FX_MUST_USE;
/* NULL when there is no such number */
const char *value_word_name(enum value_words set, int number);
/* "a, b, c" for a sentence */
const char *value_word_list(enum value_words set);

#endif

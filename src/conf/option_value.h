/*
 * option_value.h - a row's value inside its struct: parse, print, compare.
 *
 * Any thread, no state.  base is the struct of the row's table (conf_settings,
 * conf_database, conf_user).  Texts are borrowed as long as base lives; secrets
 * are copied.
 */
#ifndef CONF_OPTION_VALUE_H
#define CONF_OPTION_VALUE_H

#include "conf/option.h"

#define OPTION_VALUE_ERROR_MAX 256

/* Parses text into the member.  In the tables of databases and users -1 means unset.  -1 with a
 * sentence in error, nothing was changed then. */
int option_value_set(
	const struct option *o, void *base, const char *text, char error[OPTION_VALUE_ERROR_MAX]) FX_MUST_USE;
/* Rows of databases and users: to "not set". */
void option_value_unset(const struct option *o, void *base);
/* As PgBouncer prints it, in out or lent from base.  NULL when it is not set, and for secrets. */
const char *option_value_print(const struct option *o, const void *base, char *out, size_t size);
/* Global rows: takes the member over (texts are then lent from `from`). */
void option_value_copy(const struct option *o, struct conf_settings *to, const struct conf_settings *from);
bool option_value_is_equal(const struct option *o, const void *a, const void *b);

#endif

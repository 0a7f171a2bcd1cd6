/*
 * argwords.h - a command line as words, without a shell.
 *
 * Any thread, no state.  Words stand between blanks.  Quotes of either kind keep blanks
 * together; inside double quotes a backslash takes the next character as it is.  No
 * variables, no wildcards, no pipes: $ ` | > ; & * are letters as others.
 */
#ifndef BASE_ARGWORDS_H
#define BASE_ARGWORDS_H

#include "base/check.h"

/* Gives a list that ends with NULL, one block for mem_free.  The first word is an absolute path.  NULL: *error is a sentence. */
char **argwords_new(const char *text, const char **error) FX_MUST_USE;

#endif

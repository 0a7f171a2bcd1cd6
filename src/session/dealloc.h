/*
 * dealloc.h - is this text DEALLOCATE of one statement?
 *
 * PostgreSQL's SQL command DEALLOCATE [PREPARE] name.  Any thread, no allocation.
 */
#ifndef SESSION_DEALLOC_H
#define SESSION_DEALLOC_H

#include "base/check.h"

#define DEALLOC_NAME_SIZE 64 /* NAMEDATALEN */
#define DEALLOC_TEXT_MAX 512 /* longer texts are not looked at */

/* true: the n bytes are that and nothing else; name is as PostgreSQL folds and cuts it. */
bool dealloc_parse(const char *text, size_t n, char name[DEALLOC_NAME_SIZE]);

#endif

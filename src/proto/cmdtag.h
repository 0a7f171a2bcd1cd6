/*
 * cmdtag.h - CommandComplete's tag: "SELECT 5", "INSERT 0 1", "DISCARD ALL".
 *
 * body is the n bytes after the length word; a tag without its NUL is none.
 * Any thread, no allocation.
 */
#ifndef PROTO_CMDTAG_H
#define PROTO_CMDTAG_H

#include "base/check.h"

/* The tag as lent C string, NULL when it is cut off or followed by other bytes. */
const char *cmdtag_text(const void *body, size_t n);
/* Is the tag exactly this word or these words, such as "DISCARD ALL"? */
bool cmdtag_is(const void *body, size_t n, const char *tag);
/* The row count at the end of the tag; false when it has none. */
bool cmdtag_rows(const void *body, size_t n, uint64_t *rows);

#endif

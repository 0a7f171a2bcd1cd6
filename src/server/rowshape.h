/*
 * rowshape.h - what the rows of a statement look like, as one number.
 *
 * A client reads rows by the description it was given, which may have been long
 * ago and by another server: equal numbers mean that it still holds.  PostgreSQL
 * compares the same (names and types of the columns; "Message Formats", RowDescription).
 *
 * No state; any thread.
 */
#ifndef SERVER_ROWSHAPE_H
#define SERVER_ROWSHAPE_H

#include "base/check.h"

#define ROWSHAPE_UNKNOWN UINT64_C(0)
#define ROWSHAPE_NONE UINT64_C(1) /* NoData */

/* Of the n bytes of a RowDescription's body.  Neither UNKNOWN nor NONE. */
uint64_t rowshape_of(const void *body, size_t n) FX_MUST_USE;

#endif

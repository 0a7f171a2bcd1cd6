/*
 * rowshape.c - what the rows of a statement look like, as one number.
 */
#include "server/rowshape.h"

#include "base/cursor.h"
#include "base/hash.h"

#include <string.h>

#define ROWSHAPE_WHERE 6 /* the table's OID and the column's number: another table of the same form is as good */
#define ROWSHAPE_TYPE 10 /* type, its size, its modifier */
#define ROWSHAPE_FORMAT 2 /* of this portal only */

uint64_t rowshape_of(const void *body, size_t n)
{
	struct cursor at = cursor_over(body, n);
	uint64_t sum = cursor_u16(&at);

	while (cursor_left(&at) > 0) {
		const char *name = cursor_cstr(&at);
		const uint8_t *type;

		(void)cursor_bytes(&at, ROWSHAPE_WHERE);
		type = cursor_bytes(&at, ROWSHAPE_TYPE);
		(void)cursor_bytes(&at, ROWSHAPE_FORMAT);
		if (at.bad)
			break; /* not a RowDescription; as a number it is as good as any */
		sum = hash_bytes((const uint64_t[2]){sum, 1}, name, strlen(name));
		sum = hash_bytes((const uint64_t[2]){sum, 2}, type, ROWSHAPE_TYPE);
	}
	sum = hash_bytes((const uint64_t[2]){sum, 3}, "", 0);
	return sum != ROWSHAPE_UNKNOWN && sum != ROWSHAPE_NONE ? sum : 2;
}

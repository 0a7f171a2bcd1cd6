/*
 * resultset.c - reads the whole answer of a server to one statement.
 */
#include "proto/resultset.h"

#include "base/cursor.h"
#include "proto/wire.h"

#include "base/poison.h"

/* the next message; false: none, or the bytes end in the middle of it */
static bool resultset_message(struct resultset *r, uint8_t *type, struct cursor *body)
{
	struct cursor at = cursor_over(r->p, (size_t)(r->end - r->p));
	uint32_t length;
	const uint8_t *bytes;

	if (r->p == r->end)
		return false;
	*type = cursor_u8(&at);
	length = cursor_u32(&at);
	if (at.bad || length < 4 || (bytes = cursor_bytes(&at, length - 4)) == NULL) {
		r->is_bad = true;
		return false;
	}
	*body = cursor_over(bytes, length - 4);
	r->p = at.p;
	return true;
}

static bool resultset_row(struct resultset *r, struct cursor *body)
{
	unsigned n = cursor_u16(body);

	if (body->bad || n != r->columns) {
		r->is_bad = true;
		return false;
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t length = cursor_u32(body);
		struct resultset_cell cell = {.text = NULL};

		if (length != UINT32_MAX) {
			cell.text = (const char *)cursor_bytes(body, length);
			cell.n = length;
		}
		if (body->bad || (length != UINT32_MAX && cell.text == NULL)) {
			r->is_bad = true;
			return false;
		}
		if (i < RESULTSET_COLUMNS)
			r->cell[i] = cell;
	}
	r->is_bad = cursor_left(body) != 0;
	return !r->is_bad;
}

void resultset_begin(struct resultset *r, const void *bytes, size_t n)
{
	struct cursor body;
	uint8_t type;

	*r = (struct resultset){.p = bytes, .end = bytes != NULL ? (const uint8_t *)bytes + n : NULL};
	while (resultset_message(r, &type, &body)) {
		if (type != BE_ROW_DESCRIPTION)
			continue;
		r->columns = cursor_u16(&body);
		r->is_bad = body.bad;
		return;
	}
}

bool resultset_next(struct resultset *r)
{
	struct cursor body;
	uint8_t type;

	while (!r->is_bad && resultset_message(r, &type, &body)) {
		/* of one statement there is one description, and it comes first */
		if (type == BE_ROW_DESCRIPTION)
			r->is_bad = true;
		else if (type == BE_DATA_ROW)
			return resultset_row(r, &body);
	}
	return false;
}

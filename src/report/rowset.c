/*
 * rowset.c - typed cells in one buffer: a kind byte, then eight bytes of number, or the text with its NUL.
 */
#include "report/rowset.h"

#include <string.h>

void rowset_init(struct rowset *r, size_t columns)
{
	buf_init(&r->cells, 0);
	r->columns = columns;
	r->count = 0;
}

void rowset_fini(struct rowset *r)
{
	buf_fini(&r->cells);
	r->count = 0;
}

static void rowset_cell(struct rowset *r, enum rowset_kind kind, const void *value, size_t n)
{
	(void)buf_append_u8(&r->cells, (uint8_t)kind);
	if (n > 0)
		(void)buf_append(&r->cells, value, n);
	r->count++;
}

void rowset_null(struct rowset *r)
{
	rowset_cell(r, ROWSET_NULL, NULL, 0);
}

void rowset_text(struct rowset *r, const char *text)
{
	if (text == NULL)
		rowset_null(r);
	else
		rowset_cell(r, ROWSET_TEXT, text, strlen(text) + 1);
}

void rowset_int(struct rowset *r, int64_t v)
{
	rowset_cell(r, ROWSET_INT, &v, sizeof(v));
}

void rowset_uint(struct rowset *r, uint64_t v)
{
	rowset_cell(r, ROWSET_UINT, &v, sizeof(v));
}

void rowset_time(struct rowset *r, uint64_t wall_us)
{
	rowset_cell(r, ROWSET_TIME, &wall_us, sizeof(wall_us));
}

void rowset_format(struct rowset *r, const char *fmt, ...)
{
	va_list ap;

	(void)buf_append_u8(&r->cells, ROWSET_TEXT);
	va_start(ap, fmt);
	(void)buf_vprintf(&r->cells, fmt, ap);
	va_end(ap);
	(void)buf_append_u8(&r->cells, 0);
	r->count++;
}

void rowset_append(struct rowset *to, const struct rowset *from)
{
	CHECK(to->columns == from->columns);
	if (from->cells.len > 0)
		(void)buf_append(&to->cells, from->cells.data, from->cells.len);
	to->cells.bad = to->cells.bad || from->cells.bad;
	to->count += from->count;
}

bool rowset_is_bad(const struct rowset *r)
{
	return r->cells.bad;
}

size_t rowset_rows(const struct rowset *r)
{
	CHECK(r->count % r->columns == 0);
	return r->count / r->columns;
}

bool rowset_next(const struct rowset *r, size_t *at, struct rowset_cell *out)
{
	const uint8_t *p = r->cells.data + *at;

	if (r->cells.bad || *at >= r->cells.len)
		return false;
	*out = (struct rowset_cell){.kind = (enum rowset_kind)p[0]};
	switch (out->kind) {
	case ROWSET_NULL:
		*at += 1;
		break;
	case ROWSET_TEXT:
		out->text = (const char *)p + 1;
		*at += 1 + strlen(out->text) + 1;
		break;
	case ROWSET_INT:
		memcpy(&out->number, p + 1, sizeof(out->number));
		*at += 1 + sizeof(out->number);
		break;
	case ROWSET_UINT:
	case ROWSET_TIME:
		memcpy(&out->natural, p + 1, sizeof(out->natural));
		*at += 1 + sizeof(out->natural);
		break;
	}
	return true;
}

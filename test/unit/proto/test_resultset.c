/* resultset: rows of an answer, and every answer that is none */
#include "base/buf.h"
#include "proto/resultset.h"
#include "proto/wire.h"
#include "test/unit/base/suite.h"

#include <stdlib.h>
#include <string.h>

static struct buf out;

static void setup(void)
{
	buf_init(&out, 0);
}

static void teardown(void)
{
	buf_fini(&out);
}

static void describe(unsigned columns)
{
	size_t at = wire_begin(&out, BE_ROW_DESCRIPTION);

	(void)buf_append_u16(&out, (uint16_t)columns);
	ck_assert_int_eq(wire_end(&out, at), 0);
}

static void row(unsigned columns, const char *const *cells)
{
	size_t at = wire_begin(&out, BE_DATA_ROW);

	(void)buf_append_u16(&out, (uint16_t)columns);
	for (unsigned i = 0; i < columns; i++) {
		(void)buf_append_u32(&out, cells[i] != NULL ? (uint32_t)strlen(cells[i]) : UINT32_MAX);
		if (cells[i] != NULL)
			(void)buf_append_str(&out, cells[i]);
	}
	ck_assert_int_eq(wire_end(&out, at), 0);
}

static void other(uint8_t type)
{
	size_t at = wire_begin(&out, type);

	ck_assert_int_eq(wire_end(&out, at), 0);
}

/* rows; -1: bad.  From a block of exactly that size, so that a byte beyond it is seen. */
static int rows_of(const void *bytes, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	struct resultset r;
	int rows = 0;

	memcpy(copy, bytes, n);
	resultset_begin(&r, copy, n);
	while (resultset_next(&r))
		rows++;
	free(copy);
	return r.is_bad ? -1 : rows;
}

START_TEST(test_rows)
{
	const char *const one[] = {"app", NULL}, *const two[] = {"", "secret"};
	struct resultset r;

	other(BE_PARSE_COMPLETE);
	other(BE_BIND_COMPLETE);
	describe(2);
	row(2, one);
	other(BE_NOTICE_RESPONSE);
	row(2, two);
	other(BE_COMMAND_COMPLETE);
	resultset_begin(&r, out.data, out.len);
	ck_assert_uint_eq(r.columns, 2);
	ck_assert(resultset_next(&r));
	ck_assert_uint_eq(r.cell[0].n, 3);
	ck_assert_mem_eq(r.cell[0].text, "app", 3);
	ck_assert_ptr_null(r.cell[1].text);
	ck_assert(resultset_next(&r));
	ck_assert(r.cell[0].text != NULL && r.cell[0].n == 0);
	ck_assert_mem_eq(r.cell[1].text, "secret", 6);
	ck_assert(!resultset_next(&r) && !r.is_bad);
	/* cut anywhere: whole messages, or bad */
	for (size_t n = 0; n < out.len; n++)
		ck_assert_int_le(rows_of(out.data, n), 2);
	ck_assert_int_eq(rows_of(out.data, out.len - 1), -1);
}
END_TEST

START_TEST(test_none)
{
	struct resultset r;

	resultset_begin(&r, NULL, 0);
	ck_assert(r.columns == 0 && !resultset_next(&r) && !r.is_bad);
	other(BE_PARSE_COMPLETE);
	other(BE_NO_DATA);
	other(BE_COMMAND_COMPLETE);
	resultset_begin(&r, out.data, out.len);
	ck_assert(r.columns == 0 && !resultset_next(&r) && !r.is_bad);
}
END_TEST

START_TEST(test_bad)
{
	const char *const cells[] = {"a", "b", "c", "d", "e", "f"};
	uint8_t damaged[64];

	describe(2);
	row(3, cells);
	ck_assert_int_eq(rows_of(out.data, out.len), -1);
	buf_reset(&out);
	describe(6); /* more than are read */
	row(6, cells);
	ck_assert_int_eq(rows_of(out.data, out.len), 1);
	buf_reset(&out);
	describe(1);
	describe(1);
	ck_assert_int_eq(rows_of(out.data, out.len), -1);
	buf_reset(&out);
	row(1, cells); /* without a description */
	ck_assert_int_eq(rows_of(out.data, out.len), 0);
	buf_reset(&out);
	describe(2);
	row(2, cells);
	ck_assert_uint_le(out.len, sizeof(damaged));
	/* every byte, every value: never a byte beyond the end is read */
	for (size_t i = 0; i < out.len; i++)
		for (unsigned v = 0; v < 256; v++) {
			memcpy(damaged, out.data, out.len);
			damaged[i] = (uint8_t)v;
			ck_assert_int_le(rows_of(damaged, out.len), 1);
		}
}
END_TEST

SUITE_MAIN_WITH("resultset", setup, teardown, test_rows, test_none, test_bad)

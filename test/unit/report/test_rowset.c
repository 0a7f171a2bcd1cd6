/*
 * test_rowset.c - what goes into a rowset comes out of it.
 */
#include "report/rowset.h"
#include "test/unit/base/suite.h"

START_TEST(cells_come_out_as_they_went_in)
{
	struct rowset_cell cell;
	struct rowset r;
	size_t at = 0;

	rowset_init(&r, 3);
	ck_assert_uint_eq(rowset_rows(&r), 0);
	ck_assert(!rowset_next(&r, &at, &cell));
	rowset_text(&r, "a");
	rowset_null(&r);
	rowset_int(&r, INT64_MIN);
	rowset_text(&r, "");
	rowset_text(&r, NULL);
	rowset_uint(&r, UINT64_MAX);
	rowset_format(&r, "%d-%s", 7, "x");
	rowset_int(&r, -1);
	rowset_time(&r, 1700000000000000);
	ck_assert(!rowset_is_bad(&r));
	ck_assert_uint_eq(rowset_rows(&r), 3);
	ck_assert(rowset_next(&r, &at, &cell) && cell.kind == ROWSET_TEXT);
	ck_assert_str_eq(cell.text, "a");
	ck_assert(rowset_next(&r, &at, &cell) && cell.kind == ROWSET_NULL);
	ck_assert(rowset_next(&r, &at, &cell) && cell.kind == ROWSET_INT && cell.number == INT64_MIN);
	ck_assert(rowset_next(&r, &at, &cell) && cell.kind == ROWSET_TEXT);
	ck_assert_str_eq(cell.text, "");
	ck_assert(rowset_next(&r, &at, &cell) && cell.kind == ROWSET_NULL);
	ck_assert(rowset_next(&r, &at, &cell) && cell.kind == ROWSET_UINT && cell.natural == UINT64_MAX);
	ck_assert(rowset_next(&r, &at, &cell) && cell.kind == ROWSET_TEXT);
	ck_assert_str_eq(cell.text, "7-x");
	ck_assert(rowset_next(&r, &at, &cell) && cell.kind == ROWSET_INT && cell.number == -1);
	ck_assert(
		rowset_next(&r, &at, &cell) && cell.kind == ROWSET_TIME && cell.natural == 1700000000000000);
	ck_assert(!rowset_next(&r, &at, &cell));
	rowset_fini(&r);
}
END_TEST

START_TEST(parts_are_joined_in_order)
{
	struct rowset a, b, all;
	struct rowset_cell cell;
	size_t at = 0;

	rowset_init(&a, 1);
	rowset_init(&b, 1);
	rowset_init(&all, 1);
	rowset_append(&all, &a);
	for (int i = 0; i < 1000; i++)
		rowset_int(i < 400 ? &a : &b, i);
	rowset_append(&all, &a);
	rowset_append(&all, &b);
	ck_assert_uint_eq(rowset_rows(&all), 1000);
	for (int i = 0; i < 1000; i++)
		ck_assert(rowset_next(&all, &at, &cell) && cell.number == i);
	rowset_fini(&a);
	rowset_fini(&b);
	rowset_fini(&all);
}
END_TEST

START_TEST(a_bad_part_makes_the_whole_bad)
{
	struct rowset a, all;
	struct rowset_cell cell;
	size_t at = 0;

	rowset_init(&a, 1);
	rowset_init(&all, 1);
	a.cells.max = 8; /* as if memory ended here */
	rowset_text(&a, "longer than eight bytes");
	ck_assert(rowset_is_bad(&a));
	rowset_int(&all, 1);
	rowset_append(&all, &a);
	ck_assert(rowset_is_bad(&all));
	ck_assert(!rowset_next(&all, &at, &cell));
	rowset_fini(&a);
	rowset_fini(&all);
}
END_TEST

SUITE_MAIN(
	"rowset", cells_come_out_as_they_went_in, parts_are_joined_in_order, a_bad_part_makes_the_whole_bad)

/* rowshape: what makes rows look different, and what does not */
#include "base/buf.h"
#include "server/rowshape.h"
#include "test/unit/base/suite.h"

#include <stdlib.h>
#include <string.h>

struct column {
	const char *name;
	uint32_t table, type, modifier;
	uint16_t number, size, format;
};

static uint64_t shape(const struct column *c, uint16_t n)
{
	struct buf b;
	uint64_t got;

	buf_init(&b, 0);
	ck_assert_int_eq(buf_append_u16(&b, n), 0);
	for (uint16_t i = 0; i < n; i++) {
		(void)buf_append_cstr(&b, c[i].name);
		(void)buf_append_u32(&b, c[i].table);
		(void)buf_append_u16(&b, c[i].number);
		(void)buf_append_u32(&b, c[i].type);
		(void)buf_append_u16(&b, c[i].size);
		(void)buf_append_u32(&b, c[i].modifier);
		(void)buf_append_u16(&b, c[i].format);
	}
	ck_assert(!b.bad);
	got = rowshape_of(b.data, b.len);
	buf_fini(&b);
	ck_assert(got != ROWSHAPE_UNKNOWN && got != ROWSHAPE_NONE);
	return got;
}

START_TEST(test_what_counts)
{
	static const struct column one = {"a", 16400, 23, UINT32_MAX, 1, 4, 0};
	const uint64_t want = shape(&one, 1);
	struct column c = one;

	ck_assert(shape(&c, 1) == want);
	/* where it comes from, and in what form it was asked for, does not matter */
	c.table = 16500;
	c.number = 7;
	c.format = 1;
	ck_assert(shape(&c, 1) == want);
	c = one;
	c.name = "b";
	ck_assert(shape(&c, 1) != want);
	c = one;
	c.type = 25;
	ck_assert(shape(&c, 1) != want);
	c = one;
	c.modifier = 12;
	ck_assert(shape(&c, 1) != want);
	c = one;
	c.size = 8;
	ck_assert(shape(&c, 1) != want);
	ck_assert(shape(NULL, 0) != want);
}
END_TEST

START_TEST(test_columns)
{
	static const struct column two[] = {{"a", 0, 23, UINT32_MAX, 0, 4, 0}, {"b", 0, 25, UINT32_MAX, 0, UINT16_MAX, 0}};
	const struct column turned[] = {two[1], two[0]};

	ck_assert(shape(two, 2) != shape(two, 1));
	ck_assert(shape(two, 2) != shape(turned, 2));
}
END_TEST

/* what is no RowDescription has a shape as well, and nothing is read behind it */
START_TEST(test_any_bytes)
{
	static const uint8_t body[] = "\0\1a\0\0\0\0\0\0\0\0\0\0\27\0\4\xff\xff\xff\xff\0\0";

	for (size_t n = 0; n < sizeof(body); n++) {
		uint8_t *exact = malloc(n > 0 ? n : 1);

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, body, n);
		ck_assert(rowshape_of(exact, n) > ROWSHAPE_NONE);
		free(exact);
	}
}
END_TEST

SUITE_MAIN("rowshape", test_what_counts, test_columns, test_any_bytes)

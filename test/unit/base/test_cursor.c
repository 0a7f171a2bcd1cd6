/* cursor: no read goes past the end, whatever was asked for */
#include "base/buf.h"
#include "base/cursor.h"
#include "test/unit/base/suite.h"

START_TEST(test_reads)
{
	static const uint8_t raw[] = "\x01\x02\x03\x04\x05\x06\x07hello\0tail";
	struct cursor c = cursor_over(raw, sizeof(raw) - 1);
	const uint8_t *tail;

	ck_assert_uint_eq(cursor_u8(&c), 1);
	ck_assert_uint_eq(cursor_u16(&c), 0x0203);
	ck_assert_uint_eq(cursor_u32(&c), 0x04050607);
	ck_assert_str_eq(cursor_cstr(&c), "hello");
	ck_assert_uint_eq(cursor_left(&c), 4);
	tail = cursor_bytes(&c, 4);
	ck_assert_mem_eq(tail, "tail", 4);
	ck_assert(!c.bad);
	ck_assert_uint_eq(cursor_left(&c), 0);
}
END_TEST

START_TEST(test_high_bits)
{
	struct cursor c = cursor_over("\xff\xff\xff\xff\x80\x00\x80", 7);

	ck_assert_uint_eq(cursor_u32(&c), UINT32_MAX);
	ck_assert_uint_eq(cursor_u16(&c), 0x8000);
	ck_assert_uint_eq(cursor_u8(&c), 0x80);
}
END_TEST

/* Every read at every length that is too short: bad, zero, and nothing is consumed. */
START_TEST(test_short)
{
	static const uint8_t raw[] = {1, 2, 3, 4};

	for (size_t n = 0; n < 4; n++) {
		struct cursor c = cursor_over(raw, n);

		ck_assert_uint_eq(cursor_u32(&c), 0);
		ck_assert(c.bad);
		ck_assert_uint_eq(cursor_left(&c), n);
	}
	for (size_t n = 0; n < 2; n++) {
		struct cursor c = cursor_over(raw, n);

		ck_assert_uint_eq(cursor_u16(&c), 0);
		ck_assert(c.bad);
	}
}
END_TEST

START_TEST(test_bad_is_for_ever)
{
	struct cursor c = cursor_over("abcdefgh", 9);

	ck_assert_ptr_null(cursor_bytes(&c, 10));
	ck_assert(c.bad);
	ck_assert_uint_eq(cursor_u8(&c), 0);
	ck_assert_ptr_null(cursor_cstr(&c));
	ck_assert_ptr_null(cursor_bytes(&c, 0));
	ck_assert_uint_eq(cursor_left(&c), 9);
}
END_TEST

START_TEST(test_huge_length)
{
	struct cursor c = cursor_over("abc", 3);

	ck_assert_ptr_null(cursor_bytes(&c, SIZE_MAX));
	ck_assert(c.bad);
}
END_TEST

START_TEST(test_no_nul)
{
	struct cursor c = cursor_over("abc", 3);

	ck_assert_ptr_null(cursor_cstr(&c));
	ck_assert(c.bad);
	c = cursor_over("", 1);
	ck_assert_str_eq(cursor_cstr(&c), "");
	ck_assert(!c.bad);
}
END_TEST

/* An empty buffer has no bytes at all, not even an address. */
START_TEST(test_nothing)
{
	struct buf b;
	struct cursor c;

	buf_init(&b, 0);
	c = cursor_over(b.data, b.len);
	ck_assert_uint_eq(cursor_left(&c), 0);
	ck_assert_ptr_null(cursor_cstr(&c));
	ck_assert(c.bad);
	c = cursor_over(b.data, b.len);
	ck_assert_uint_eq(cursor_u8(&c), 0);
	ck_assert(c.bad);
}
END_TEST

SUITE_MAIN("cursor", test_reads, test_high_bits, test_short, test_bad_is_for_ever, test_huge_length,
	test_no_nul, test_nothing)

/* buf: growth, limits, and what is left after a refusal */
#include "base/buf.h"
#include "test/unit/base/suite.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

START_TEST(test_append_and_text)
{
	struct buf b;

	buf_init(&b, 0);
	ck_assert_str_eq(buf_text(&b), "");
	ck_assert_int_eq(buf_append(&b, "abc", 3), 0);
	ck_assert_int_eq(buf_append(&b, NULL, 0), 0);
	ck_assert_int_eq(buf_append_u8(&b, 'd'), 0);
	ck_assert_int_eq(buf_append_str(&b, "ef"), 0);
	ck_assert_str_eq(buf_text(&b), "abcdef");
	ck_assert_uint_eq(b.len, 6);
	ck_assert_int_eq(buf_append_cstr(&b, "g"), 0);
	ck_assert_uint_eq(b.len, 8);
	ck_assert_mem_eq(b.data, "abcdefg\0", 8);
	buf_fini(&b);
	ck_assert_str_eq(buf_text(&b), "");
}
END_TEST

START_TEST(test_network_order)
{
	struct buf b;

	buf_init(&b, 0);
	buf_append_u16(&b, 0x0102);
	buf_append_u32(&b, 0x03040506);
	ck_assert_mem_eq(b.data, "\1\2\3\4\5\6", 6);
	buf_put_u32_at(&b, 2, 0xfffefdfc);
	ck_assert_mem_eq(b.data, "\1\2\xff\xfe\xfd\xfc", 6);
	buf_fini(&b);
}
END_TEST

START_TEST(test_every_size_has_room_for_the_nul)
{
	for (size_t n = 0; n < 300; n++) {
		struct buf b;

		buf_init(&b, 0);
		for (size_t i = 0; i < n; i++)
			ck_assert_int_eq(buf_append_u8(&b, 'x'), 0);
		ck_assert_uint_eq(strlen(buf_text(&b)), n);
		ck_assert_uint_eq(b.len, n);
		buf_fini(&b);
	}
}
END_TEST

START_TEST(test_limit_is_exact_and_leaves_the_content)
{
	struct buf b;

	buf_init(&b, 10);
	ck_assert_int_eq(buf_append(&b, "0123456789", 10), 0);
	ck_assert(!b.bad);
	ck_assert_int_eq(buf_append_u8(&b, 'x'), -1);
	ck_assert(b.bad);
	ck_assert_str_eq(buf_text(&b), "0123456789");
	/* bad stays until reset, and an append that fits still works */
	ck_assert_int_eq(buf_append(&b, "", 0), 0);
	ck_assert(b.bad);
	buf_reset(&b);
	ck_assert(!b.bad);
	ck_assert_int_eq(buf_printf(&b, "%d-%s", 12345, "abcd"), 0);
	ck_assert_str_eq(buf_text(&b), "12345-abcd");
	ck_assert_int_eq(buf_printf(&b, "%s", "e"), -1);
	ck_assert_str_eq(buf_text(&b), "12345-abcd");
	buf_fini(&b);
}
END_TEST

START_TEST(test_sizes_that_overflow_are_refused)
{
	static const size_t limits[] = {1, 100, INT_MAX, (size_t)INT_MAX + 1, (size_t)UINT32_MAX, SIZE_MAX};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct buf b;

		buf_init(&b, limits[i]);
		ck_assert_int_eq(buf_append(&b, "x", 1), 0);
		ck_assert_int_eq(buf_reserve(&b, SIZE_MAX), -1);
		ck_assert(b.bad);
		buf_reset(&b);
		ck_assert_int_eq(buf_append(&b, "x", 1), 0);
		ck_assert_int_eq(buf_reserve(&b, limits[i]), -1);
		ck_assert_uint_eq(b.len, 1);
		buf_fini(&b);
	}
}
END_TEST

/* Nothing may loop or wrap around where len + extra is SIZE_MAX itself. */
START_TEST(test_the_largest_size_of_all)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	ck_assert_int_eq(buf_reserve(&b, SIZE_MAX), -1);
	ck_assert(b.bad);
	ck_assert_int_eq(buf_reserve(&b, SIZE_MAX - 1), -1);
	buf_reset(&b);
	ck_assert_int_eq(buf_append_str(&b, "still good"), 0);
	ck_assert_str_eq(buf_text(&b), "still good");
	buf_fini(&b);
}
END_TEST

/* A buffer may hold the largest packet that the settings allow; the memory is reserved, not touched. */
START_TEST(test_two_to_the_31)
{
	struct buf b;

	buf_init(&b, INT_MAX);
	ck_assert_int_eq(buf_reserve(&b, INT_MAX), 0);
	ck_assert_uint_gt(b.cap, INT_MAX);
	ck_assert_int_eq(buf_reserve(&b, (size_t)INT_MAX + 1), -1);
	buf_fini(&b);
}
END_TEST

START_TEST(test_default_limit)
{
	struct buf b;

	buf_init(&b, 0);
	ck_assert_int_eq(buf_reserve(&b, BUF_MAX_DEFAULT + 1), -1);
	b.len = 0;
	buf_fini(&b);
}
END_TEST

START_TEST(test_consume)
{
	struct buf b;

	buf_init(&b, 0);
	buf_consume(&b, 0);
	buf_append_str(&b, "hello world");
	buf_consume(&b, 6);
	ck_assert_str_eq(buf_text(&b), "world");
	buf_consume(&b, 5);
	ck_assert_uint_eq(b.len, 0);
	buf_append_str(&b, "again");
	ck_assert_str_eq(buf_text(&b), "again");
	buf_wipe(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(test_consume_too_much_aborts)
{
	struct buf b;

	buf_init(&b, 0);
	buf_append_str(&b, "abc");
	buf_consume(&b, 4);
}
END_TEST

START_TEST(test_put_outside_aborts)
{
	struct buf b;

	buf_init(&b, 0);
	buf_append_str(&b, "abcd");
	buf_put_u32_at(&b, SIZE_MAX - 1, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("buf");
	TCase *t = tcase_create("buf");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_append_and_text);
	tcase_add_test(t, test_network_order);
	tcase_add_test(t, test_every_size_has_room_for_the_nul);
	tcase_add_test(t, test_limit_is_exact_and_leaves_the_content);
	tcase_add_test(t, test_sizes_that_overflow_are_refused);
	tcase_add_test(t, test_the_largest_size_of_all);
	tcase_add_test(t, test_two_to_the_31);
	tcase_add_test(t, test_default_limit);
	tcase_add_test(t, test_consume);
	tcase_add_test_raise_signal(t, test_consume_too_much_aborts, SIGABRT);
	tcase_add_test_raise_signal(t, test_put_outside_aborts, SIGABRT);
	suite_add_tcase(s, t);
	return suite_run(s);
}

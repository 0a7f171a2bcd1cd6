/* slots: a handle of a dead object finds nothing, for ever */
#include "base/slots.h"
#include "test/unit/base/suite.h"

#include <signal.h>

START_TEST(test_life)
{
	struct slots t;
	int a, b;
	uint64_t ha, hb, again;

	slots_init(&t);
	ck_assert_ptr_null(slots_get(&t, 0));
	ha = slots_add(&t, &a);
	hb = slots_add(&t, &b);
	ck_assert_uint_ne(ha, 0);
	ck_assert_uint_ne(ha, hb);
	ck_assert_ptr_eq(slots_get(&t, ha), &a);
	ck_assert_ptr_eq(slots_get(&t, hb), &b);
	ck_assert_uint_eq(t.used, 2);
	slots_remove(&t, ha);
	ck_assert_ptr_null(slots_get(&t, ha));
	again = slots_add(&t, &b);
	ck_assert_uint_eq((uint32_t)again, (uint32_t)ha); /* the same place */
	ck_assert_uint_ne(again, ha);                     /* another generation */
	ck_assert_ptr_null(slots_get(&t, ha));
	ck_assert_ptr_eq(slots_get(&t, again), &b);
	slots_fini(&t);
	ck_assert_ptr_null(slots_get(&t, again));
}
END_TEST

START_TEST(test_foreign_handles)
{
	struct slots t;
	int a;
	uint64_t h;

	slots_init(&t);
	h = slots_add(&t, &a);
	ck_assert_ptr_null(slots_get(&t, 0));
	ck_assert_ptr_null(slots_get(&t, UINT64_MAX));
	ck_assert_ptr_null(slots_get(&t, h + 1));
	ck_assert_ptr_null(slots_get(&t, h + (UINT64_C(1) << 32)));
	ck_assert_ptr_null(slots_get(&t, (uint32_t)h));
	slots_fini(&t);
}
END_TEST

START_TEST(test_many)
{
	enum { N = 10000 };
	static uint64_t handle[N];
	static int object[N];
	struct slots t;

	slots_init(&t);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			handle[i] = slots_add(&t, &object[i]);
			ck_assert_uint_ne(handle[i], 0);
		}
		ck_assert_uint_eq(t.used, N);
		for (int i = 0; i < N; i++)
			ck_assert_ptr_eq(slots_get(&t, handle[i]), &object[i]);
		for (int i = N - 1; i >= 0; i--)
			slots_remove(&t, handle[i]);
		for (int i = 0; i < N; i++)
			ck_assert_ptr_null(slots_get(&t, handle[i]));
	}
	ck_assert_uint_eq(t.count, N); /* places are used again */
	slots_fini(&t);
}
END_TEST

START_TEST(test_removing_twice_aborts)
{
	struct slots t;
	uint64_t h;

	slots_init(&t);
	h = slots_add(&t, &t);
	slots_remove(&t, h);
	slots_remove(&t, h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("slots");
	TCase *t = tcase_create("slots");

	tcase_add_test(t, test_life);
	tcase_add_test(t, test_foreign_handles);
	tcase_add_test(t, test_many);
	tcase_add_test_raise_signal(t, test_removing_twice_aborts, SIGABRT);
	suite_add_tcase(s, t);
	return suite_run(s);
}

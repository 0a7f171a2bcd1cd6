/*
 * suite.h - one suite, one test case, run and report; for the unit tests.
 */
#ifndef TEST_UNIT_BASE_SUITE_H
#define TEST_UNIT_BASE_SUITE_H

#include <check.h>
#include <stdlib.h>

static inline int suite_run(Suite *s)
{
	SRunner *runner = srunner_create(s);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	/* a program that ran nothing has proved nothing */
	if (srunner_ntests_run(runner) == 0)
		failed = 1;
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define SUITE_TIMEOUT 120 /* seconds for a test, many of which may have to share a core */

/* n tests as one test case; setup and teardown around each, NULL: none */
static inline void suite_add(
	Suite *s, const char *name, void (*setup)(void), void (*teardown)(void), const TTest *const *tests, size_t n)
{
	TCase *t = tcase_create(name);

	tcase_set_timeout(t, SUITE_TIMEOUT);
	if (setup != NULL || teardown != NULL)
		tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
}

/* The cases of one program: SUITE_MAIN("buf", test_a, test_b); with what is done around each: SUITE_MAIN_WITH("loop", setup, teardown, ...) */
#define SUITE_MAIN(name, ...) SUITE_MAIN_WITH(name, NULL, NULL, __VA_ARGS__)
#define SUITE_MAIN_WITH(name, setup, teardown, ...)                                              \
	int main(void)                                                                           \
	{                                                                                        \
		const TTest *const tests[] = {__VA_ARGS__};                                      \
		Suite *s = suite_create(name);                                                   \
                                                                                                 \
		suite_add(s, name, setup, teardown, tests, sizeof(tests) / sizeof(tests[0]));    \
		return suite_run(s);                                                             \
	}

#endif

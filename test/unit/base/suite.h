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

/* The cases of one program: SUITE_MAIN("buf", test_a, test_b) */
#define SUITE_MAIN(name, ...)                                                 \
	int main(void)                                                        \
	{                                                                     \
		const TTest *const tests[] = {__VA_ARGS__};                   \
		Suite *s = suite_create(name);                                \
		TCase *t = tcase_create(name);                                \
                                                                              \
		tcase_set_timeout(t, 60);                                     \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) \
			tcase_add_test(t, tests[i]);                          \
		suite_add_tcase(s, t);                                        \
		return suite_run(s);                                          \
	}

#endif

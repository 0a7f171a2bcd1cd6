/* osuser: the root that every system has, and a user that none has */
#include "base/osuser.h"
#include "test/unit/base/suite.h"

START_TEST(test_names)
{
	char name[OSUSER_MAX] = "?";

	ck_assert(osuser_name(0, name));
	ck_assert_str_eq(name, "root");
	ck_assert(!osuser_name((uid_t)-2 - 12345, name));
}
END_TEST

SUITE_MAIN("osuser", test_names)

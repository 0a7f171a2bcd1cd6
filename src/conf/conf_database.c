/*
 * conf_database.c - does a changed entry need new server connections?
 */
#include "conf/conf.h"
#include "conf/option_value.h"

#include <string.h>

bool conf_database_is_same_target(const struct conf_database *a, const struct conf_database *b)
{
	static const char *const keys[] = {
		"dbname",
		"host",
		"port",
		"user",
		"password",
		"connect_query",
		"client_encoding",
		"datestyle",
		"timezone",
		"application_name",
		"load_balance_hosts",
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct option *o = option_find(OPTION_DATABASE, keys[i]);

		CHECK(o != NULL);
		if (!option_value_is_equal(o, a, b))
			return false;
	}
	return true;
}

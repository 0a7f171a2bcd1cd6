/* envvars, dburl: a container needs no file at all */
#include "conf/dburl.h"
#include "test/unit/conf/scratch.h"

static struct conf *load_env(void)
{
	struct conf *c = conf_load(NULL, NULL, &scratch_report);

	ck_assert_msg(c != NULL, "%s", scratch_errors());
	return c;
}

START_TEST(test_nothing_at_all)
{
	struct conf *c = load_env();

	ck_assert_int_eq(c->profile, CONF_PROFILE_FYNIXPOOL);
	ck_assert_uint_eq(c->databases, 0);
	ck_assert_str_eq(c->set.conffile, "");
	conf_unref(c);
}
END_TEST

START_TEST(test_all_of_them)
{
	const struct conf_database *d;
	struct conf *c;

	setenv("DB_POOL_SIZE", "7", 1);
	setenv("DB_MAX_OVERFLOW", "8", 1);
	setenv("DB_POOL_RECYCLE", "1800", 1);
	setenv("DB_POOL_PRE_PING", "False", 1);
	setenv("DB_POOL_TIMEOUT", "9", 1);
	setenv("DATABASE_URL", "postgresql://app:p%40ss%27w%20d@db.example:5433/shop?application_name=web",
		1);
	setenv("FYNIXPOOL_LISTEN_ADDR", "*", 1);
	setenv("FYNIXPOOL_QUERY_TIMEOUT", "5min", 1);
	setenv("FYNIXPOOL_LISTEN_PORT", "", 1);
	c = load_env();
	ck_assert_int_eq(c->set.default_pool_size, 7);
	ck_assert_int_eq(c->set.max_overflow, 8);
	ck_assert_uint_eq(c->set.server_lifetime, UINT64_C(1800000000));
	ck_assert_uint_eq(c->set.query_wait_timeout, 9000000);
	ck_assert(!c->set.pool_pre_ping);
	ck_assert_str_eq(c->set.listen_addr, "*");
	ck_assert_uint_eq(c->set.query_timeout, 300000000);
	ck_assert_int_eq(c->set.listen_port, 6432);
	d = conf_find_database(c, "shop");
	ck_assert_str_eq(d->host, "db.example");
	ck_assert_int_eq(d->port, 5433);
	ck_assert_str_eq(d->force_user, "app");
	ck_assert_str_eq((char *)d->password.data, "p@ss'w d");
	ck_assert_str_eq(d->application_name, "web");
	ck_assert_str_eq((char *)conf_find_secret(c, "app")->secret.data, "p@ss'w d");
	ck_assert_str_eq(scratch_warnings(), "");
	conf_unref(c);
}
END_TEST

START_TEST(test_the_file_wins)
{
	struct conf *c;

	setenv("DB_POOL_SIZE", "7", 1);
	setenv("DB_MAX_OVERFLOW", "8", 1);
	setenv("DATABASE_URL", "postgres://app:pw@db/shop", 1);
	scratch_write("u.txt", "\"app\" \"other\"\n");
	c = scratch_load("[fynixpool]\npool_size=3\nauth_file=u.txt\n[databases]\nshop = host=file\n");
	ck_assert_int_eq(c->set.default_pool_size, 3);
	ck_assert_int_eq(c->set.max_overflow, 8);
	ck_assert_str_eq(conf_find_database(c, "shop")->host, "file");
	ck_assert_ptr_null(conf_find_database(c, "shop")->force_user);
	ck_assert_str_eq((char *)conf_find_secret(c, "app")->secret.data, "other");
	conf_unref(c);
}
END_TEST

START_TEST(test_sqlalchemy_has_no_limit)
{
	struct conf *c;

	setenv("DB_POOL_RECYCLE", "-1", 1);
	setenv("DB_MAX_OVERFLOW", "-1", 1);
	c = load_env();
	ck_assert_uint_eq(c->set.server_lifetime, UINT64_C(315360000) * 1000000);
	ck_assert_int_eq(c->set.max_overflow, CONF_COUNT_MAX);
	conf_unref(c);
}
END_TEST

START_TEST(test_problems_name_the_variable)
{
	struct conf *c;

	setenv("DB_POOL_SIZE", "many", 1);
	setenv("DATABASE_URL", "mysql://x:topsecret@y/z", 1);
	setenv("FYNIXPOOL_POOL_MODE", "x", 1);
	ck_assert_ptr_null(conf_load(NULL, NULL, &scratch_report));
	ck_assert_str_eq(scratch_errors(),
		"DATABASE_URL: it must begin with postgresql:// or postgres://\n"
		"DB_POOL_SIZE: default_pool_size = many: expected a whole number\n"
		"FYNIXPOOL_POOL_MODE: pool_mode = x: expected one of session, transaction, statement\n");
	/* somebody else's DATABASE_URL does not stop a pooler that has a file */
	unsetenv("DB_POOL_SIZE");
	unsetenv("FYNIXPOOL_POOL_MODE");
	conf_report_fini(&scratch_report);
	conf_report_init(&scratch_report);
	c = scratch_load("[fynixpool]\n[databases]\na=\n");
	ck_assert_ptr_nonnull(strstr(scratch_warnings(), "DATABASE_URL: ignored: "));
	ck_assert_ptr_null(strstr(scratch_warnings(), "topsecret"));
	ck_assert_uint_eq(c->databases, 1);
	conf_unref(c);
	setenv("DATABASE_URL", "postgresql://h/d?sslmode=verify-full", 1);
	c = conf_load(NULL, NULL, &scratch_report);
	ck_assert_int_eq(c->database[0].server_tls_sslmode, CONF_TLS_VERIFY_FULL);
	conf_unref(c);
	setenv("DATABASE_URL", "postgresql://h/d?sslmode=sure", 1);
	ck_assert_ptr_null(conf_load(NULL, NULL, &scratch_report));
	ck_assert_ptr_nonnull(strstr(scratch_errors(), "DATABASE_URL: its sslmode is none of disable, allow, prefer, "));
}
END_TEST

/* user|password|host|port|dbname, "!..." for what is refused */
START_TEST(test_urls)
{
	static const char *const urls[][2] = {
		{"postgresql://", "||||"},
		{"postgresql://host", "||host||"},
		{"postgresql://host/", "||host||"},
		{"postgresql:///db", "||||db"},
		{"postgres://u@h/d", "u||h||d"},
		{"postgresql+psycopg2://u:p@h:1/d", "u|p|h|1|d"},
		{"postgresql://u:p:q@h/d", "u|p:q|h||d"},
		{"postgresql://u:p@q@h/d", "u|p@q|h||d"},
		{"postgresql://u:@h/d", "u||h||d"},
		{"postgresql://u@", "u||||u"},
		{"postgresql://[2001:db8::1]:6000/d", "||2001:db8::1|6000|d"},
		{"postgresql://[::1]/d", "||::1||d"},
		{"postgresql://a:1,b:1/d", "||a,b|1|d"},
		{"postgresql://%2Fvar%2Frun/d", "||/var/run||d"},
		{"postgresql://u@/d?host=/tmp&port=77&password=x", "u|x|/tmp|77|d"},
		{"postgresql://h/d%20e?", "||h||d e"},
		{"postgresql://h/d?connect_timeout=3&options=-c%20x", "||h||d"},
		{"postgresql://a:1,b:2/d", "!it lists hosts with different ports"},
		{"postgresql://[::1/d", "!it has [ without ]"},
		{"postgresql://[::1]x/d", "!its port is broken"},
		{"postgresql://h/%zz", "!its database name is broken"},
		{"postgresql://h/%", "!its database name is broken"},
		{"postgresql://h/%0", "!its database name is broken"},
		{"postgresql://h/a%00b", "!its database name is broken"},
		{"postgresql://h/d?x", "!a parameter after ? is broken"},
		{"http://h/d", "!it must begin with postgresql:// or postgres://"},
		{"postgresql", "!it must begin with postgresql:// or postgres://"},
		{"", "!it must begin with postgresql:// or postgres://"},
	};

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		char out[8192];
		const char *error = NULL;
		struct dburl u;

		if (dburl_parse(urls[i][0], &u, &error) == 0)
			snprintf(out, sizeof(out), "%s|%s|%s|%s|%s", u.user, u.password, u.host, u.port,
				u.dbname);
		else
			snprintf(out, sizeof(out), "!%s", error);
		ck_assert_msg(strcmp(out, urls[i][1]) == 0, "%s gave %s", urls[i][0], out);
	}
}
END_TEST

/* Every part too long by one, and by far. */
START_TEST(test_long_urls)
{
	static const char *const forms[] = {"postgresql://%s/d", "postgresql://%s@h/d",
		"postgresql://u:%s@h/d", "postgresql://h/%s", "postgresql://h:%s/d",
		"postgresql://h/d?user=%s", "postgresql://h/d?%s=1", "postgresql://%s,%s,%s/d"};
	static char part[5000], url[20000];
	const char *error;
	struct dburl u;

	for (size_t n = 1000; n < 1100; n++) {
		memset(part, 'x', n);
		part[n] = '\0';
		for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
			char *at = url;

			for (const char *f = forms[i]; *f != '\0'; f++) {
				if (f[0] == '%' && f[1] == 's') {
					memcpy(at, part, n);
					at += n;
					f++;
				} else {
					*at++ = *f;
				}
			}
			*at = '\0';
			if (dburl_parse(url, &u, &error) == 0)
				ck_assert_uint_lt(n, DBURL_PART_MAX);
		}
	}
}
END_TEST

SCRATCH_MAIN("envvars", test_nothing_at_all, test_all_of_them, test_the_file_wins,
	test_sqlalchemy_has_no_limit, test_problems_name_the_variable, test_urls, test_long_urls)

/*
 * fuzz_ini.c - F-09: a configuration file, from its bytes to a snapshot.
 *
 * Input: a file.  Either there is a snapshot that answers every question within its
 * ranges, or there is an error with a place.  Files that the input names are not read.
 */
#include "conf/build.h"
#include "conf/dburl.h"
#include "conf/option_value.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_row(void *arg, const struct conf_option_view *row)
{
	size_t *rows = arg;

	CHECK(row->name[0] != '\0' && row->help[0] != '\0');
	CHECK(row->value != NULL || row->default_text == NULL);
	(*rows)++;
}

static void check_limits(const struct conf *c, const struct conf_database *db, const char *user)
{
	struct conf_limits l;

	conf_resolve(c, db, user, &l);
	CHECK(l.pool_size >= 0 && l.pool_size <= CONF_COUNT_MAX);
	CHECK(l.max_overflow >= 0 && l.max_overflow <= CONF_COUNT_MAX);
	CHECK(l.min_pool_size >= 0 && l.reserve_pool_size >= 0 && l.max_db_connections >= 0 &&
		l.max_user_connections >= 0);
	CHECK(l.pool_mode >= CONF_POOL_SESSION && l.pool_mode <= CONF_POOL_STATEMENT);
	CHECK(l.long_query_action >= CONF_ACTION_LOG && l.long_query_action <= CONF_ACTION_TERMINATE);
	CHECK(l.query_wait_timeout <= (uint64_t)CONF_TIME_MAX * 1000000);
	CHECK(l.server_lifetime <= (uint64_t)CONF_TIME_MAX * 1000000);
	CHECK(l.long_query_time <= (uint64_t)CONF_TIME_MAX * 1000000);
}

static void check_conf(struct conf *c)
{
	size_t rows = 0;

	conf_each_option(c, check_row, &rows);
	CHECK(rows >= 100 && (c->profile == CONF_PROFILE_FYNIXPOOL) == (rows > 100));
	check_limits(c, NULL, NULL);
	for (size_t i = 0; i < c->databases && i < 20; i++) {
		const struct conf_database *db = &c->database[i];

		CHECK(conf_find_database(c, db->name) == db);
		CHECK(conf_database_is_same_target(db, db));
		CHECK(db->port >= 1 && db->port <= 65535 && db->host != NULL && db->dbname != NULL);
		check_limits(c, db, c->users > 0 ? c->user[i % c->users].name : "nobody");
	}
	for (size_t i = 0; i < c->users && i < 20; i++)
		CHECK(conf_find_user(c, c->user[i].name) == &c->user[i]);
}

/* The whole input as one value of every setting, and as a database URL. */
static void check_values(const char *text)
{
	static struct conf_settings set;
	char error[OPTION_VALUE_ERROR_MAX], out[64];
	const struct option *o;
	const char *why;
	struct dburl url;

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		if (option_value_set(o, &set, text, error) == 0)
			CHECK((option_value_print(o, &set, out, sizeof(out)) == NULL) == (o->type == OPTION_SECRET));
		else
			CHECK(error[0] != '\0' && strlen(error) < sizeof(error));
	}
	if (dburl_parse(text, &url, &why) < 0)
		CHECK(why[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct build_source source = {.is_first = true};
	struct conf_report report;
	struct items items = {.count = 0};
	struct buf text;
	struct conf *c, *d;
	int errors;

	conf_report_init(&report);
	items_read_bytes(&items, data, n, "input", &report);
	for (size_t i = 0; i < items.count; i++) {
		if (strcmp(items.item[i].key, "auth_file") == 0)
			items.item[i].value = "";
	}
	errors = report.error_count;
	c = build_conf(&items, &source, &report);
	CHECK((c == NULL) == (report.error_count > errors));
	CHECK((report.error_count > 0) == (report.errors.len > 0));
	if (c != NULL) {
		check_conf(c);
		d = conf_with_set(c, "pool_size", "3", true, &report);
		CHECK(d != NULL && d->set.default_pool_size == 3);
		check_conf(d);
		conf_unref(d);
		conf_unref(c);
	}
	conf_report_fini(&report);
	buf_init(&text, 0);
	(void)buf_append(&text, data, n < 3000 ? n : 3000);
	check_values(buf_text(&text));
	buf_fini(&text);
	return 0;
}

/* option: walks every row of options.def - defaults, printing, edges of the range, aliases, overrides */
#include "base/str.h"
#include "conf/option_value.h"
#include "conf/value.h"
#include "test/unit/base/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct conf_settings set;
static char error[OPTION_VALUE_ERROR_MAX];

static bool is_number(const struct option *o)
{
	return o->type <= OPTION_SIZE && o->type != OPTION_BOOL;
}

static const char *number_text(const struct option *o, int64_t v, char *out, size_t size)
{
	if (o->type == OPTION_OCTAL)
		snprintf(out, size, "0%" PRIo64, (uint64_t)v);
	else
		snprintf(out, size, "%" PRId64, v);
	return out;
}

/* Unique over names and aliases, and each is found by both. */
static void walk_names(enum option_table table)
{
	const struct option *o, *other;
	size_t n = 0;

	for (; (o = option_at(table, n)) != NULL; n++) {
		ck_assert_ptr_eq(option_find(table, o->name), o);
		if (o->aliases[0] != '\0') {
			/* one alias at most: the look-up of the nearest name relies on it */
			ck_assert_ptr_null(strchr(o->aliases, ','));
			ck_assert_ptr_eq(option_find(table, o->aliases), o);
		}
		for (size_t i = 0; (other = option_at(table, i)) != NULL; i++) {
			if (other != o) {
				ck_assert_str_ne(other->name, o->name);
				ck_assert_str_ne(other->aliases, o->name);
			}
		}
		ck_assert_msg(
			strlen(o->help) > 10 && o->help[strlen(o->help) - 1] == '.', "%s: help", o->name);
		for (const char *p = o->name; *p != '\0'; p++)
			ck_assert((*p >= 'a' && *p <= 'z') || *p == '_' || (*p >= '0' && *p <= '9'));
	}
	ck_assert_uint_gt(n, 10);
	ck_assert_ptr_null(option_find(table, ""));
	ck_assert_ptr_null(option_find(table, "no_such_setting"));
}

START_TEST(test_names)
{
	walk_names(OPTION_GLOBAL);
	walk_names(OPTION_DATABASE);
	walk_names(OPTION_USER);
}
END_TEST

START_TEST(test_hundred_of_pgbouncer)
{
	const struct option *o;
	size_t theirs = 0;
	bool ours = false;

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		ck_assert_msg(!ours || o->is_own, "%s stands among ours", o->name);
		ours |= o->is_own;
		theirs += !o->is_own;
	}
	ck_assert_uint_eq(theirs, 100);
}
END_TEST

/* Ours are sorted by name, which the order of SHOW CONFIG relies on. */
START_TEST(test_ours_are_sorted)
{
	const struct option *o;
	const char *last = "";

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		if (!o->is_own)
			continue;
		ck_assert_str_lt(last, o->name);
		last = o->name;
	}
}
END_TEST

/* The default of each profile parses, prints, and what was printed means the same. */
START_TEST(test_defaults)
{
	const struct option *o;

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		for (int profile = 0; profile < 2; profile++) {
			const char *text = o->default_text[profile], *printed;
			struct conf_settings again;
			char out[64];

			if (o->type == OPTION_SECRET) { /* has no default, and is never printed */
				ck_assert_ptr_null(text);
				continue;
			}
			if (text == NULL)
				text = o->type == OPTION_STR ? "" : "0";
			memset(&set, 0x5a, sizeof(set));
			ck_assert_msg(option_value_set(o, &set, text, error) == 0, "%s", error);
			printed = option_value_print(o, &set, out, sizeof(out));
			ck_assert_ptr_nonnull(printed);
			if (o->type == OPTION_OCTAL)
				continue; /* printed in decimal, as PgBouncer does */
			ck_assert_str_eq(printed, text);
			memset(&again, 0xa5, sizeof(again));
			ck_assert_int_eq(option_value_set(o, &again, printed, error), 0);
			ck_assert(option_value_is_equal(o, &set, &again));
		}
	}
}
END_TEST

static void check_edges(const struct option *o, void *base)
{
	char text[64];

	ck_assert_msg(o->min < o->max, "%s has no range", o->name);
	ck_assert_msg(option_value_set(o, base, number_text(o, o->min, text, sizeof(text)), error) == 0, "%s",
		error);
	ck_assert_msg(option_value_set(o, base, number_text(o, o->max, text, sizeof(text)), error) == 0, "%s",
		error);
	ck_assert_msg(option_value_set(o, base, number_text(o, o->max + 1, text, sizeof(text)), error) == -1,
		"%s took %s", o->name, text);
	ck_assert_msg(strstr(error, o->name) == error, "%s", error);
	if (o->min > 0) {
		ck_assert_int_eq(
			option_value_set(o, base, number_text(o, o->min - 1, text, sizeof(text)), error), -1);
		ck_assert_ptr_nonnull(strstr(error, "out of range"));
	}
	ck_assert_int_eq(option_value_set(o, base, "99999999999999999999999", error), -1);
	/* -1 is "unset" in entries, and nothing in the global section */
	ck_assert_int_eq(option_value_set(o, base, "-1", error), o->table == OPTION_GLOBAL ? -1 : 0);
	ck_assert_int_eq(option_value_set(o, base, "-2", error), -1);
}

/* What no row may take; a refusal changes nothing. */
static void check_nonsense(const struct option *o, void *base, size_t size)
{
	static const char *const bad[] = {"nonsense", "", " ", "1 1", "0x10", "1;2"};
	static char before[sizeof(struct conf_settings) + sizeof(struct conf_database)];

	if (o->type == OPTION_STR || o->type == OPTION_SECRET)
		return;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		memcpy(before, base, size);
		error[0] = '\0';
		ck_assert_msg(
			option_value_set(o, base, bad[i], error) == -1, "%s took \"%s\"", o->name, bad[i]);
		ck_assert_msg(strlen(error) > strlen(o->name), "%s says nothing", o->name);
		ck_assert_mem_eq(before, base, size);
	}
}

START_TEST(test_edges_and_nonsense)
{
	static struct conf_database db;
	static struct conf_user user;
	const struct option *o;
	size_t numbers = 0;

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		if (is_number(o)) {
			check_edges(o, &set);
			numbers++;
		}
		check_nonsense(o, &set, sizeof(set));
	}
	ck_assert_uint_gt(numbers, 40);
	for (size_t i = 0; (o = option_at(OPTION_DATABASE, i)) != NULL; i++) {
		if (is_number(o))
			check_edges(o, &db);
		check_nonsense(o, &db, sizeof(db));
	}
	for (size_t i = 0; (o = option_at(OPTION_USER, i)) != NULL; i++) {
		if (is_number(o))
			check_edges(o, &user);
		check_nonsense(o, &user, sizeof(user));
	}
}
END_TEST

/* No two rows share memory: setting one changes that one only. */
START_TEST(test_members_are_separate)
{
	const struct option *o, *other;

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		struct conf_settings a, b;
		char text[64];

		memset(&a, 0, sizeof(a));
		memset(&b, 0, sizeof(b));
		if (is_number(o))
			number_text(o, o->max, text, sizeof(text));
		else if (o->type == OPTION_BOOL)
			str_copy(text, sizeof(text), "1");
		else if (o->type == OPTION_STR || o->type == OPTION_SECRET)
			str_copy(text, sizeof(text), "text");
		else /* the last word of a set is never number 0 */
			str_copy(text, sizeof(text),
				o->type == OPTION_MODE     ? "statement"
				: o->type == OPTION_AUTH   ? "scram-sha-256"
				: o->type == OPTION_ACTION ? "terminate"
				: o->type == OPTION_TLS    ? "verify-full"
				: o->type == OPTION_ATTACH ? "login"
				: o->type == OPTION_ENGINE ? "uring"
				: o->type == OPTION_PROTOCOL ? "3.2"
				: o->type == OPTION_NEGOTIATION ? "direct"
				: o->type == OPTION_WEAKAUTH ? "allow"
				: o->type == OPTION_BINDING ? "require"
							   : "json");
		ck_assert_int_eq(option_value_set(o, &a, text, error), 0);
		for (size_t j = 0; (other = option_at(OPTION_GLOBAL, j)) != NULL; j++)
			ck_assert_msg(option_value_is_equal(other, &a, &b) == (other != o), "%s, %s", o->name,
				other->name);
		if (o->type == OPTION_SECRET) {
			secret_drop(&a.monitor_password);
			continue;
		}
		option_value_copy(o, &b, &a);
		ck_assert_mem_eq(&a, &b, sizeof(a));
	}
}
END_TEST

START_TEST(test_overrides_unset)
{
	static struct conf_database db;
	const struct option *o;
	char out[64];

	for (size_t i = 0; (o = option_at(OPTION_DATABASE, i)) != NULL; i++) {
		option_value_unset(o, &db);
		ck_assert_ptr_null(option_value_print(o, &db, out, sizeof(out)));
	}
	ck_assert(db.pool_size == CONF_UNSET);
	ck_assert_ptr_null(db.auth_user);
	o = option_find(OPTION_DATABASE, "query_wait_timeout");
	ck_assert_int_eq(option_value_set(o, &db, "1.5", error), 0);
	ck_assert_int_eq(db.query_wait_timeout, 1500000);
	ck_assert_str_eq(option_value_print(o, &db, out, sizeof(out)), "1.5");
	o = option_find(OPTION_DATABASE, "pool_mode");
	ck_assert_int_eq(option_value_set(o, &db, "Statement", error), 0);
	ck_assert_int_eq(db.pool_mode, CONF_POOL_STATEMENT);
	ck_assert_str_eq(option_value_print(o, &db, out, sizeof(out)), "statement");
	o = option_find(OPTION_DATABASE, "password");
	ck_assert_int_eq(option_value_set(o, &db, "secret", error), 0);
	ck_assert_str_eq((char *)db.password.data, "secret");
	ck_assert_ptr_null(option_value_print(o, &db, out, sizeof(out)));
	option_value_unset(o, &db);
	ck_assert_ptr_null(db.password.data);
}
END_TEST

/* A global secret: said twice the later one holds, empty is none, and it is never printed. */
START_TEST(test_global_secret)
{
	const struct option *o = option_find(OPTION_GLOBAL, "monitor_password");
	struct conf_settings a = {.monitor_user = ""}, b = {.monitor_user = ""};
	char out[64];

	ck_assert_ptr_nonnull(o);
	ck_assert_int_eq(option_value_set(o, &a, "first", error), 0);
	ck_assert_int_eq(option_value_set(o, &a, "second", error), 0);
	ck_assert_str_eq((char *)a.monitor_password.data, "second");
	ck_assert_ptr_null(option_value_print(o, &a, out, sizeof(out)));
	ck_assert(!option_value_is_equal(o, &a, &b));
	ck_assert_int_eq(option_value_set(o, &b, "second", error), 0);
	ck_assert(option_value_is_equal(o, &a, &b));
	ck_assert_int_eq(option_value_set(o, &a, "''", error), 0);
	ck_assert_ptr_null(a.monitor_password.data);
	ck_assert_int_eq(option_value_set(o, &b, "", error), 0);
	ck_assert_ptr_null(b.monitor_password.data);
}
END_TEST

/* The scope of a global row and the keys of the entries say the same. */
START_TEST(test_scopes)
{
	const struct option *o;

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		ck_assert_int_eq(o->scope[0], 'G');
		ck_assert_msg(
			(strchr(o->scope, 'D') != NULL) == (option_find(OPTION_DATABASE, o->name) != NULL) ||
				strcmp(o->name, "user") == 0,
			"%s: scope and [databases] differ", o->name);
		ck_assert_msg((strchr(o->scope, 'U') != NULL) == (option_find(OPTION_USER, o->name) != NULL),
			"%s: scope and [users] differ", o->name);
	}
}
END_TEST

START_TEST(test_printing)
{
	char out[64];
	const struct option *o = option_find(OPTION_GLOBAL, "query_timeout");

	ck_assert_int_eq(option_value_set(o, &set, "60", error), 0);
	ck_assert_str_eq(option_value_print(o, &set, out, sizeof(out)), "60");
	ck_assert_int_eq(option_value_set(o, &set, "500ms", error), 0);
	ck_assert_str_eq(option_value_print(o, &set, out, sizeof(out)), "0.5");
	o = option_find(OPTION_GLOBAL, "unix_socket_mode");
	ck_assert_int_eq(option_value_set(o, &set, "0777", error), 0);
	ck_assert_str_eq(option_value_print(o, &set, out, sizeof(out)), "511");
	o = option_find(OPTION_GLOBAL, "tcp_user_timeout");
	ck_assert_int_eq(option_value_set(o, &set, "1500", error), 0);
	ck_assert(set.tcp_user_timeout == 1500000);
	ck_assert_str_eq(option_value_print(o, &set, out, sizeof(out)), "1500");
	o = option_find(OPTION_GLOBAL, "tcp_keepalive");
	ck_assert_int_eq(option_value_set(o, &set, "on", error), 0);
	ck_assert_str_eq(option_value_print(o, &set, out, sizeof(out)), "1");
	o = option_find(OPTION_GLOBAL, "auth_type");
	ck_assert_int_eq(option_value_set(o, &set, "SCRAM-sha-256", error), 0);
	ck_assert_str_eq(option_value_print(o, &set, out, sizeof(out)), "scram-sha-256");
	o = option_find(OPTION_GLOBAL, "unix_socket_dir");
	ck_assert_int_eq(option_value_set(o, &set, "''", error), 0);
	ck_assert_str_eq(set.unix_socket_dir, "");
}
END_TEST

START_TEST(test_nearest)
{
	ck_assert_str_eq(option_nearest(OPTION_GLOBAL, "defualt_pool_size"), "default_pool_size");
	ck_assert_str_eq(option_nearest(OPTION_GLOBAL, "max_overflw"), "max_overflow");
	ck_assert_str_eq(option_nearest(OPTION_GLOBAL, "poolsize"), "pool_size");
	ck_assert_str_eq(option_nearest(OPTION_GLOBAL, "pool_timout"), "pool_timeout");
	ck_assert_str_eq(option_nearest(OPTION_GLOBAL, "listen_adr"), "listen_addr");
	ck_assert_str_eq(option_nearest(OPTION_DATABASE, "hots"), "host");
	ck_assert_ptr_null(option_nearest(OPTION_GLOBAL, "xyzzy_plugh"));
	ck_assert_uint_eq(option_distance("", ""), 0);
	ck_assert_uint_eq(option_distance("abc", ""), 3);
	ck_assert_uint_eq(option_distance("", "ab"), 2);
	ck_assert_uint_eq(option_distance("abcd", "abdc"), 1);
	ck_assert_uint_eq(option_distance("kitten", "sitting"), 3);
}
END_TEST

SUITE_MAIN("option", test_names, test_hundred_of_pgbouncer, test_ours_are_sorted, test_defaults,
	test_edges_and_nonsense, test_members_are_separate, test_overrides_unset, test_global_secret, test_scopes, test_printing,
	test_nearest)

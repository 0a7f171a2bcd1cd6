/* target: counted by whoever holds it, hosts in turn */
#include "base/mem.h"
#include "server/target.h"
#include "test/unit/base/suite.h"

#include <limits.h>

START_TEST(test_hosts_in_turn)
{
	struct target *t = target_new();

	t->hosts = 3;
	for (unsigned i = 0; i < t->hosts; i++)
		t->host[i].name = mem_strdup("host");
	for (unsigned i = 0; i < 30; i++)
		ck_assert_ptr_eq(target_next_host(t), &t->host[i % 3]);
	/* the counter wraps without leaving the list */
	atomic_store(&t->next_host, UINT_MAX - 1);
	for (unsigned i = 0; i < 10; i++) {
		const struct target_host *h = target_next_host(t);

		ck_assert(h >= t->host && h < t->host + 3);
	}
	target_unref(t);
}
END_TEST

START_TEST(test_one_host_until_it_fails)
{
	struct target *t = target_new(), *heir = target_new();

	heir->is_firm = t->is_firm = true;
	heir->hosts = t->hosts = 3;
	for (unsigned i = 0; i < 5; i++)
		ck_assert_ptr_eq(target_next_host(t), &t->host[0]);
	target_host_failed(t, 0);
	ck_assert_ptr_eq(target_next_host(t), &t->host[1]);
	/* another connection was under way to the first one */
	target_host_failed(t, 0);
	ck_assert_ptr_eq(target_next_host(t), &t->host[1]);
	target_host_failed(t, 1);
	target_inherit(heir, t);
	ck_assert_ptr_eq(target_next_host(heir), &heir->host[2]);
	target_host_failed(t, 2);
	ck_assert_ptr_eq(target_next_host(t), &t->host[0]);
	target_unref(t);
	target_unref(heir);
}
END_TEST

START_TEST(test_counted)
{
	struct target *t = target_new();

	t->hosts = 1;
	t->host[0].name = mem_strdup("h");
	t->host[0].path = mem_strdup("/tmp/.s.PGSQL.5432");
	t->dbname = mem_strdup("db");
	t->user = mem_strdup("u");
	t->name = mem_strdup("db/u");
	t->connect_query = mem_strdup("SELECT 1");
	t->check_query = mem_strdup("");
	t->reset_query = mem_strdup("DISCARD ALL");
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_ptr_eq(target_ref(t), t);
	for (unsigned i = 0; i < 1000; i++)
		target_unref(t);
	ck_assert_uint_eq(atomic_load(&t->refs), 1);
	ck_assert_str_eq(t->reset_query, "DISCARD ALL");
	target_unref(t); /* the sanitizer sees what is left */
	target_unref(NULL);
}
END_TEST

SUITE_MAIN("target", test_hosts_in_turn, test_one_host_until_it_fails, test_counted)

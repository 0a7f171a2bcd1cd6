/* the first rule that fits, and user name maps: tables of rules and connections */
#include "auth/hbamatch.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <string.h>

static const char rules[] =
	/* 1 */ "local	 postgres	all				peer\n"
	/* 2 */ "local	 sameuser	all				trust\n"
	/* 3 */ "local	 \"all\"	all				md5\n"
	/* 4 */ "host	 db1,db2	evil	 0.0.0.0/0		reject\n"
	/* 5 */ "host	 db1,db2	all	 10.1.0.0/16		md5\n"
	/* 6 */ "hostssl db1		all	 10.2.0.0 255.255.0.0	trust\n"
	/* 7 */ "hostnossl db1		all	 10.2.0.0/16		reject\n"
	/* 8 */ "host	 replication	repl	 all			scram-sha-256\n"
	/* 9 */ "host	 \"replication\" all	 all			password\n"
	/* 10 */ "hostgssenc all	all	 all			trust\n"
	/* 11 */ "host	 all		all	 fd00:1::/32		trust\n"
	/* 12 */ "host	 all		all	 192.168.7.7/32		md5\n"
	/* 13 */ "host	 /^tenant_\\d+$	/^app_	 192.168.0.0/16		password\n"
	/* 14 */ "host	 all		+staff	 172.16.0.0/12		md5\n"
	/* 15 */ "host	 samerole	all	 172.16.0.0/12		password\n"
	/* 16 */ "host	 all		\"+staff\" 172.16.0.0/12	reject\n"
	/* 17 */ "host	 all		all	 samehost		trust\n"
	/* 18 */ "host	 all		all	 samenet		reject\n"
	/* 19 */ "hostnogssenc last	all	 0.0.0.0/0		reject\n";

/* roles of everybody in these tests: staff and db9 */
static enum identmatch_answer is_member(void *arg, const char *role)
{
	(*(unsigned *)arg)++;
	return strcmp(role, "staff") == 0 || strcmp(role, "db9") == 0 ? IDENTMATCH_YES : IDENTMATCH_NO;
}

static enum identmatch_answer nobody(void *arg, const char *role)
{
	(void)arg;
	(void)role;
	return IDENTMATCH_NO;
}

static struct iface interfaces[2];

static enum hbamatch_result find(const struct hba *h, const char *from, const char *database, const char *user, bool is_tls,
				 bool is_physical, const struct identmatch_roles *roles, const struct hba_rule **rule)
{
	const struct ifaces ours = {interfaces, ARRAY_LEN(interfaces)};
	struct addr peer = {.family = ADDR_UNIX};
	struct hbamatch_ask ask = {
		.user = user,
		.database = database,
		.peer = &peer,
		.is_tls = is_tls,
		.is_physical_replication = is_physical,
		.ifaces = &ours,
		.roles = roles,
	};

	if (from[0] != '\0')
		ck_assert(addr_parse(&peer, from, 5));
	return hbamatch_find(h, &ask, rule);
}

static struct hba *make(const char *text, bool is_lenient)
{
	struct conf_report report;
	struct hba *h;

	conf_report_init(&report);
	h = hba_read_bytes(text, strlen(text), "hba", NULL, is_lenient, &report);
	ck_assert_msg(report.error_count == 0, "%s", buf_text(&report.errors));
	conf_report_fini(&report);
	ck_assert(addr_parse(&interfaces[0].addr, "203.0.113.5", 0) && addr_parse(&interfaces[1].addr, "fd00:9::1", 0));
	memset(interfaces[0].mask, 0xff, 3);
	memset(interfaces[1].mask, 0xff, 8);
	return h;
}

START_TEST(test_first_match)
{
	static const struct {
		const char *from, *database, *user;
		bool is_tls, is_physical;
		int line; /* 0: none fits */
	} cases[] = {
		{"", "postgres", "anna", false, false, 1},
		{"", "anna", "anna", false, false, 2},
		{"", "all", "anna", false, false, 3},
		{"", "db1", "anna", false, false, 0},
		{"10.1.2.3", "db1", "evil", false, false, 4},
		{"10.1.2.3", "db2", "anna", false, false, 5},
		{"10.1.2.3", "db3", "anna", false, false, 0},
		{"10.1.255.255", "db1", "anna", true, false, 5},
		{"10.2.0.0", "db1", "anna", true, false, 6},
		{"10.2.0.0", "db1", "anna", false, false, 7},
		{"10.3.0.0", "db1", "anna", false, false, 0},
		{"::ffff:10.1.2.3", "db1", "anna", false, false, 5},
		{"::ffff:10.1.2.3", "db1", "evil", false, false, 4},
		{"10.1.2.3", "db1", "repl", false, true, 8},
		{"10.1.2.3", "replication", "repl", false, false, 9},
		{"10.1.2.3", "db1", "anna", false, true, 0},
		{"fd00:1:5::1", "x", "y", false, false, 11},
		{"fd00:2::1", "x", "y", false, false, 0},
		{"192.168.7.7", "x", "y", false, false, 12},
		{"192.168.7.8", "x", "y", false, false, 0},
		{"192.168.7.8", "tenant_12", "app_x", false, false, 13},
		{"192.168.7.8", "tenant_12", "xapp_", false, false, 0},
		{"192.168.7.8", "tenant_", "app_x", false, false, 0},
		{"192.168.7.8", "xtenant_1", "app_x", false, false, 0},
		{"172.17.0.1", "db", "anna", false, false, 14},
		{"203.0.113.5", "db", "anna", false, false, 17},
		{"203.0.113.6", "db", "anna", false, false, 18},
		{"203.0.114.5", "db", "anna", false, false, 0},
		{"fd00:9::1", "db", "anna", false, false, 17},
		{"fd00:9::2", "db", "anna", false, false, 18},
		{"fd00:9:0:1::2", "db", "anna", false, false, 0},
		{"8.8.8.8", "last", "anna", false, false, 19},
		{"8.8.8.8", "last", "anna", true, false, 19},
		{"2001:db8::1", "last", "anna", true, false, 0},
	};
	struct hba *h = make(rules, false);
	const struct hba_rule *rule;
	unsigned asked = 0;
	const struct identmatch_roles roles = {is_member, &asked};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum hbamatch_result result = find(h, cases[i].from, cases[i].database, cases[i].user, cases[i].is_tls,
						   cases[i].is_physical, &roles, &rule);

		ck_assert_msg(result == (cases[i].line ? HBAMATCH_RULE : HBAMATCH_NONE), "case %zu: %d", i, (int)result);
		ck_assert_msg((rule != NULL ? rule->line : 0) == cases[i].line, "case %zu: line %d", i, rule ? rule->line : 0);
	}
	ck_assert_uint_gt(asked, 0);
	hba_unref(h);
}
END_TEST

START_TEST(test_roles)
{
	struct hba *h = make(rules, false);
	const struct hba_rule *rule;
	const struct identmatch_roles none = {nobody, NULL}, unknown = {NULL, NULL};
	unsigned asked = 0;
	const struct identmatch_roles some = {is_member, &asked};

	/* not known is neither yes nor no: the search ends there */
	ck_assert_int_eq(find(h, "172.17.0.1", "db", "anna", false, false, NULL, &rule), HBAMATCH_UNDECIDED);
	ck_assert_int_eq(rule->line, 14);
	ck_assert_int_eq(find(h, "172.17.0.1", "db", "anna", false, false, &unknown, &rule), HBAMATCH_UNDECIDED);
	ck_assert_int_eq(find(h, "172.17.0.1", "db", "anna", false, false, &none, &rule), HBAMATCH_NONE);
	ck_assert_int_eq(find(h, "172.17.0.1", "db", "+staff", false, false, &none, &rule), HBAMATCH_RULE);
	ck_assert_int_eq(rule->line, 16);
	hba_unref(h);
	h = make("host samerole all all md5\n", false);
	ck_assert_int_eq(find(h, "1.1.1.1", "db9", "anna", false, false, &some, &rule), HBAMATCH_RULE);
	ck_assert_int_eq(find(h, "1.1.1.1", "db8", "anna", false, false, &some, &rule), HBAMATCH_NONE);
	/* ... but a name that fits needs no roles */
	hba_unref(h);
	h = make("host all +staff,anna all md5\nhost nodb +staff all md5\n", false);
	ck_assert_int_eq(find(h, "1.1.1.1", "db", "anna", false, false, NULL, &rule), HBAMATCH_RULE);
	ck_assert_int_eq(find(h, "1.1.1.1", "db", "berta", false, false, NULL, &rule), HBAMATCH_UNDECIDED);
	hba_unref(h);
}
END_TEST

START_TEST(test_bad_lines_reject)
{
	static const char text[] =
		"host db1 anna 10.0.0.0/8 frust\n"
		"host db2 anna nowhere md5\n"
		"local db3 /( trust\n"
		"hostssl db4 all all\n"
		"host db5 u all trust\n"
		"wrong\n"
		"host all all all trust\n";
	static const struct {
		const char *from, *database, *user;
		int line;
	} cases[] = {
		{"10.0.0.1", "db1", "anna", 1}, {"11.0.0.1", "db2", "anna", 2}, {"", "db3", "berta", 3},
		{"1.1.1.1", "db5", "u", 5},	{"11.0.0.1", "db1", "anna", 6}, {"1.1.1.1", "db4", "x", 6},
		{"", "x", "y", 6},		{"::1", "x", "y", 6},
	};
	struct hba *h = make(text, true);
	const struct hba_rule *rule;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_int_eq(find(h, cases[i].from, cases[i].database, cases[i].user, false, false, NULL, &rule), HBAMATCH_RULE);
		ck_assert_msg(rule->line == cases[i].line, "case %zu: %d", i, rule->line);
		ck_assert(rule->is_bad == (rule->line != 5) && (rule->method == HBA_METHOD_REJECT) == rule->is_bad);
	}
	/* physical replication might have been meant as well */
	ck_assert_int_eq(find(h, "1.1.1.1", "x", "y", false, true, NULL, &rule), HBAMATCH_RULE);
	ck_assert_int_eq(rule->line, 6);
	hba_unref(h);
}
END_TEST

START_TEST(test_edges)
{
	struct hba *h = make("host all all 0.0.0.0/0 md5\nhost all all ::/0 trust\n", false);
	const struct hba_rule *rule;
	char name[400];

	ck_assert_int_eq(find(h, "255.255.255.255", "a", "b", false, false, NULL, &rule), HBAMATCH_RULE);
	ck_assert_int_eq(rule->line, 1);
	ck_assert_int_eq(find(h, "::ffff:1.2.3.4", "a", "b", false, false, NULL, &rule), HBAMATCH_RULE);
	ck_assert_int_eq(rule->line, 1);
	ck_assert_int_eq(find(h, "::1.2.3.4", "a", "b", false, false, NULL, &rule), HBAMATCH_RULE);
	ck_assert_int_eq(rule->line, 2);
	ck_assert_int_eq(find(h, "", "a", "b", false, false, NULL, &rule), HBAMATCH_NONE);
	hba_unref(h);
	/* a name too long for a pattern: not known whether it fits, so the trust behind it does not count */
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	h = make("host all /y$ all reject\nhost all all all trust\n", false);
	ck_assert_int_eq(find(h, "::1", "a", name, false, false, NULL, &rule), HBAMATCH_UNDECIDED);
	name[40] = '\0';
	ck_assert_int_eq(find(h, "::1", "a", name, false, false, NULL, &rule), HBAMATCH_RULE);
	ck_assert_int_eq(rule->line, 2);
	hba_unref(h);
	h = make("", false);
	ck_assert_int_eq(find(h, "::1", "a", "b", false, false, NULL, &rule), HBAMATCH_NONE);
	hba_unref(h);
}
END_TEST

START_TEST(test_maps)
{
	static const char text[] =
		"m anna app\n"
		"m anna other\n"
		"m /^(.*)@example\\.com$ \\1\n"
		"m /^x(.*)$ pre_\\1_post\n"
		"m root all\n"
		"r anna +staff\n"
		"r /^b /^app_\n"
		"q anna \"all\"\n"
		"o /^(a)?b$ \\1z\n";
	static const struct {
		const char *map, *system, *user;
		enum identmatch_answer answer;
	} cases[] = {
		{NULL, "anna", "anna", IDENTMATCH_YES},	     {NULL, "anna", "Anna", IDENTMATCH_NO},
		{"m", "anna", "app", IDENTMATCH_YES},	     {"m", "anna", "other", IDENTMATCH_YES},
		{"m", "anna", "anna", IDENTMATCH_NO},	     {"m", "Anna", "app", IDENTMATCH_NO},
		{"m", "jo@example.com", "jo", IDENTMATCH_YES}, {"m", "jo@example.com", "j", IDENTMATCH_NO},
		{"m", "jo@example.com", "jox", IDENTMATCH_NO}, {"m", "jo@example.comx", "jo", IDENTMATCH_NO},
		{"m", "xy", "pre_y_post", IDENTMATCH_YES},   {"m", "xy", "pre_z_post", IDENTMATCH_NO},
		{"m", "x", "pre__post", IDENTMATCH_YES},     {"m", "xy", "pre_y_pos", IDENTMATCH_NO},
		{"m", "root", "whoever", IDENTMATCH_YES},    {"n", "root", "root", IDENTMATCH_NO},
		{"r", "anna", "whoever", IDENTMATCH_YES},    {"r", "bob", "app_1", IDENTMATCH_YES},
		{"r", "bob", "xapp_1", IDENTMATCH_NO},	     {"q", "anna", "all", IDENTMATCH_YES},
		{"q", "anna", "whoever", IDENTMATCH_NO},     {"o", "ab", "az", IDENTMATCH_YES},
		{"o", "b", "z", IDENTMATCH_NO},
	};
	struct conf_report report;
	struct ident *i;
	unsigned asked = 0;
	const struct identmatch_roles roles = {is_member, &asked};

	conf_report_init(&report);
	i = ident_read_bytes(text, strlen(text), "ident", false, &report);
	ck_assert_msg(report.error_count == 0, "%s", buf_text(&report.errors));
	ck_assert(i->needs_roles && ident_has_map(i, "m") && !ident_has_map(i, "n") && !ident_has_map(NULL, "m"));
	for (size_t k = 0; k < ARRAY_LEN(cases); k++)
		ck_assert_msg(identmatch_may(i, cases[k].map, cases[k].system, cases[k].user, &roles) == cases[k].answer,
			      "case %zu", k);
	ck_assert_int_eq(identmatch_may(i, "r", "anna", "whoever", NULL), IDENTMATCH_UNKNOWN);
	ck_assert_int_eq(identmatch_may(NULL, "m", "anna", "app", NULL), IDENTMATCH_NO);
	ident_unref(i);
	conf_report_fini(&report);
}
END_TEST

SUITE_MAIN("hbamatch", test_first_match, test_roles, test_bad_lines_reject, test_edges, test_maps)

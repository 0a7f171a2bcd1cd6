/* auth_hba_file and auth_ident_file: which lines are understood, what is said of the others, files inside each other */
#include "conf/hba.h"
#include "test/unit/conf/scratch.h"

#include "config.h"

static struct hba *hba;

static const char maps[] = "m anna app\nm /^(.*)@x$ \\1\n";

static struct hba *read_text(const char *text, bool is_lenient)
{
	struct ident *i = ident_read_bytes(maps, strlen(maps), "ident", false, &scratch_report);

	hba_unref(hba);
	hba = hba_read_bytes(text, strlen(text), "hba", i, is_lenient, &scratch_report);
	ident_unref(i);
	return hba;
}

static void forget(void)
{
	hba_unref(hba);
	hba = NULL;
	conf_report_fini(&scratch_report);
	conf_report_init(&scratch_report);
}

START_TEST(test_good_lines)
{
	static const char *const good[] = {
		"local all all trust",
		"local all all peer",
		"local all all peer map=m",
		"host all all 10.0.0.0/8 md5",
		"host all all 10.0.0.0 255.0.0.0 md5",
		"host all all ::1/128 scram-sha-256",
		"host all all fe80:: ffff:: password",
		"host all all 0.0.0.0/0 reject",
		"host all all ::/0 reject",
		"host all all all trust",
		"host all all samehost trust",
		"host all all samenet trust",
		"hostssl all all all scram-sha-256 clientcert=verify-ca",
		"hostssl all all all md5 clientcert=verify-full",
		"hostnossl all all all reject",
		"hostgssenc all all all trust",
		"hostnogssenc all all all trust",
		"host db1,db2,\"db 3\" u1,\"all\" all trust",
		"host db1 , db2 u1 ,u2 all trust",
		"host sameuser,samerole,samegroup,replication all all trust",
		"host /^db\\d+$ \"/^(a|b),?$\" all trust",
		"host all +staff,\"+staff\" all trust",
		"host \"all\" \"\"\"q\"\"\" all trust # comment",
		"  host\tall  all\tall \\\n   trust",
		"host all all ::ffff:10.0.0.0/104 trust",
#ifdef HAVE_PAM
		"local all all pam",
		"host all all all pam pamservice=x pam_use_hostname=1",
#endif
#ifdef HAVE_LDAP
		"host all all all ldap",
		"host all all all ldap ldapserver=\"a b\" ldapprefix=\"uid=\" \"ldapsuffix\"=\", ou=x, dc=y\"",
		"host all all all ldap ldapserver=a ldapbasedn=\"dc=x\" ldapbinddn=\"cn=y,dc=x\" ldapbindpasswd=\"z \"\"#\"",
#endif
		"",
		"# only a comment",
		" \t ",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		read_text(good[i], false);
		ck_assert_msg(scratch_report.error_count == 0, "%s: %s", good[i], scratch_errors());
		ck_assert_int_eq(scratch_report.warning_count, 0);
		/* the last three say nothing */
		ck_assert_uint_eq(hba->rules, i + 3 >= ARRAY_LEN(good) ? 0 : 1);
		if (hba->rules > 0)
			ck_assert(!hba->rule[0].is_bad);
		forget();
	}
}
END_TEST

START_TEST(test_bad_lines)
{
	static const struct {
		const char *text, *why;
		size_t databases, users; /* names that were understood */
		enum hba_net net;
	} bad[] = {
		{"remote all all all trust", "\"remote\" is no type of connection", 0, 0, HBA_NET_ALL},
		{"\"host\" all all all trust", "is no type of connection", 0, 0, HBA_NET_ALL},
		{"local", "ends before a database", 0, 0, HBA_NET_ALL},
		{"local db", "ends before a user", 1, 0, HBA_NET_ALL},
		{"local db u", "ends before a method", 1, 1, HBA_NET_ALL},
		{"local db,/( u trust", "not closed", 0, 0, HBA_NET_ALL},
		{"local db \"\" trust", "empty name", 1, 0, HBA_NET_ALL},
		{"local db + trust", "missing behind +", 1, 0, HBA_NET_ALL},
		{"local db u, trust", "ends before a method", 1, 2, HBA_NET_ALL},
		{"local db u trust,md5", "a list stands in the place of a method", 1, 1, HBA_NET_ALL},
		{"local db u frust", "\"frust\" is no method", 1, 1, HBA_NET_ALL},
		{"local db u ident", "use peer", 1, 1, HBA_NET_ALL},
		{"local db u gss", "GSSAPI is not supported", 1, 1, HBA_NET_ALL},
		{"local db u cert", "not possible in a line of this type", 1, 1, HBA_NET_ALL},
#ifdef HAVE_PAM
		{"local db u pam map=m", "map is not possible with the method pam", 1, 1, HBA_NET_ALL},
		{"local db u pam pamservice=a/b", "name of a file in /etc/pam.d", 1, 1, HBA_NET_ALL},
		{"local db u pam pam_use_hostname=yes", "0 or 1", 1, 1, HBA_NET_ALL},
#else
		{"local db u pam", "built without PAM", 1, 1, HBA_NET_ALL},
#endif
		{"local db u md5 pamservice=x", "pamservice is not possible with the method md5", 1, 1, HBA_NET_ALL},
		{"local db u peer map=nobody", "the map \"nobody\" is not in auth_ident_file", 1, 1, HBA_NET_ALL},
		{"local db u peer map", "is no option: name=value", 1, 1, HBA_NET_ALL},
		{"local db u peer map=m map=m", "twice", 1, 1, HBA_NET_ALL},
		{"local db u peer x=y", "\"x\" is no option", 1, 1, HBA_NET_ALL},
		{"local db u md5 map=m", "not possible with the method md5", 1, 1, HBA_NET_ALL},
		{"local db u trust clientcert=verify-ca", "in a line of this type", 1, 1, HBA_NET_ALL},
		{"host db u all trust clientcert=verify-ca", "hostssl only", 1, 1, HBA_NET_ALL},
		{"hostssl db u all trust clientcert=1", "verify-ca or verify-full", 1, 1, HBA_NET_ALL},
		{"host db u trust", "\"trust\" is no address", 1, 1, HBA_NET_ALL},
		{"host db u db.example.com trust", "names of hosts are not supported", 1, 1, HBA_NET_ALL},
		{"host db u .example.com trust", "names of hosts are not supported", 1, 1, HBA_NET_ALL},
		{"host db u 10.0.0.0/33 trust", "no length of a prefix: 0 to 32", 1, 1, HBA_NET_ALL},
		{"host db u ::/129 trust", "0 to 128", 1, 1, HBA_NET_ALL},
		{"host db u 10.0.0.0/ trust", "no length of a prefix", 1, 1, HBA_NET_ALL},
		{"host db u 10.0.0.0/+8 trust", "no length of a prefix", 1, 1, HBA_NET_ALL},
		{"host db u 10.0.0.0/8x trust", "no length of a prefix", 1, 1, HBA_NET_ALL},
		{"host db u 10.0.0.0 trust", "no mask that fits", 1, 1, HBA_NET_ALL},
		{"host db u 10.0.0.0 ffff:: trust", "no mask that fits", 1, 1, HBA_NET_ALL},
		{"host db u 10.0.0 255.0.0.0 trust", "is no address", 1, 1, HBA_NET_ALL},
		{"host db u 10.0.0.0", "ends before the mask", 1, 1, HBA_NET_ALL},
		{"host db u 10.0.0.0/8", "ends before a method", 1, 1, HBA_NET_MASK},
		{"host db u 10.0.0.0/8 peer", "not possible in a line of this type", 1, 1, HBA_NET_MASK},
		{"hostnossl db u 10.0.0.0/8 cert", "not possible in a line of this type", 1, 1, HBA_NET_MASK},
#ifdef HAVE_LDAP
		{"host db u 10.0.0.0/8 ldap ldapserver=x", "ldap needs ldapprefix or ldapsuffix", 1, 1, HBA_NET_MASK},
		{"host db u 10.0.0.0/8 ldap ldapbasedn=x", "ldapserver is missing", 1, 1, HBA_NET_MASK},
		{"host db u 10.0.0.0/8 ldap ldapserver=x ldapserver=y", "twice", 1, 1, HBA_NET_MASK},
		{"host db u 10.0.0.0/8 ldap ldapserver=x ldapport=y", "1 to 65535", 1, 1, HBA_NET_MASK},
		{"host db u 10.0.0.0/8 ldap \"ldapurl=ldap://x/dc=y??sub?(cn=$username\"", "no filter", 1, 1, HBA_NET_MASK},
#else
		{"host db u 10.0.0.0/8 ldap ldapserver=x", "built without LDAP", 1, 1, HBA_NET_MASK},
#endif
		{"host db u 10.0.0.0/8 trust ldapserver=x", "ldapserver is not possible with the method trust", 1, 1, HBA_NET_MASK},
		{"host db u 10.0.0.0/8 trust \"x", "a double quote is not closed", 1, 1, HBA_NET_MASK},
		{"host db \"u 10.0.0.0/8 trust", "a double quote is not closed", 1, 0, HBA_NET_ALL},
		{",host db u all trust", "missing before the comma", 0, 0, HBA_NET_ALL},
		{"host ,db u all trust", "a list stands in the place of a type", 0, 0, HBA_NET_ALL},
		{"host db,,x u all trust", "missing before the comma", 0, 0, HBA_NET_ALL},
		{"host db u,", "missing behind the comma", 1, 0, HBA_NET_ALL},
		{"host @x u all trust", "no other file can be read here", 0, 0, HBA_NET_ALL},
		{"include x", "no other file can be read here", 0, 0, HBA_NET_ALL},
		{"include", "an include takes exactly one name", 0, 0, HBA_NET_ALL},
		{"include a b", "an include takes exactly one name", 0, 0, HBA_NET_ALL},
		{"include_dir x", "no other file can be read here", 0, 0, HBA_NET_ALL},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		read_text(bad[i].text, false);
		ck_assert_msg(scratch_report.error_count == 1, "%s: %d errors", bad[i].text, scratch_report.error_count);
		ck_assert_msg(strncmp(scratch_errors(), "hba:1: ", 7) == 0 && strstr(scratch_errors(), bad[i].why) != NULL,
			      "%s: %s", bad[i].text, scratch_errors());
		forget();
		/* lenient: the same as a warning, and the rule rejects whatever is not known of it */
		read_text(bad[i].text, true);
		ck_assert_int_eq(scratch_report.error_count, 0);
		ck_assert_ptr_nonnull(strstr(scratch_warnings(), bad[i].why));
		ck_assert_ptr_nonnull(strstr(scratch_warnings(), "the line rejects"));
		ck_assert_uint_eq(hba->rules, 1);
		ck_assert(hba->rule[0].is_bad && hba->rule[0].method == HBA_METHOD_REJECT);
		ck_assert(hba->rule[0].clientcert == HBA_CLIENTCERT_NONE && hba->rule[0].map == NULL);
		ck_assert_msg(hba->rule[0].database.n == bad[i].databases, "%s", bad[i].text);
		ck_assert_msg(hba->rule[0].user.n == bad[i].users, "%s", bad[i].text);
		ck_assert_int_eq(hba->rule[0].net, bad[i].net);
		forget();
	}
}
END_TEST

START_TEST(test_places)
{
	read_text("# one\nlocal all all trust\n\nlocal all all \\\n  frust\nlocal all all trust\nlocal all all\n", false);
	ck_assert_str_eq(scratch_errors(), "hba:4: \"frust\" is no method; write trust, reject, password, md5, scram-sha-256, "
					   "peer, cert, pam or ldap\nhba:7: the line ends before a method\n");
	ck_assert_uint_eq(hba->rules, 4);
	ck_assert_int_eq(hba->rule[2].line, 6);
	forget();
	read_text("host all all 10.1.2.3/8 trust\n", false);
	ck_assert_int_eq(scratch_report.error_count, 0);
	ck_assert_ptr_nonnull(strstr(scratch_warnings(), "says more than its mask"));
	ck_assert_int_eq(hba->rule[0].ip[1], 0);
	forget();
	read_text("host all all ::ffff:10.0.0.0/104 trust\nhost all all ::ffff:0:0/95 trust", false);
	ck_assert_int_eq(hba->rule[0].family, 4);
	ck_assert_int_eq(hba->rule[0].mask[0], 0xff);
	ck_assert_int_eq(hba->rule[0].mask[1], 0);
	ck_assert_int_eq(hba->rule[1].family, 6);
	forget();
	read_text("local all all peer map=m\nhostssl all all all md5 clientcert=verify-full", false);
	ck_assert_str_eq(hba->rule[0].map, "m");
	ck_assert_str_eq(hba_option(&hba->rule[0], "map"), "m");
	ck_assert_ptr_null(hba_option(&hba->rule[0], "clientcert"));
	ck_assert_int_eq(hba->rule[1].clientcert, HBA_CLIENTCERT_VERIFY_FULL);
	ck_assert(!hba->needs_roles && !hba->needs_interfaces && hba->needs_certificates);
	forget();
	read_text("host samerole all samenet trust", false);
	ck_assert(hba->needs_roles && hba->needs_interfaces && !hba->needs_certificates);
	forget();
	read_text("hostssl all all all cert", false);
	ck_assert(hba->needs_certificates);
	forget();
}
END_TEST

static struct hba *read_file(const char *path, bool is_lenient)
{
	char error[512] = "";

	hba_unref(hba);
	hba = hba_read(path, NULL, is_lenient, &scratch_report, error, sizeof(error));
	ck_assert_msg(hba != NULL, "%s", error);
	return hba;
}

START_TEST(test_files)
{
	char error[512] = "";

	ck_assert_int_eq(mkdir("d", 0755), 0);
	ck_assert_int_eq(mkdir("d/more", 0755), 0);
	scratch_write("d/hba", "local @dbs @users trust\ninclude more/one.conf\ninclude_if_exists gone\ninclude_dir more\n");
	scratch_write("d/dbs", "# databases\na b,\nc @more/dbs\n\"@d\"\n");
	scratch_write("d/more/dbs", "e\\\nf\n");
	scratch_write("d/users", "u");
	scratch_write("d/more/one.conf", "local one @../users trust");
	scratch_write("d/more/two.conf", "local two u trust\nlocal two u\n");
	scratch_write("d/more/.hidden.conf", "bad");
	scratch_write("d/more/not.config", "bad");
	read_file("d/hba", true);
	ck_assert_str_eq(scratch_warnings(),
			 "d/more/two.conf:2: the line ends before a method; the line rejects whomever it may mean\n");
	ck_assert_uint_eq(hba->rules, 5);
	ck_assert_uint_eq(hba->rule[0].database.n, 5);
	ck_assert_str_eq(hba->rule[0].database.name[3].text, "ef");
	ck_assert_str_eq(hba->rule[0].database.name[4].text, "@d");
	ck_assert_str_eq(hba->rule[1].database.name[0].text, "one");
	ck_assert_str_eq(hba->rule[2].database.name[0].text, "one");
	ck_assert_str_eq(hba->rule[3].database.name[0].text, "two");
	ck_assert_str_eq(hba->rule[4].file, "d/more/two.conf");
	forget();
	ck_assert_ptr_null(hba_read("gone", NULL, true, &scratch_report, error, sizeof(error)));
	ck_assert_str_eq(error, "cannot open \"gone\": No such file or directory");
}
END_TEST

START_TEST(test_files_go_wrong)
{
	static char big[70000];
	struct buf many;

	scratch_write("loop", "include loop\n");
	read_file("loop", false);
	ck_assert_ptr_nonnull(strstr(scratch_errors(), "more than 10 deep"));
	ck_assert_uint_eq(hba->rules, 1);
	forget();
	scratch_write("bomb", "include bomb\ninclude bomb\n");
	read_file("bomb", false);
	ck_assert_int_gt(scratch_report.error_count, 10);
	ck_assert_uint_lt(hba->rules, 2000);
	forget();
	buf_init(&many, 0);
	for (int i = 0; i < 300; i++)
		(void)buf_append_str(&many, "include one\n");
	scratch_write("one", "local a b trust\n");
	scratch_write("many", buf_text(&many));
	buf_fini(&many);
	read_file("many", false);
	ck_assert_ptr_nonnull(strstr(scratch_errors(), "many:256: cannot open \"one\": more than 256 files are included"));
	ck_assert_int_eq(scratch_report.error_count, 45);
	ck_assert_uint_eq(hba->rules, 300);
	forget();
	scratch_write("at", "local @at u trust\n");
	read_file("at", false);
	ck_assert_ptr_nonnull(strstr(scratch_errors(), "at:1: "));
	forget();
	scratch_write("hba", "include gone\nlocal @gone u trust\nlocal @none u trust\nlocal a u trust\n");
	scratch_write("none", "# nobody\n");
	read_file("hba", true);
	ck_assert_ptr_nonnull(strstr(scratch_warnings(), "hba:1: cannot open \"gone\""));
	ck_assert_ptr_nonnull(strstr(scratch_warnings(), "hba:2: cannot open \"gone\""));
	ck_assert_ptr_nonnull(strstr(scratch_warnings(), "hba:3: the file after @ names nothing"));
	ck_assert_uint_eq(hba->rules, 4);
	/* what was not included may have been a line for anybody */
	ck_assert(hba->rule[0].is_bad && hba->rule[0].conn == HBA_ANYWAY && hba->rule[0].user.n == 0);
	ck_assert(hba->rule[1].is_bad && hba->rule[1].conn == HBA_LOCAL && hba->rule[1].database.n == 0);
	ck_assert(!hba->rule[3].is_bad);
	forget();
	memset(big, 'x', sizeof(big));
	scratch_write_bytes("hba", big, sizeof(big));
	read_file("hba", false);
	ck_assert_ptr_nonnull(strstr(scratch_errors(), "hba:1: the line is longer than 65536 bytes"));
	forget();
	scratch_write_bytes("hba", "local all\0all trust\nlocal all all trust", 40);
	read_file("hba", true);
	ck_assert_ptr_nonnull(strstr(scratch_warnings(), "hba:1: the line holds a NUL byte"));
	ck_assert_uint_eq(hba->rules, 2);
	forget();
}
END_TEST

START_TEST(test_costs)
{
	struct buf text;

	buf_init(&text, 0);
	for (int i = 0; i < 200; i++)
		(void)buf_printf(&text, "local /^a{200}%d$ all trust\n", i);
	read_text(buf_text(&text), false);
	ck_assert_ptr_nonnull(strstr(scratch_errors(), "all regular expressions of the file together are too complex"));
	buf_fini(&text);
	forget();
}
END_TEST

START_TEST(test_ident)
{
	static const struct {
		const char *text, *why; /* NULL: good */
	} lines[] = {
		{"m root postgres", NULL},
		{"m root all", NULL},
		{"m root +staff", NULL},
		{"\"my map\" \"a b\" \"c d\" # x", NULL},
		{"m /^(.*)@x$ \\1", NULL},
		{"m /^(.*)@x$ pre_\\1_post", NULL},
		{"m /^(.*)@x$ \"\\1\"", NULL},
		{"m /^.*$ /^a", NULL},
		{"m root \\1", NULL}, /* no pattern: the name itself */
		{"m", "expected a map"},
		{"m a", "expected a map"},
		{"m a b c", "expected a map"},
		{"m a,b c", "a list is not possible"},
		{"m /( c", "not closed"},
		{"m /^.*$ \\1", "needs parentheses"},
		{"m a \"\"", "user name is empty"},
		{"m \"\" a", "system's user name is empty"},
		{"\"\" a b", "name of the map is empty"},
		{"m a \"b", "not closed"},
		{"m a /(", "not closed"},
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		for (int is_lenient = 0; is_lenient < 2; is_lenient++) {
			const char *text = lines[i].text, *said;
			struct ident *id = ident_read_bytes(text, strlen(text), "ident", is_lenient, &scratch_report);

			said = is_lenient ? scratch_warnings() : scratch_errors();
			ck_assert_msg(lines[i].why == NULL ? said[0] == '\0' : strstr(said, lines[i].why) != NULL, "%s: %s", text,
				      said);
			ck_assert_msg(lines[i].why == NULL || strncmp(said, "ident:1: ", 9) == 0, "%s", said);
			ck_assert_uint_eq(id->lines, lines[i].why == NULL);
			ident_unref(id);
			forget();
		}
	}
}
END_TEST

/* through the configuration: what refuses, what stays */
START_TEST(test_in_conf)
{
	static const char ini[] = "[fynixpool]\nauth_type = hba\nauth_hba_file = hba\nauth_ident_file = ident\n";
	struct conf *a, *b;

	scratch_refuses("[fynixpool]\nauth_type = hba\n", "auth_hba_file: auth_type hba needs a file of rules");
	scratch_refuses(ini, "t.ini:3: auth_hba_file: cannot open \"hba\"");
	scratch_write("hba", "local all all peer map=m\n");
	scratch_refuses(ini, "t.ini:4: auth_ident_file: cannot open \"ident\"");
	scratch_write("ident", "n a b\n");
	scratch_refuses(ini, "hba:1: the map \"m\" is not in auth_ident_file");
	scratch_write("ident", "m a b\nm x\n");
	scratch_refuses(ini, "ident:2: expected a map");
	scratch_write("ident", "m a b\n");
	a = scratch_load(ini);
	ck_assert_uint_eq(a->hba->rules, 1);
	/* a bad file: the old snapshot stays as it is */
	scratch_write("hba", "local all all peer map=m\nlocal all\n");
	conf_report_fini(&scratch_report);
	conf_report_init(&scratch_report);
	ck_assert_ptr_null(conf_reload(a, &scratch_report));
	ck_assert_ptr_nonnull(strstr(scratch_errors(), "hba:2: the line ends before a user"));
	ck_assert_uint_eq(a->hba->rules, 1);
	scratch_write("hba", "local all all trust\nlocal all all md5\n");
	/* SET does not read the rules again, unless it names another file */
	b = conf_with_set(a, "default_pool_size", "7", true, &scratch_report);
	ck_assert_ptr_eq(b->hba, a->hba);
	conf_unref(b);
	b = conf_with_set(a, "auth_hba_file", "./hba", true, &scratch_report);
	ck_assert_uint_eq(b->hba->rules, 2);
	conf_unref(b);
	b = conf_with_set(a, "auth_type", "md5", true, &scratch_report);
	ck_assert_ptr_null(b->hba);
	conf_unref(a);
	a = conf_with_set(b, "auth_type", "hba", true, &scratch_report);
	ck_assert_uint_eq(a->hba->rules, 2);
	conf_unref(b);
	b = conf_reload(a, &scratch_report);
	ck_assert_uint_eq(b->hba->rules, 2);
	conf_unref(a);
	conf_unref(b);
	/* PgBouncer goes on with the other lines; so do we, and reject */
	scratch_write("hba", "local all all\nlocal all all trust\n");
	conf_report_fini(&scratch_report);
	conf_report_init(&scratch_report);
	a = scratch_load("[pgbouncer]\nauth_type = hba\nauth_hba_file = hba\n");
	ck_assert_ptr_nonnull(strstr(scratch_warnings(), "hba:1: the line ends before a method; the line rejects"));
	ck_assert(a->hba->rules == 2 && a->hba->rule[0].is_bad);
	conf_unref(a);
	scratch_write("hba", "local samerole all trust\n");
	a = scratch_load("[fynixpool]\nauth_type = hba\nauth_hba_file = hba\n");
	ck_assert_ptr_nonnull(strstr(scratch_warnings(), "who belongs to a role"));
	conf_unref(a);
}
END_TEST

SCRATCH_MAIN("hba", test_good_lines, test_bad_lines, test_places, test_files, test_files_go_wrong, test_costs, test_ident,
	     test_in_conf)

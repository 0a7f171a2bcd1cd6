/* conf: profiles, entries, precedence, RELOAD, SET, and every refusal with its sentence */
#include "base/mem.h"
#include "conf/conf_state.h"
#include "base/argwords.h"
#include "conf/requireauth.h"
#include "test/unit/conf/scratch.h"

#include "config.h"

START_TEST(test_profiles)
{
	struct conf *c = scratch_load("[fynixpool]\n[databases]\n* =\n");

	ck_assert_int_eq(c->profile, CONF_PROFILE_FYNIXPOOL);
	ck_assert_int_eq(c->set.default_pool_size, 20);
	ck_assert_int_eq(c->set.max_overflow, 30);
	ck_assert_uint_eq(c->set.overflow_linger, 5000000);
	ck_assert_uint_eq(c->set.server_lifetime, UINT64_C(3600000000));
	ck_assert(c->set.pool_pre_ping);
	ck_assert_uint_eq(c->set.pre_ping_idle, 1000000);
	ck_assert_uint_eq(c->set.query_wait_timeout, 30000000);
	ck_assert_int_eq(c->set.pool_mode, CONF_POOL_TRANSACTION);
	ck_assert_uint_eq(c->set.long_query_time, 30000000);
	ck_assert_int_eq(c->set.long_query_action, CONF_ACTION_LOG);
	ck_assert_int_eq(c->set.auth_type, CONF_AUTH_SCRAM);
	ck_assert_uint_eq(c->set.client_login_timeout, 15000000);
	ck_assert_str_eq(c->set.listen_addr, "127.0.0.1");
	ck_assert_int_eq(c->set.conffile[0], '/');
	ck_assert_str_eq(strrchr(c->set.conffile, '/'), "/t.ini");
	/* RELOAD finds it after the process has gone elsewhere */
	ck_assert_int_eq(chdir("/"), 0);
	conf_unref(conf_reload(c, &scratch_report));
	ck_assert_int_eq(scratch_report.error_count, 0);
	ck_assert_int_eq(chdir(scratch_path), 0);
	conf_unref(c);
	c = scratch_load("[pgbouncer]\n");
	ck_assert_int_eq(c->profile, CONF_PROFILE_PGBOUNCER);
	ck_assert_int_eq(c->set.max_overflow, 0);
	ck_assert_uint_eq(c->set.query_wait_timeout, 120000000);
	ck_assert_uint_eq(c->set.pre_ping_idle, 30000000);
	ck_assert_int_eq(c->set.pool_mode, CONF_POOL_SESSION);
	ck_assert_int_eq(c->set.auth_type, CONF_AUTH_MD5);
	ck_assert_int_eq(c->set.max_client_conn, 100);
	ck_assert_str_eq(c->set.listen_addr, "");
	ck_assert_str_eq(c->set.auth_dbname, "");
	ck_assert_int_eq(c->set.unix_socket_mode, 0777);
	ck_assert_str_eq(conf_check_query(c), "");
	conf_unref(c);
	scratch_refuses("[pgbouncer]\nlisten_port=1\n[fynixpool]\n",
		"t.ini:1: [pgbouncer] cannot be used together with [fynixpool] (t.ini:3)\n");
}
END_TEST

START_TEST(test_both_vocabularies)
{
	struct conf *c =
		scratch_load("[pgbouncer]\npool_size=7\nmax_overflow=3\npool_recycle=1h\npool_timeout=500ms\n"
			     "reserve_pool=4\nmax_packet_size = 64MB\n");

	ck_assert_int_eq(c->set.default_pool_size, 7);
	ck_assert_int_eq(c->set.max_overflow, 3);
	ck_assert_uint_eq(c->set.server_lifetime, UINT64_C(3600000000));
	ck_assert_uint_eq(c->set.query_wait_timeout, 500000);
	ck_assert_int_eq(c->set.reserve_pool_size, 4);
	ck_assert_uint_eq(c->set.max_packet_size, 64 << 20);
	conf_unref(c);
	/* repeated: the later one, under either name */
	c = scratch_load("[fynixpool]\npool_size=7\ndefault_pool_size=8\npool_size=9\n");
	ck_assert_int_eq(c->set.default_pool_size, 9);
	conf_unref(c);
}
END_TEST

START_TEST(test_ping_has_two_names)
{
	struct conf *c = scratch_load("[pgbouncer]\nserver_check_delay=7\n");

	ck_assert_uint_eq(c->set.pre_ping_idle, 7000000);
	conf_unref(c);
	c = scratch_load("[fynixpool]\npre_ping_idle=3\n");
	ck_assert_uint_eq(c->set.server_check_delay, 3000000);
	conf_unref(c);
	c = scratch_load("[fynixpool]\npre_ping_idle=3\nserver_check_delay=4\n");
	ck_assert_uint_eq(c->set.pre_ping_idle, 4000000);
	conf_unref(c);
	c = scratch_load("[pgbouncer]\nserver_check_query = ''\n");
	ck_assert(!c->set.pool_pre_ping);
	ck_assert_ptr_null(conf_check_query(c));
	conf_unref(c);
	c = scratch_load("[pgbouncer]\nserver_check_query = select 1;\n");
	ck_assert_str_eq(conf_check_query(c), "select 1;");
	conf_unref(c);
	c = scratch_load("[fynixpool]\npool_pre_ping = off\n");
	ck_assert_ptr_null(conf_check_query(c));
	conf_unref(c);
}
END_TEST

START_TEST(test_databases)
{
	struct conf *c = scratch_load("[databases]\n"
				      "a =\n"
				      "b = host=10.0.0.1,10.0.0.2 port=6000 dbname='other db' user=boss "
				      "password='it''s' pool_size=5 pool_mode=session "
				      "connect_query='SELECT 1' max_overflow=0 long_query_time=5s "
				      "query_timeout=10 client_idle_timeout=1min "
				      "server_lifetime=10 application_name=app\n"
				      "\"we\"\"ird name\" = host=/run\n"
				      "b2 = pool_size=-1 reserve_pool=3 pool_timeout=2\n"
				      "[fynixpool]\n"
				      "[databases]\n"
				      "* = host=fallback\n"
				      "a = host=again\n");
	const struct conf_database *d = conf_find_database(c, "b");

	ck_assert_uint_eq(c->databases, 5);
	ck_assert_str_eq(d->dbname, "other db");
	ck_assert_str_eq(d->host, "10.0.0.1,10.0.0.2");
	ck_assert_int_eq(d->port, 6000);
	ck_assert_str_eq(d->force_user, "boss");
	ck_assert_str_eq((char *)d->password.data, "it's");
	ck_assert_int_eq(d->pool_size, 5);
	ck_assert_int_eq(d->max_overflow, 0);
	ck_assert_int_eq(d->pool_mode, CONF_POOL_SESSION);
	ck_assert_int_eq(d->long_query_time, 5000000);
	ck_assert_int_eq(d->client_idle_timeout, 60000000);
	ck_assert_str_eq(d->connect_query, "SELECT 1");
	ck_assert_str_eq(d->application_name, "app");
	ck_assert(d->min_pool_size == CONF_UNSET);
	ck_assert_ptr_null(d->datestyle);
	ck_assert(!d->is_auto);
	d = conf_find_database(c, "a"); /* repeated: the later one whole */
	ck_assert_str_eq(d->host, "again");
	ck_assert_str_eq(d->dbname, "a");
	ck_assert_int_eq(d->port, 5432);
	ck_assert_ptr_null(d->force_user);
	d = conf_find_database(c, "we\"ird name");
	ck_assert_str_eq(d->host, "/run");
	d = conf_find_database(c, "b2");
	ck_assert(d->pool_size == CONF_UNSET);
	ck_assert_int_eq(d->reserve_pool_size, 3);
	ck_assert_int_eq(d->query_wait_timeout, 2000000);
	ck_assert_str_eq(d->host, "");
	d = conf_find_database(c, "unheard of");
	ck_assert(d->is_auto);
	ck_assert_str_eq(d->name, "*");
	ck_assert_str_eq(d->dbname, "");
	ck_assert_str_eq(d->host, "fallback");
	ck_assert_ptr_eq(conf_find_database(c, "*"), d);
	conf_unref(c);
	c = scratch_load("[databases]\na=\n");
	ck_assert_ptr_null(conf_find_database(c, "b"));
	ck_assert_ptr_null(conf_find_database(c, ""));
	conf_unref(c);
}
END_TEST

START_TEST(test_precedence)
{
	struct conf *c = scratch_load(
		"[fynixpool]\npool_size=1\nquery_timeout=1\nmax_overflow=1\npool_mode=session\n"
		"max_user_connections=9\nmax_user_client_connections=8\nmin_pool_size=1\n"
		"[databases]\nd = pool_size=2 query_timeout=2 max_overflow=2 min_pool_size=2 "
		"max_db_connections=5\n"
		"forced = user=boss\n"
		"[users]\nu = pool_size=3 query_timeout=3 pool_mode=statement max_user_connections=7\n"
		"boss = pool_size=4 query_timeout=4 max_user_connections=6 "
		"max_user_client_connections=5\nnone =\n");
	const struct conf_database *d = conf_find_database(c, "d"), *forced = conf_find_database(c, "forced");
	struct conf_limits l;

	conf_resolve(c, NULL, NULL, &l);
	ck_assert_int_eq(l.pool_size, 1);
	ck_assert_uint_eq(l.query_timeout, 1000000);
	ck_assert_int_eq(l.pool_mode, CONF_POOL_SESSION);
	ck_assert_int_eq(l.max_user_connections, 9);
	conf_resolve(c, d, NULL, &l);
	ck_assert_int_eq(l.pool_size, 2);
	ck_assert_int_eq(l.max_overflow, 2);
	ck_assert_int_eq(l.min_pool_size, 2);
	ck_assert_int_eq(l.max_db_connections, 5);
	ck_assert_uint_eq(l.query_timeout, 2000000);
	conf_resolve(c, d, "u", &l);
	ck_assert_int_eq(l.pool_size, 3);
	ck_assert_int_eq(l.max_overflow, 2);
	ck_assert_uint_eq(l.query_timeout, 3000000);
	ck_assert_int_eq(l.pool_mode, CONF_POOL_STATEMENT);
	ck_assert_int_eq(l.max_user_connections, 7);
	ck_assert_int_eq(l.max_user_client_connections, 8);
	conf_resolve(c, d, "none", &l);
	ck_assert_int_eq(l.pool_size, 2);
	conf_resolve(c, NULL, "u", &l);
	ck_assert_int_eq(l.pool_size, 3);
	/* a forced user brings its own sizes, the client keeps its own timeouts */
	conf_resolve(c, forced, "u", &l);
	ck_assert_int_eq(l.pool_size, 4);
	ck_assert_int_eq(l.max_user_connections, 6);
	ck_assert_int_eq(l.pool_mode, CONF_POOL_SESSION);
	ck_assert_uint_eq(l.query_timeout, 3000000);
	ck_assert_int_eq(l.max_user_client_connections, 8);
	conf_unref(c);
}
END_TEST

START_TEST(test_secrets)
{
	struct conf *c;

	scratch_write("u.txt", "\"joe\" \"pw\"\n\"md\" \"md5x\"\n\"none\" \"\"\n");
	c = scratch_load("[fynixpool]\nauth_file=u.txt\n[databases]\na=\n");
	ck_assert_str_eq(scratch_warnings(), "");
	ck_assert_uint_eq(c->secrets, 3);
	ck_assert_str_eq((char *)conf_find_secret(c, "joe")->secret.data, "pw");
	ck_assert(!conf_find_secret(c, "none")->has_secret);
	ck_assert_ptr_null(conf_find_secret(c, "nobody"));
	conf_unref(c);
	ck_assert_int_eq(chmod("u.txt", 0644), 0);
	c = scratch_load("[fynixpool]\nauth_file=u.txt\n[databases]\na=\n");
	ck_assert_ptr_nonnull(strstr(scratch_warnings(), "u.txt: everybody on this system can read it"));
	conf_unref(c);
	scratch_refuses("[fynixpool]\nauth_file=gone\n",
		"t.ini:2: auth_file: cannot open \"gone\": No such file or directory\n");
	scratch_write("u.txt", "\"joe\" \"pw\"\nbroken\n");
	scratch_refuses("[fynixpool]\nauth_file=u.txt\n", "u.txt:2: expected");
	/* PgBouncer starts without the file, and so do we in its profile */
	conf_report_fini(&scratch_report);
	conf_report_init(&scratch_report);
	c = scratch_load("[pgbouncer]\nauth_file=gone\n");
	ck_assert_ptr_nonnull(strstr(scratch_warnings(), "t.ini:2: auth_file: cannot open \"gone\""));
	conf_unref(c);
}
END_TEST

START_TEST(test_two_secrets)
{
	static const char *const wrong[][2] = {
		{"\"a\" \"x\" or\n", "expected another password in double quotes"},
		{"\"a\" \"x\" or y\n", "expected another password in double quotes"},
		{"\"a\" \"x\" or \"y\n", "expected another password in double quotes"},
		{"\"a\" \"\" or \"y\"\n", "needs a secret on either side"},
		{"\"a\" \"x\" or \"\"\n", "needs a secret on either side"},
		{"\"a\" \"SCRAM-SHA-256$4096:AAAA$b:c\" or \"SCRAM-SHA-256$4096:AAAB$b:c\"\n", "differ in salt or iterations"},
		{"\"a\" \"SCRAM-SHA-256$4096:AAAA$b:c\" or \"SCRAM-SHA-256$4095:AAAA$b:c\"\n", "differ in salt or iterations"},
	};
	const struct conf_secret *s;
	char text[256];
	struct conf *c;

	scratch_write("u.txt", "\"a\" \"new\" or \"o\"\"ld\" and \"more\"\n\"b\"\t\"x\"or\"y\"\n\"c\" \"x\" \"not this\"\n"
			       "\"d\" \"x\" \"\" or \"y\"\n\"e\" \"x\" order\n\"f\" \"x\" or \"y\"\n\"f\" \"z\"\n"
			       "\"g\" \"SCRAM-SHA-256$1:AAAA$b:c\" or \"SCRAM-SHA-256$1:AAAA$d:e\"\n");
	c = scratch_load("[pgbouncer]\nauth_file=u.txt\n[databases]\na=\n");
	s = conf_find_secret(c, "a");
	ck_assert_str_eq((char *)s->secret.data, "new");
	ck_assert_str_eq((char *)s->second.data, "o\"ld");
	ck_assert_str_eq((char *)conf_find_secret(c, "b")->second.data, "y");
	ck_assert_ptr_null(conf_find_secret(c, "c")->second.data);
	ck_assert_ptr_null(conf_find_secret(c, "d")->second.data);
	ck_assert_ptr_null(conf_find_secret(c, "e")->second.data);
	ck_assert_ptr_null(conf_find_secret(c, "f")->second.data);
	ck_assert_str_eq((char *)conf_find_secret(c, "g")->second.data, "SCRAM-SHA-256$1:AAAA$d:e");
	conf_unref(c);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(text, sizeof(text), "\n%s", wrong[i][0]);
		scratch_write("u.txt", text);
		scratch_refuses("[fynixpool]\nauth_file=u.txt\n", "u.txt:2: ");
		ck_assert_msg(strstr(buf_text(&scratch_report.errors), wrong[i][1]) != NULL, "%s", buf_text(&scratch_report.errors));
		conf_report_fini(&scratch_report);
		conf_report_init(&scratch_report);
	}
	scratch_write("u.txt", "\"a\" \"SCRAM-SHA-256$1:AAAA$b:c\" or \"md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n");
	c = scratch_load("[pgbouncer]\nauth_file=u.txt\n[databases]\na=\n");
	ck_assert_ptr_nonnull(strstr(scratch_warnings(), "u.txt:1: beside a SCRAM secret an md5 secret"));
	conf_unref(c);
}
END_TEST

START_TEST(test_refusals)
{
	scratch_refuses("[fynixpool]\nmax_overflw=3\n",
		"t.ini:2: unknown setting \"max_overflw\"; did you mean \"max_overflow\"?\n");
	scratch_refuses("[fynixpool]\nqqqqqqqq=3\n", "t.ini:2: unknown setting \"qqqqqqqq\"\n");
	scratch_refuses(
		"[fynixpol]\nx=3\n", "t.ini:1: unknown section [fynixpol]; did you mean [fynixpool]?\n");
	scratch_refuses("[wholly different]\n", "t.ini:1: unknown section [wholly different]; known are");
	scratch_refuses("[fynixpool]\npool_size=many\n",
		"t.ini:2: default_pool_size = many: expected a whole number\n");
	scratch_refuses("[fynixpool]\nquery_timeout=5 parsecs\n",
		"t.ini:2: query_timeout = 5 parsecs: expected a time, such as");
	scratch_refuses("[fynixpool]\nlisten_port=65536\n",
		"t.ini:2: listen_port = 65536 is out of range, 1 to 65535");
	scratch_refuses("[fynixpool]\npool_mode=sesion\n",
		"t.ini:2: pool_mode = sesion: expected one of session, transaction, statement\n");
	scratch_refuses("[databases]\na = hots=b\n",
		"t.ini:2: unknown key \"hots\" in [databases] entry \"a\"; did you mean \"host\"?\n");
	scratch_refuses("[databases]\na = port=x\n",
		"t.ini:2: [databases] entry \"a\": port = x: expected a whole number\n");
	scratch_refuses(
		"[databases]\na = host\n", "t.ini:2: [databases] entry \"a\": expected key=value pairs\n");
	scratch_refuses("[databases]\npgbouncer =\n", "t.ini:2: database name \"pgbouncer\" is reserved");
	scratch_refuses("[databases]\nfynixpool =\n", "t.ini:2: database name \"fynixpool\" is reserved");
	scratch_refuses("[users]\nu = server_lifetime=3\n",
		"t.ini:2: unknown key \"server_lifetime\" in [users] entry \"u\"");
	scratch_refuses("[peers]\nx = host=a\n", "t.ini:2: peer id \"x\" is not a number");
	scratch_refuses("[peers]\n1 = port=1\n", "t.ini:2: [peers] entry 1 has no host\n");
	scratch_refuses("[fynixpool]\nlisten_addr=\nunix_socket_dir=\n", "nobody could connect");
	scratch_refuses("[fynixpool]\ntcp_keepidle=1.5\n", "t.ini:2: tcp_keepidle must be whole seconds\n");
	scratch_refuses("[fynixpool]\nunix_socket_dir=/"
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaa\n",
		"unix_socket_dir is longer than 92 bytes");
	ck_assert_ptr_null(conf_load("gone.ini", NULL, &scratch_report));
	ck_assert_ptr_nonnull(
		strstr(scratch_errors(), "cannot open \"gone.ini\": No such file or directory\n"));
}
END_TEST

#ifdef HAVE_LIBPQ
static void show_secret_row(void *arg, const struct conf_option_view *row)
{
	if (strcmp(row->name, "monitor_password") != 0)
		return;
	(*(int *)arg)++;
	ck_assert_ptr_null(row->value);
	ck_assert_ptr_null(row->default_text);
}

/* The monitoring login: globally, per database, off per database; its password is shown nowhere. */
START_TEST(test_monitor)
{
	int rows = 0;
	struct conf *c = scratch_load("[fynixpool]\nauth_type=any\nmonitor_user=m\nmonitor_password=pw1\n"
				      "monitor_password=pw2\n[databases]\n"
				      "a=\nb=monitor_user=mb monitor_password=pwb\nc=monitor_user=''\n");

	ck_assert_str_eq(c->set.monitor_user, "m");
	ck_assert_str_eq((char *)c->set.monitor_password.data, "pw2");
	ck_assert_ptr_null(conf_find_database(c, "a")->monitor_user);
	ck_assert_str_eq(conf_find_database(c, "b")->monitor_user, "mb");
	ck_assert_str_eq((char *)conf_find_database(c, "b")->monitor_password.data, "pwb");
	ck_assert_str_eq(conf_find_database(c, "c")->monitor_user, "");
	conf_each_option(c, show_secret_row, &rows);
	ck_assert_int_eq(rows, 1);
	conf_unref(c);
	scratch_refuses("[fynixpool]\nauth_type=any\nmonitor_password=SCRAM-SHA-256$4096:x\n",
		"t.ini:3: monitor_password is a stored secret; the password itself is needed");
	scratch_refuses("[fynixpool]\nauth_type=any\n[databases]\nd=monitor_user=u "
			"monitor_password=md55f4dcc3b5aa765d61d8327deb882cf99\n",
		"t.ini:4: [databases] entry \"d\": monitor_password is a stored secret");
	scratch_refuses("[fynixpool]\nauth_type=any\nmonitor_user=u\n[databases]\nd=monitor_password=x\n",
		"t.ini:5: [databases] entry \"d\": monitor_password has no effect without monitor_user");
}
END_TEST
#define TESTS_OF_LIBPQ test_monitor
#else
START_TEST(test_no_monitor)
{
	scratch_refuses("[fynixpool]\nauth_type=any\nmonitor_user=u\n",
		"t.ini:3: monitor_user is not supported: fynixpool was built without libpq");
}
END_TEST
#define TESTS_OF_LIBPQ test_no_monitor
#endif

/* What would leave a door open is refused; what merely does not act yet is named. */
START_TEST(test_not_yet)
{
	struct conf *c;

	c = scratch_load("[pgbouncer]\nauth_type=any\ndns_max_ttl=15\npkt_buf=8192\nserver_tls_sslmode="
			 "prefer\n[databases]\n"
			 "a = auth_user=x password=y\n[peers]\n1=host=a\n");
	ck_assert_str_eq(scratch_warnings(),
		"t.ini:7: [databases] entry \"a\": password has no effect without user\n"
		"t.ini:4: pkt_buf is accepted, but not in effect yet\n"
		"t.ini:9: [peers] is accepted, but not in effect yet\n");
	ck_assert_uint_eq(c->peers, 1);
	ck_assert_int_eq(c->peer[0].port, 6432);
	conf_unref(c);
}
END_TEST

START_TEST(test_tls)
{
	struct conf *c;
	int line;

	scratch_refuses("[pgbouncer]\nclient_tls_sslmode=require\n",
		"t.ini:2: client_tls_sslmode = require needs client_tls_cert_file and client_tls_key_file");
	scratch_refuses("[pgbouncer]\nclient_tls_sslmode=verify-full\nclient_tls_cert_file=a\nclient_tls_key_file=b\n",
		"t.ini:2: client_tls_sslmode = verify-full needs client_tls_ca_file");
	scratch_refuses("[pgbouncer]\nserver_tls_sslmode=prefer\nserver_tls_negotiation=direct\n",
		"t.ini:3: server_tls_negotiation = direct needs server_tls_sslmode = require, verify-ca or verify-full");
	conf_report_fini(&scratch_report);
	conf_report_init(&scratch_report);
	c = scratch_load("[pgbouncer]\nserver_tls_sslmode=require\nserver_tls_negotiation=direct\n[databases]\n"
			 "a = sslmode=verify-full sslrootcert=/x sslnegotiation=postgres\nb=\n");
	ck_assert_int_eq(c->set.server_tls_sslmode, CONF_TLS_REQUIRE);
	ck_assert_int_eq(c->set.server_tls_negotiation, CONF_NEGOTIATION_DIRECT);
	ck_assert_int_eq(c->database[0].server_tls_sslmode, CONF_TLS_VERIFY_FULL);
	ck_assert_int_eq(c->database[0].server_tls_negotiation, CONF_NEGOTIATION_POSTGRES);
	ck_assert_str_eq(c->database[0].server_tls_ca_file, "/x");
	ck_assert_int_eq(c->database[1].server_tls_sslmode, CONF_UNSET);
	ck_assert_ptr_null(c->database[1].server_tls_ca_file);
	ck_assert_ptr_nonnull(strstr(conf_place(c, "server_tls_sslmode", &line), "t.ini"));
	ck_assert_int_eq(line, 2);
	ck_assert_ptr_null(conf_place(c, "client_tls_sslmode", &line));
	conf_unref(c);
}
END_TEST

START_TEST(test_proofs_of_servers)
{
	static const char *const wrong[][2] = {
		{"scram", "\"scram\" is none of password, md5, gss, sspi, scram-sha-256, none"},
		{"MD5", "\"MD5\" is none of"},
		{"md5,", "\"\" is none of"},
		{"!", "\"!\" is none of"},
		{"md5,password,md5", "\"md5\" stands there twice"},
		{"!md5,!md5", "\"!md5\" stands there twice"},
		{"md5,!password", "\"!password\" cannot be mixed"},
		{"!md5,password", "\"password\" cannot be mixed"},
		{"gss,sspi", "leaves no method"},
		{"!none,!password,!md5,!scram-sha-256", "leaves no method"},
	};
	static const struct {
		const char *text;
		unsigned may;
	} right[] = {
		{"", REQUIREAUTH_ALL},
		{"scram-sha-256", REQUIREAUTH_SCRAM},
		{"none", REQUIREAUTH_NONE},
		{"!none", REQUIREAUTH_ALL & ~REQUIREAUTH_NONE},
		{"password,md5,gss,sspi,scram-sha-256,none", REQUIREAUTH_ALL},
		{" md5 , gss\t", REQUIREAUTH_MD5 | REQUIREAUTH_GSS},
		{"!password,!md5", REQUIREAUTH_ALL & ~(REQUIREAUTH_PASSWORD | REQUIREAUTH_MD5)},
	};
	char text[256], error[REQUIREAUTH_ERROR_MAX];
	struct conf *c;
	unsigned may;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ck_assert_int_eq(requireauth_parse(wrong[i][0], &may, error), -1);
		ck_assert_msg(strstr(error, wrong[i][1]) != NULL, "%s: %s", wrong[i][0], error);
		snprintf(text, sizeof(text), "[databases]\n\na = require_auth='%s'\n", wrong[i][0]);
		scratch_refuses(text, "t.ini:3: [databases] entry \"a\": require_auth");
		conf_report_fini(&scratch_report);
		conf_report_init(&scratch_report);
	}
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		ck_assert_int_eq(requireauth_parse(right[i].text, &may, error), 0);
		ck_assert_uint_eq(may, right[i].may);
	}
	scratch_refuses("[fynixpool]\nrequire_auth=never\n", "t.ini:2: require_auth: \"never\"");
	scratch_refuses("[fynixpool]\nserver_tls_sslmode=disable\n[databases]\na = channel_binding=require\n",
		"t.ini:4: [databases] entry \"a\": channel_binding = require needs TLS");
	conf_report_fini(&scratch_report);
	conf_report_init(&scratch_report);
	c = scratch_load("[fynixpool]\nrequire_auth=!password\nchannel_binding=require\n[databases]\n"
			 "a = require_auth=none server_channel_binding=disable server_weak_auth=allow\nb=\n");
	ck_assert_int_eq(c->set.server_weak_auth, CONF_WEAK_AUTH_LOCAL);
	ck_assert_int_eq(c->set.server_channel_binding, CONF_BINDING_REQUIRE);
	ck_assert_str_eq(c->set.server_require_auth, "!password");
	ck_assert_str_eq(c->database[0].server_require_auth, "none");
	ck_assert_int_eq(c->database[0].server_channel_binding, CONF_BINDING_DISABLE);
	ck_assert_int_eq(c->database[0].server_weak_auth, CONF_WEAK_AUTH_ALLOW);
	ck_assert_ptr_null(c->database[1].server_require_auth);
	ck_assert_int_eq(c->database[1].server_weak_auth, CONF_UNSET);
	conf_unref(c);
	c = scratch_load("[pgbouncer]\nlisten_addr=127.0.0.1\n[databases]\na=\n");
	ck_assert_int_eq(c->set.server_weak_auth, CONF_WEAK_AUTH_ALLOW);
	conf_unref(c);
}
END_TEST

START_TEST(test_command_lines)
{
	static const struct {
		const char *text, *word[5];
	} right[] = {
		{"/bin/x", {"/bin/x"}},
		{"  /bin/x\ta  b ", {"/bin/x", "a", "b"}},
		{"/bin/x 'a  b' \"c 'd'\" e\"f\"'g'", {"/bin/x", "a  b", "c 'd'", "efg"}},
		{"/bin/x \"a\\\"b\" 'c\\d' e\\f", {"/bin/x", "a\"b", "c\\d", "e\\f"}},
		{"/bin/x '' \"\" $HOME `id`*|>;&", {"/bin/x", "", "", "$HOME", "`id`*|>;&"}},
		{"'/bin/with blank'", {"/bin/with blank"}},
		{"/ a", {"/", "a"}},
	};
	static const char *const wrong[][2] = {{"", "whole path"}, {"  ", "whole path"}, {"x", "whole path"}, {"./x", "whole path"},
		{"'' /x", "whole path"}, {"/x 'a", "quote has no end"}, {"/x \"a\\\"", "quote has no end"},
		{"/x \"a\\", "quote has no end"}};
	const char *error;

	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		char **list = argwords_new(right[i].text, &error);

		ck_assert_ptr_nonnull(list);
		ck_assert_ptr_null(error);
		for (size_t k = 0; k < 5 && right[i].word[k] != NULL; k++)
			ck_assert_str_eq(list[k], right[i].word[k]);
		mem_free(list);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ck_assert_ptr_null(argwords_new(wrong[i][0], &error));
		ck_assert_msg(strstr(error, wrong[i][1]) != NULL, "%s: %s", wrong[i][0], error);
	}
}
END_TEST

START_TEST(test_password_sources)
{
	static const char *const wrong[][2] = {
		{"a = user=u password=x password_file=y", "only one can be meant"},
		{"a = user=u password_file=y password_command=/x", "only one can be meant"},
		{"a = password_file=y", "need user=: it is that user's password"},
		{"a = password_command=/y", "need user="},
		{"a = user=u password_file=''", "password_file is empty"},
		{"a = user=u password_command=x", "named by its whole path"},
		{"a =\n[users]\nu = password_command=x", "[users] entry \"u\": password_command: the program"},
		{"a =\n[users]\nu = password_command='/x \"' ", "a quote has no end"},
		{"a =\n[users]\nu = password_command=/x password_file=y", "only one can be meant"},
	};
	char text[256];
	struct conf *c;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(text, sizeof(text), "[databases]\n%s\n", wrong[i][0]);
		scratch_refuses(text, wrong[i][1]);
		conf_report_fini(&scratch_report);
		conf_report_init(&scratch_report);
	}
	c = scratch_load("[fynixpool]\npassword_ttl=1min\n[databases]\na = user=u password_command='/x ''a b''' password_ttl=5\n"
			 "[users]\nu = password_file=/f password_ttl=0\n");
	ck_assert_uint_eq(c->set.password_ttl, 60000000);
	ck_assert_str_eq(c->database[0].password_command, "/x 'a b'");
	ck_assert_int_eq(c->database[0].password_ttl, 5000000);
	ck_assert_str_eq(c->user[0].password_file, "/f");
	ck_assert_int_eq(c->user[0].password_ttl, 0);
	conf_unref(c);
}
END_TEST

START_TEST(test_all_problems_at_once)
{
	scratch_refuses("[fynixpool]\nx=1\ny=2\npool_size=-5\n[databases]\na = b=c\n[users]\nu = d=e\n",
		"t.ini:8: unknown key \"d\"");
	ck_assert_int_eq(scratch_report.error_count, 5);
}
END_TEST

START_TEST(test_reload)
{
	struct conf *
		old = scratch_load(
		       "[fynixpool]\npool_size=5\nlisten_port=7000\nunix_socket_dir=/tmp\n[databases]\na=\n"),
	       *c;

	scratch_write("t.ini", "[fynixpool]\npool_size=6\nlisten_port=7001\n[databases]\nb=\n");
	conf_report_fini(&scratch_report);
	conf_report_init(&scratch_report);
	c = conf_reload(old, &scratch_report);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(c->set.default_pool_size, 6);
	ck_assert_int_eq(c->set.listen_port, 7000);
	ck_assert_ptr_nonnull(
		strstr(scratch_warnings(), "t.ini:3: listen_port takes effect at the next start only\n"));
	ck_assert_ptr_null(conf_find_database(c, "a"));
	ck_assert_ptr_nonnull(conf_find_database(c, "b"));
	conf_unref(old);
	ck_assert_str_eq(c->set.unix_socket_dir, "/tmp"); /* still there without the old one */
	/* a bad file changes nothing */
	scratch_write("t.ini", "[fynixpool]\npool_size=x\n");
	ck_assert_ptr_null(conf_reload(c, &scratch_report));
	ck_assert_int_eq(c->set.default_pool_size, 6);
	ck_assert_int_eq(unlink("t.ini"), 0);
	ck_assert_ptr_null(conf_reload(c, &scratch_report));
	conf_unref(c);
}
END_TEST

START_TEST(test_set)
{
	struct conf *a, *b, *c;
	size_t said;

	scratch_write("u.txt", "\"joe\" \"pw\"\n");
	a = scratch_load("[fynixpool]\npool_size=5\nauth_file=u.txt\nlisten_port=7000\n[databases]\na=\n");
	ck_assert_int_eq(unlink("u.txt"), 0); /* SET of something else does not read it again */
	b = conf_with_set(a, "pool_size", "9", true, &scratch_report);
	ck_assert_msg(b != NULL, "%s", scratch_errors());
	ck_assert_int_eq(a->set.default_pool_size, 5);
	ck_assert_int_eq(b->set.default_pool_size, 9);
	conf_unref(a);
	ck_assert_str_eq((char *)conf_find_secret(b, "joe")->secret.data, "pw");
	ck_assert_ptr_nonnull(conf_find_database(b, "a"));
	/* SETs add up, later ones win, and the list of them does not grow for ever */
	said = b->state->items.count;
	for (int i = 0; i < 100; i++) {
		c = conf_with_set(b, i % 2 ? "pool_size" : "default_pool_size", "11", true, &scratch_report);
		ck_assert_ptr_nonnull(c);
		conf_unref(b);
		b = c;
	}
	ck_assert_uint_eq(b->state->items.count, said);
	c = conf_with_set(b, "query_timeout", "1.5", true, &scratch_report);
	ck_assert_uint_eq(c->set.query_timeout, 1500000);
	ck_assert_int_eq(c->set.default_pool_size, 11);
	conf_unref(b);
	ck_assert_ptr_null(conf_with_set(c, "listen_port", "1", true, &scratch_report));
	ck_assert_ptr_nonnull(strstr(scratch_errors(),
		"listen_port cannot be changed while running; change it in the file and restart\n"));
	ck_assert_ptr_null(conf_with_set(c, "nonsens", "1", true, &scratch_report));
	ck_assert_ptr_nonnull(strstr(scratch_errors(), "unknown setting \"nonsens\""));
	ck_assert_ptr_null(conf_with_set(c, "query_timeout", "x", true, &scratch_report));
	ck_assert_ptr_null(conf_with_set(c, "auth_type", "cert", true, &scratch_report));
	ck_assert_ptr_null(conf_with_set(c, "auth_file", "gone", true, &scratch_report));
	/* until the next RELOAD */
	scratch_write("u.txt", "\"joe\" \"pw\"\n");
	b = conf_reload(c, &scratch_report);
	ck_assert_int_eq(b->set.default_pool_size, 5);
	ck_assert_uint_eq(b->set.query_timeout, 0);
	conf_unref(b);
	conf_unref(c);
}
END_TEST

START_TEST(test_set_conffile_then_reload)
{
	struct conf *a = scratch_load("[pgbouncer]\nmax_client_conn=5\n"), *b, *c;

	scratch_write("other.ini", "[pgbouncer]\nmax_client_conn=6\n");
	b = conf_with_set(a, "conffile", "other.ini", true, &scratch_report);
	ck_assert_str_eq(b->set.conffile, "other.ini");
	c = conf_reload(b, &scratch_report);
	ck_assert_int_eq(c->set.max_client_conn, 6);
	ck_assert_str_eq(c->set.conffile, "other.ini");
	conf_unref(a);
	conf_unref(b);
	conf_unref(c);
}
END_TEST

START_TEST(test_command_line)
{
	struct conf_overrides o = {.user = "nobody", .verbose = 2};
	struct conf *c, *d;

	scratch_write("t.ini", "[fynixpool]\nuser=somebody\nverbose=1\n");
	c = conf_load("t.ini", &o, &scratch_report);
	ck_assert_str_eq(c->set.user, "nobody");
	ck_assert_int_eq(c->set.verbose, 2);
	d = conf_reload(c, &scratch_report);
	conf_unref(c);
	ck_assert_str_eq(d->set.user, "nobody");
	ck_assert_int_eq(d->set.verbose, 2);
	c = conf_with_set(d, "verbose", "0", true, &scratch_report);
	ck_assert_int_eq(c->set.verbose, 0);
	conf_unref(c);
	conf_unref(d);
}
END_TEST

START_TEST(test_same_target)
{
	static const char *const same[] = {
		"", "pool_size=3", "pool_mode=statement max_overflow=2", "port=5432", "dbname=a"};
	static const char *const other[] = {"host=h", "port=1", "dbname=x", "user=u", "user=u password=p",
		"connect_query='x'", "client_encoding=x", "datestyle=x", "timezone=x", "application_name=x",
		"load_balance_hosts=disable"};
	struct conf *base = scratch_load("[databases]\na =\n");
	char text[128];

	for (size_t i = 0; i < ARRAY_LEN(same) + ARRAY_LEN(other); i++) {
		bool want = i < ARRAY_LEN(same);
		struct conf *c;

		snprintf(text, sizeof(text), "[databases]\na = %s\n",
			want ? same[i] : other[i - ARRAY_LEN(same)]);
		c = scratch_load(text);
		ck_assert_msg(conf_database_is_same_target(&base->database[0], &c->database[0]) == want, "%s",
			text);
		ck_assert(conf_database_is_same_target(&c->database[0], &c->database[0]));
		conf_unref(c);
	}
	conf_unref(base);
}
END_TEST

struct rows {
	struct buf names;
	int count, own, unset;
	const char *pool_size, *auth_user;
};

static void on_row(void *arg, const struct conf_option_view *row)
{
	struct rows *r = arg;

	r->count++;
	r->own += row->is_own;
	r->unset += row->value == NULL;
	buf_printf(&r->names, "%s ", row->name);
	ck_assert_ptr_nonnull(row->help);
	if (strcmp(row->name, "default_pool_size") == 0) {
		ck_assert_str_eq(row->value, "7");
		ck_assert_str_eq(row->default_text, "20");
		ck_assert(row->is_reloadable);
	}
	if (strcmp(row->name, "listen_port") == 0)
		ck_assert(!row->is_reloadable);
}

START_TEST(test_show_config)
{
	struct rows r = {.count = 0};
	struct conf *c = scratch_load("[pgbouncer]\npool_size=7\n");

	buf_init(&r.names, 0);
	conf_each_option(c, on_row, &r);
	ck_assert_int_eq(r.count, 100);
	ck_assert_int_eq(r.own, 0);
	ck_assert_ptr_nonnull(
		strstr(buf_text(&r.names), "admin_users application_name_add_host auth_dbname auth_file "));
	ck_assert_ptr_nonnull(strstr(buf_text(&r.names), " pool_mode pool_idle_timeout query_timeout "));
	ck_assert_ptr_nonnull(strstr(buf_text(&r.names), " user verbose "));
	ck_assert_int_eq(r.unset,
		8); /* auth_dbname auth_file auth_ident_file auth_ldap_options auth_user, two ciphers, user */
	conf_unref(c);
	c = scratch_load("[fynixpool]\npool_size=7\n");
	r.count = r.own = 0;
	buf_reset(&r.names);
	conf_each_option(c, on_row, &r);
	ck_assert_int_eq(r.count - r.own, 100);
	ck_assert_int_gt(r.own, 8);
	ck_assert_ptr_nonnull(strstr(buf_text(&r.names), " max_overflow max_packet_size "));
	ck_assert_ptr_nonnull(strstr(buf_text(&r.names), " worker_threads "));
	conf_unref(c);
	buf_fini(&r.names);
}
END_TEST

START_TEST(test_references)
{
	struct conf *c = scratch_load("[fynixpool]\n"), *again = conf_ref(c);

	ck_assert_ptr_eq(c, again);
	conf_unref(c);
	ck_assert_int_eq(again->set.default_pool_size, 20);
	conf_unref(again);
	conf_unref(NULL);
}
END_TEST

static void count_line(void *arg, const char *line)
{
	int *n = arg;

	(*n)++;
	ck_assert_ptr_null(strchr(line, '\n'));
	ck_assert_ptr_nonnull(strstr(line, "t.ini:"));
}

START_TEST(test_report)
{
	int n = 0;

	scratch_refuses("[fynixpool]\nb\x1b[2Jad=1\nworse=2\n", "t.ini:2: unknown setting \"b\\x1b[2Jad\"\n");
	conf_report_each(&scratch_report.errors, count_line, &n);
	ck_assert_int_eq(n, 2);
}
END_TEST

SCRATCH_MAIN("conf", test_profiles, test_both_vocabularies, test_ping_has_two_names, test_databases,
	test_precedence, test_secrets, test_two_secrets, test_refusals, TESTS_OF_LIBPQ, test_not_yet, test_tls, test_proofs_of_servers,
	test_command_lines, test_password_sources, test_all_problems_at_once, test_reload,
	test_set, test_set_conffile_then_reload, test_command_line, test_same_target, test_show_config,
	test_references, test_report)

/*
 * authtest.c - "fynixpool auth-test": the steps, the rules of access, and the password that is asked for.
 */
#include "app/authtest.h"

#include "app/daemonize.h"
#include "auth/hbamatch.h"
#include "base/log.h"
#include "base/rnd.h"
#include "base/str.h"
#include "conf/value.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

void authtest_say(const char *mark, const char *fmt, ...)
{
	va_list ap;

	printf("%s  ", mark);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	/* the log goes to stderr: what belongs together stands together */
	fflush(stdout);
}

/* What the first rule that fits says.  false: refused. */
static bool authtest_rule(struct authtest *t, enum hba_method *method)
{
	const struct args *args = t->args;
	const struct hba *hba = t->conf->hba;
	struct addr peer = {.family = ADDR_UNIX};
	struct ifaces ifaces = {.n = 0};
	const struct hba_rule *rule = NULL;
	enum hbamatch_result result;
	struct hbamatch_ask ask = {
		.user = args->auth.user, .database = args->auth.database, .peer = &peer, .is_tls = args->auth.is_tls, .ifaces = &ifaces};

	if (args->auth.address != NULL)
		(void)addr_parse(&peer, args->auth.address, 0);
	if (hba->needs_interfaces && ifaces_read(&ifaces) < 0)
		authtest_say("--", "the addresses of this machine cannot be read");
	result = hbamatch_find(hba, &ask, &rule);
	ifaces_fini(&ifaces);
	if (result == HBAMATCH_NONE)
		authtest_say("no", "no line of auth_hba_file fits: the client is refused");
	else if (result == HBAMATCH_UNDECIDED)
		authtest_say("no", "%s:%d: whether the line fits cannot be told here (it may ask for the roles of the user)", rule->file, rule->line);
	else if (rule->method == HBA_METHOD_REJECT)
		authtest_say("no", "%s:%d %s", rule->file, rule->line,
			     rule->is_bad ? "cannot be understood and rejects whomever it may mean" : "rejects");
	else
		authtest_say("ok", "%s:%d decides: %s", rule->file, rule->line, hba_method_word(rule->method));
	*method = rule != NULL ? rule->method : HBA_METHOD_REJECT;
	if (result == HBAMATCH_RULE && rule->clientcert != HBA_CLIENTCERT_NONE)
		authtest_say("--", "the line asks for a client's certificate as well, which auth-test takes as shown");
	return result == HBAMATCH_RULE && rule->method != HBA_METHOD_REJECT;
}

static void authtest_take(struct authtest *t, enum clientauth_method method, bool is_outside)
{
	t->method = method;
	t->is_outside = is_outside;
	t->needs_password = is_outside || method == CLIENTAUTH_PLAIN || method == CLIENTAUTH_MD5 || method == CLIENTAUTH_SCRAM;
}

static void authtest_take_rule(struct authtest *t, enum hba_method method)
{
	switch (method) {
	case HBA_METHOD_PASSWORD:
		authtest_take(t, CLIENTAUTH_PLAIN, false);
		break;
	case HBA_METHOD_MD5:
		authtest_take(t, CLIENTAUTH_MD5, false);
		break;
	case HBA_METHOD_SCRAM:
		authtest_take(t, CLIENTAUTH_SCRAM, false);
		break;
	case HBA_METHOD_PAM:
	case HBA_METHOD_LDAP:
		authtest_take(t, CLIENTAUTH_PROVEN, true);
		break;
	case HBA_METHOD_TRUST:
		authtest_take(t, t->conf->secrets > 0 ? CLIENTAUTH_TRUST : CLIENTAUTH_PROVEN, false);
		break;
	case HBA_METHOD_PEER:
	case HBA_METHOD_CERT:
		authtest_say("--", "that the system's user, or the certificate, is the right one is taken as shown");
		authtest_take(t, t->conf->secrets > 0 ? CLIENTAUTH_TRUST : CLIENTAUTH_PROVEN, false);
		break;
	case HBA_METHOD_REJECT:
		break;
	}
}

/* By which proof the client has to say who it is.  false: refused. */
static bool authtest_gate(struct authtest *t)
{
	static const enum hba_method methods[] = {
		[CONF_AUTH_ANY] = HBA_METHOD_TRUST,	[CONF_AUTH_TRUST] = HBA_METHOD_TRUST, [CONF_AUTH_PLAIN] = HBA_METHOD_PASSWORD,
		[CONF_AUTH_MD5] = HBA_METHOD_MD5,	[CONF_AUTH_CERT] = HBA_METHOD_CERT,   [CONF_AUTH_HBA] = HBA_METHOD_REJECT,
		[CONF_AUTH_LDAP] = HBA_METHOD_LDAP,	[CONF_AUTH_PAM] = HBA_METHOD_PAM,     [CONF_AUTH_PEER] = HBA_METHOD_PEER,
		[CONF_AUTH_SCRAM] = HBA_METHOD_SCRAM,
	};
	int type = t->conf->set.auth_type;
	enum hba_method method = methods[type];

	if (t->conf->set.client_tls_sslmode >= CONF_TLS_REQUIRE && t->args->auth.address != NULL && !t->args->auth.is_tls) {
		authtest_say("no", "client_tls_sslmode = %s: a client without TLS is refused",
			     value_word_name(VALUE_WORDS_TLS, t->conf->set.client_tls_sslmode));
		return false;
	}
	if (type == CONF_AUTH_HBA && !authtest_rule(t, &method))
		return false;
	if (type != CONF_AUTH_HBA)
		authtest_say("ok", "auth_type decides: %s", value_word_name(VALUE_WORDS_AUTH, type));
	authtest_take_rule(t, method);
	if (type == CONF_AUTH_ANY)
		authtest_take(t, CLIENTAUTH_PROVEN, false);
	return true;
}

/* One line, from the terminal without an echo or from whatever stdin is. */
static void authtest_ask_password(struct authtest *t)
{
	struct termios before, quiet;
	bool is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;
	char line[8192];
	size_t n = 0;
	ssize_t got;

	if (is_terminal) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		fprintf(stderr, "Password of user %s: ", t->args->auth.user);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	while (n < sizeof(line) && (got = read(STDIN_FILENO, line + n, 1)) == 1 && line[n] != '\n')
		n++;
	if (is_terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fprintf(stderr, "\n");
	}
	if (n > 0 && n < sizeof(line))
		secret_set(&t->password, line, n);
	secret_wipe(line, sizeof(line));
}

static bool authtest_console(const struct authtest *t)
{
	const struct conf_settings *set = &t->conf->set;
	bool is_admin = str_list_has(set->admin_users, t->args->auth.user);
	bool may = is_admin || str_list_has(set->stats_users, t->args->auth.user);

	authtest_say(may ? "ok" : "no", "the console: the user is in %s",
		     is_admin ? "admin_users" : may ? "stats_users" : "neither admin_users nor stats_users");
	return may;
}

static bool authtest_steps(struct authtest *t)
{
	const char *database = t->args->auth.database;
	bool is_console = conf_is_console(database), is_in;

	authtest_say("--", "user \"%s\", database \"%s\", %s%s%s", t->args->auth.user, database,
		     t->args->auth.address != NULL ? "from " : "over the Unix socket",
		     t->args->auth.address != NULL ? t->args->auth.address : "", t->args->auth.is_tls ? " with TLS" : "");
	if (!authtest_gate(t))
		return false;
	if (t->needs_password)
		authtest_ask_password(t);
	is_in = authproof_check(t);
	if (is_console)
		return authtest_console(t) && is_in;
	t->db = conf_find_database(t->conf, database);
	if (t->db == NULL) {
		authtest_say("no", "[databases] has no \"%s\" and no *", database);
		return false;
	}
	/* the other half is worth knowing, too */
	return authserver_check(t) && is_in;
}

int authtest_run(const struct args *args, const struct conf *conf)
{
	const struct log_settings log = {.to_stderr = true, .verbose = args->verbose};
	struct authtest t = {.args = args, .conf = conf};
	uint8_t process_key[32];
	char error[256];
	bool is_good;

	/* a password is typed here */
	daemonize_close_up(conf->set.allow_core_dump);
	(void)log_configure(&log, error, sizeof(error));
	rnd_secure(process_key, sizeof(process_key));
	scram_cache_init(&t.cache, 16, process_key);
	is_good = authtest_steps(&t);
	printf("%s\n", is_good ? "This user gets through." : "This user does not get through.");
	scram_cache_fini(&t.cache);
	secret_drop(&t.password);
	credential_keys_wipe(&t.keys);
	log_close();
	return is_good ? 0 : 1;
}

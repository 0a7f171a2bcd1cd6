/*
 * witness.c - what is asked outside of a password, and what becomes of the answer.
 *
 * The struct is the login's until it is given as an errand; then it is the helper's and
 * comes home by mail.  A helper reads is_forgotten and nothing else that others write.
 */
#include "session/witness.h"

#include "auth/ldapname.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conf/hba.h"
#include "net/errand.h"
#include "net/ldaplink.h"
#include "net/pamlink.h"
#include "pool/keeper.h"
#include "session/admit.h"
#include "session/entry_impl.h"
#include "session/worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct witness {
	struct errand errand;
	struct client *client; /* its worker's; NULL: it has gone, or was told that nobody can say */
	atomic_bool is_forgotten;
	bool is_given, is_right;
	struct timeout due;
	uint64_t until;
	struct conf *conf; /* a reference: holds the texts */
	const struct ldapopts *ldap; /* NULL: PAM */
	const char *service;
	bool use_hostname;
	char *user;
	char *name; /* ldap: what to bind as, or the filter */
	struct addr peer;
	struct secret password;
	char sentence[256];
	char why[LDAPLINK_WHY_MAX];
};

_Static_assert(PAMLINK_WHY_MAX <= LDAPLINK_WHY_MAX, "why");

static void witness_free(struct witness *w)
{
	timeout_disarm(&w->due);
	secret_drop(&w->password);
	conf_unref(w->conf);
	mem_free(w->user);
	mem_free(w->name);
	mem_free(w);
}

static void witness_choose_pam(struct witness *w, const struct hba_rule *rule)
{
	const char *hostname = rule != NULL ? hba_option(rule, "pam_use_hostname") : NULL;

	w->service = rule != NULL ? hba_option(rule, "pamservice") : NULL;
	if (w->service == NULL)
		w->service = w->conf->profile == CONF_PROFILE_PGBOUNCER ? "pgbouncer" : "fynixpool";
	w->use_hostname = hostname != NULL && hostname[0] == '1';
}

static void witness_on_due(struct timeout *t);

static bool witness_is_ldap(const struct witness *w, const struct hba_rule *rule)
{
	return rule != NULL ? rule->method == HBA_METHOD_LDAP : w->conf->set.auth_type == CONF_AUTH_LDAP;
}

static void witness_say(struct witness *w, bool is_ldap)
{
	const char *what = is_ldap ? "LDAP" : "PAM";

	if (w->conf->profile == CONF_PROFILE_PGBOUNCER)
		snprintf(w->sentence, sizeof(w->sentence), "%s authentication failed", what);
	else
		snprintf(w->sentence, sizeof(w->sentence), "%s authentication failed for user \"%.200s\"", what, w->user);
}

int witness_choose(struct client *c, const struct hba_rule *rule)
{
	struct witness *w = mem_try_zalloc(sizeof(*w));

	/* the rule may be looked for more than once */
	witness_forget(c->login);
	if (w == NULL)
		return -1;
	w->conf = conf_ref(c->worker->home.conf);
	w->peer = c->peer;
	atomic_init(&w->is_forgotten, false);
	timeout_init(&w->due, witness_on_due);
	w->user = mem_try_strdup(c->login->user);
	if (w->user != NULL) {
		if (!witness_is_ldap(w, rule)) {
			witness_choose_pam(w, rule);
		} else {
			w->ldap = rule != NULL && rule->ldap != NULL ? rule->ldap : w->conf->ldap;
			w->name = ldapname_make(w->ldap, w->user);
		}
		witness_say(w, w->ldap != NULL);
	}
	if (w->user == NULL || (w->ldap != NULL && w->name == NULL)) {
		witness_free(w);
		return -1;
	}
	c->login->witness = w;
	return 0;
}

static bool witness_ask_ldap(struct witness *w)
{
	static const enum ldaplink_scope scopes[] = {
		[LDAPOPTS_BASE] = LDAPLINK_BASE, [LDAPOPTS_ONE] = LDAPLINK_ONE, [LDAPOPTS_SUB] = LDAPLINK_SUB};
	const struct ldapopts *o = w->ldap;
	const char *ca_file = w->conf->set.auth_ldap_ca_file;
	struct ldaplink_ask ask = {
		.uri = o->uri,
		.uris = o->uris,
		.starts_tls = o->starts_tls,
		.ca_file = ca_file[0] != '\0' ? ca_file : NULL,
		.dn = o->basedn == NULL ? w->name : NULL,
		.basedn = o->basedn,
		.filter = w->name,
		.scope = scopes[o->scope],
		.binddn = o->binddn,
		.bindpasswd = &o->bindpasswd,
		.password = &w->password,
		.until = w->until,
	};

	return ldaplink_check(&ask, w->why) == LDAPLINK_RIGHT;
}

static bool witness_ask_pam(struct witness *w)
{
	const char *dir = w->conf->set.auth_pam_dir;
	struct pamlink_ask ask = {
		.service = w->service,
		.dir = dir[0] != '\0' ? dir : NULL,
		.user = w->user,
		.password = &w->password,
		.peer = &w->peer,
		.use_hostname = w->use_hostname,
	};

	return pamlink_check(&ask, w->why);
}

static void witness_work(struct errand *e)
{
	struct witness *w = container_of(e, struct witness, errand);

	if (!atomic_load(&w->is_forgotten))
		w->is_right = w->ldap != NULL ? witness_ask_ldap(w) : witness_ask_pam(w);
	secret_drop(&w->password);
}

static void witness_drop(struct errand *e)
{
	witness_free(container_of(e, struct witness, errand));
}

/* The login goes on, with or without an answer.  Its client may be gone afterwards. */
static void witness_tell(struct client *c, const struct witness *w, bool is_right, const char *why)
{
	struct buf out;

	buf_init(&out, 0);
	conn_resume(&c->conn);
	admit_verdict(c, clientauth_told(c->login->auth, is_right, w->sentence, why), &out);
}

static void witness_done(struct errand *e)
{
	struct witness *w = container_of(e, struct witness, errand);
	struct client *c = w->client;

	if (c != NULL) {
		c->login->witness = NULL;
		timeout_disarm(&w->due);
		if (c->state == CLIENT_AUTH)
			witness_tell(c, w, w->is_right, w->why);
	}
	witness_free(w);
}

static void witness_on_due(struct timeout *t)
{
	struct witness *w = container_of(t, struct witness, due);
	struct client *c = w->client;

	/* w is at its helper's; the words live longer than the client */
	c->login->witness = NULL;
	w->client = NULL;
	atomic_store(&w->is_forgotten, true);
	witness_tell(c, w, false, w->ldap != NULL ? "no answer from the directory in time" : "no answer from PAM in time");
}

void witness_forget(struct login *l)
{
	struct witness *w = l->witness;

	l->witness = NULL;
	if (w == NULL)
		return;
	if (!w->is_given) {
		witness_free(w);
		return;
	}
	timeout_disarm(&w->due);
	w->client = NULL;
	atomic_store(&w->is_forgotten, true);
}

void witness_teach(struct client *c)
{
	const struct secret *password = clientauth_password(c->login->auth);
	/* whatever it looks like, it is a password */
	struct credential found = {.kind = CREDENTIAL_PLAIN};

	if (password == NULL)
		return;
	secret_set(&found.text, password->data, password->len);
	keeper_learn_secret(c->pool, &found);
	credential_fini(&found);
}

static uint64_t witness_limit(const struct client *c)
{
	uint64_t timeout = c->worker->home.conf->set.client_login_timeout;

	return timeout > 0 && timeout < WITNESS_LIMIT_US ? timeout : WITNESS_LIMIT_US;
}

void witness_ask(struct client *c)
{
	struct witness *w = c->login->witness;
	const struct secret *password = clientauth_password(c->login->auth);
	struct errands *errands = c->worker->home.hub->witnesses;
	uint64_t limit = witness_limit(c);

	secret_set(&w->password, password->data, password->len);
	w->until = clock_mono_us() + limit;
	w->errand.work = witness_work;
	w->errand.done = witness_done;
	w->errand.drop = witness_drop;
	if (errands == NULL || !errand_give(errands, c->conn.loop, &w->errand)) {
		witness_tell(c, w, false, "too many passwords wait to be judged by PAM or LDAP");
		return;
	}
	/* it comes home by mail, not before this turn is over */
	w->client = c;
	w->is_given = true;
	loop_arm(c->conn.loop, &w->due, limit);
	conn_pause(&c->conn, ENTRY_KEEP);
}

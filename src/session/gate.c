/*
 * gate.c - by which proof a client has to say who it is.
 */
#include "session/gate.h"

#include "auth/hbamatch.h"
#include "base/clock.h"
#include "base/str.h"
#include "net/tlspeer.h"
#include "proto/startup.h"
#include "session/entry_impl.h"
#include "session/osname.h"
#include "session/userfind.h"
#include "session/witness.h"
#include "session/worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GATE_IFACES_US (5 * CLOCK_US_PER_SEC)

void gate_fini(struct gate_memory *m)
{
	ifaces_fini(&m->ifaces);
}

static bool gate_is_bouncer(const struct client *c)
{
	return c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER;
}

static FX_PRINTF(2, 0) void gate_vrefuse(struct gate *g, const char *fmt, va_list ap)
{
	if (vsnprintf(g->why, sizeof(g->why), fmt, ap) < 0)
		g->why[0] = '\0';
	g->method = CLIENTAUTH_REJECT;
	g->sqlstate = "28000";
}

static FX_PRINTF(2, 3) enum gate_answer gate_refuse(struct gate *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	gate_vrefuse(g, fmt, ap);
	va_end(ap);
	return GATE_REFUSED;
}

static FX_PRINTF(3, 4) enum gate_answer gate_refuse_peer(const struct client *c, struct gate *g, const char *fmt, ...)
{
	va_list ap;

	if (gate_is_bouncer(c))
		snprintf(g->sentence, sizeof(g->sentence), "unix socket login rejected");
	else
		snprintf(g->sentence, sizeof(g->sentence), "Peer authentication failed for user \"%.128s\"", c->login->user);
	va_start(ap, fmt);
	gate_vrefuse(g, fmt, ap);
	va_end(ap);
	return GATE_REFUSED;
}

/* Is there anything to be known in? */
static bool gate_has_list(const struct client *c)
{
	return c->worker->home.conf->secrets > 0 || userfind_applies(c);
}

/* May this name of the system or of a certificate log in as the client's user?  The roles are asked for when it depends on
 * them. */
static enum gate_answer gate_map(struct client *c, const struct hba_rule *rule, const char *name)
{
	const struct ident *maps = rule != NULL ? c->worker->home.conf->hba->maps : NULL;
	const struct identmatch_roles roles = {.is_member = userfind_is_member, .arg = c};
	const char *map = rule != NULL ? rule->map : NULL;
	enum identmatch_answer answer = identmatch_may(maps, map, name, c->login->user, &roles);

	if (answer == IDENTMATCH_UNKNOWN) {
		if (userfind_ask_roles(c) == GATE_WAITS)
			return GATE_WAITS;
		answer = identmatch_may(maps, map, name, c->login->user, &roles);
	}
	return answer == IDENTMATCH_YES ? GATE_PROOF : GATE_REFUSED;
}

/* rule NULL: auth_type = peer */
static enum gate_answer gate_peer(struct client *c, bool is_known, const struct hba_rule *rule, struct gate *g)
{
	const char *map = rule != NULL ? rule->map : NULL, *name;
	enum gate_answer may;
	uid_t uid;
	int rc;

	if (!addr_uid(&c->peer, &uid))
		return gate_refuse_peer(c, g, "peer needs a connection over a Unix socket");
	rc = osname_ask(c, uid);
	if (rc < 0)
		return gate_refuse_peer(c, g, "too many questions to the system wait for their answer");
	if (rc > 0)
		return GATE_WAITS;
	name = osname_recall(&c->worker->osnames, uid, loop_now(c->conn.loop));
	if (name == NULL || name[0] == '\0')
		return gate_refuse_peer(c, g, "the system has no user with id %lu", (unsigned long)uid);
	may = gate_map(c, rule, name);
	if (may == GATE_WAITS)
		return may;
	if (may != GATE_PROOF)
		return gate_refuse_peer(c, g, "peer: the system's user is \"%.128s\"%s%.64s", name,
					map != NULL ? ", map " : "", map != NULL ? map : "");
	if (!is_known)
		return gate_refuse_peer(c, g, "no such user");
	g->method = CLIENTAUTH_PROVEN;
	return GATE_PROOF;
}

static enum gate_answer gate_has_cert(const struct client *c, struct gate *g)
{
	if (tlspeer_is_known(&c->conn))
		return GATE_PROOF;
	snprintf(g->sentence, sizeof(g->sentence), "%s",
		 !gate_is_bouncer(c)   ? "connection requires a valid client certificate"
		 : c->conn.tls == NULL ? "unencrypted connection"
				       : "TLS client certificate required");
	return gate_refuse(g, c->conn.tls == NULL ? "a certificate needs TLS" : "the client has shown no certificate");
}

/* Is the certificate of the user, by its common name?  rule NULL: auth_type = cert. */
static enum gate_answer gate_cert_is_of(struct client *c, const struct hba_rule *rule, struct gate *g)
{
	const char *map = rule != NULL ? rule->map : NULL;
	const char *clientname;
	enum gate_answer may;
	char name[256];
	bool is_whole;

	if (gate_is_bouncer(c))
		snprintf(g->sentence, sizeof(g->sentence), "TLS certificate name mismatch");
	else
		snprintf(g->sentence, sizeof(g->sentence), "certificate authentication failed for user \"%.128s\"",
			 c->login->user);
	is_whole = rule != NULL && (clientname = hba_option(rule, "clientname")) != NULL && strcmp(clientname, "DN") == 0;
	if (is_whole ? !tlspeer_subject(&c->conn, name, sizeof(name)) : !tlspeer_common_name(&c->conn, name, sizeof(name)))
		return gate_refuse(g, "the certificate has no %s that could be a user's", is_whole ? "subject" : "common name");
	may = gate_map(c, rule, name);
	if (may == GATE_WAITS)
		return may;
	if (may != GATE_PROOF)
		return gate_refuse(g, "the certificate is for \"%.128s\"%s%.64s", name, map != NULL ? ", map " : "",
				   map != NULL ? map : "");
	return GATE_PROOF;
}

static enum gate_answer gate_cert(struct client *c, bool is_known, const struct hba_rule *rule, struct gate *g)
{
	enum gate_answer answer = gate_has_cert(c, g);

	if (answer == GATE_PROOF)
		answer = gate_cert_is_of(c, rule, g);
	if (answer != GATE_PROOF)
		return answer;
	if (!is_known)
		return gate_refuse(g, "no such user");
	g->method = CLIENTAUTH_PROVEN;
	return GATE_PROOF;
}

/* PostgreSQL's sentences; PgBouncer's say less. */
static void gate_say(const struct client *c, const struct hba_rule *rule, struct gate *g)
{
	const struct login *l = c->login;
	bool is_physical = c->replication == STARTUP_REPLICATION_PHYSICAL;
	const char *encryption = c->conn.tls != NULL ? "SSL encryption" : "no encryption";
	char host[ADDR_TEXT_MAX] = "[local]", database[160] = "";

	if (gate_is_bouncer(c)) {
		snprintf(g->sentence, sizeof(g->sentence), "%s",
			 rule != NULL ? "login rejected" : "no authentication method is found");
		return;
	}
	if (c->peer.family != ADDR_UNIX)
		addr_format(&c->peer, host, sizeof(host));
	if (!is_physical)
		snprintf(database, sizeof(database), "database \"%.128s\", ", l->database);
	if (rule != NULL)
		snprintf(g->sentence, sizeof(g->sentence),
			 "pg_hba.conf rejects %sconnection for host \"%s\", user \"%.128s\", %s%s",
			 is_physical ? "replication " : "", host, l->user, database, encryption);
	else
		snprintf(g->sentence, sizeof(g->sentence),
			 "no pg_hba.conf entry for %shost \"%s\", user \"%.128s\", %s%s",
			 is_physical ? "replication connection from " : "", host, l->user, database, encryption);
}

static bool gate_read_ifaces(struct client *c)
{
	struct gate_memory *m = &c->worker->gate;
	uint64_t now = loop_now(c->conn.loop);

	if (now >= m->ifaces_until && ifaces_read(&m->ifaces) == 0)
		m->ifaces_until = now + GATE_IFACES_US;
	return m->ifaces_until > 0;
}

static enum clientauth_method gate_trust(const struct client *c, bool is_known)
{
	/* without a list of users there is nothing to be known in */
	return is_known || !gate_has_list(c) ? CLIENTAUTH_PROVEN : CLIENTAUTH_TRUST;
}

/* rule NULL: auth_type = pam or ldap */
static enum gate_answer gate_outside(struct client *c, const struct hba_rule *rule, struct gate *g)
{
	g->method = CLIENTAUTH_OUTSIDE;
	if (witness_choose(c, rule) == 0)
		return GATE_PROOF;
	snprintf(g->sentence, sizeof(g->sentence), "out of memory");
	return gate_refuse(g, "out of memory");
}

static enum gate_answer gate_rule(struct client *c, bool is_known, const struct hba_rule *rule, struct gate *g)
{
	enum gate_answer cert = GATE_PROOF;

	if (rule->clientcert != HBA_CLIENTCERT_NONE)
		cert = gate_has_cert(c, g);
	if (cert == GATE_PROOF && rule->clientcert == HBA_CLIENTCERT_VERIFY_FULL)
		cert = gate_cert_is_of(c, rule, g);
	if (cert != GATE_PROOF)
		return cert;
	switch (rule->method) {
	case HBA_METHOD_TRUST:
		g->method = gate_trust(c, is_known);
		return GATE_PROOF;
	case HBA_METHOD_PASSWORD:
		g->method = CLIENTAUTH_PLAIN;
		return GATE_PROOF;
	case HBA_METHOD_MD5:
		g->method = CLIENTAUTH_MD5;
		return GATE_PROOF;
	case HBA_METHOD_SCRAM:
		g->method = CLIENTAUTH_SCRAM;
		return GATE_PROOF;
	case HBA_METHOD_PEER:
		return gate_peer(c, is_known || !gate_has_list(c), rule, g);
	case HBA_METHOD_CERT:
		return gate_cert(c, is_known || !gate_has_list(c), rule, g);
	case HBA_METHOD_PAM:
	case HBA_METHOD_LDAP:
		return gate_outside(c, rule, g);
	case HBA_METHOD_REJECT:
		break;
	}
	gate_say(c, rule, g);
	return gate_refuse(g, "%s:%d %s", rule->file, rule->line,
			   rule->is_bad ? "cannot be understood and rejects whomever it may mean" : "rejects");
}

static enum gate_answer gate_hba(struct client *c, bool is_known, struct gate *g)
{
	const struct hba *hba = c->worker->home.conf->hba;
	const struct identmatch_roles roles = {.is_member = userfind_is_member, .arg = c};
	const struct hba_rule *rule = NULL;
	struct hbamatch_ask ask = {
		.user = c->login->user,
		.database = c->login->database,
		.peer = &c->peer,
		.is_tls = c->conn.tls != NULL,
		.is_physical_replication = c->replication == STARTUP_REPLICATION_PHYSICAL,
		.ifaces = &c->worker->gate.ifaces,
		.roles = &roles,
	};
	enum hbamatch_result result;

	if (hba->needs_interfaces && !gate_read_ifaces(c)) {
		gate_say(c, NULL, g);
		return gate_refuse(g, "the addresses of this machine cannot be read");
	}
	result = hbamatch_find(hba, &ask, &rule);
	if (result == HBAMATCH_UNDECIDED && hba_rule_needs_roles(rule)) {
		if (userfind_ask_roles(c) == GATE_WAITS)
			return GATE_WAITS;
		result = hbamatch_find(hba, &ask, &rule);
	}
	switch (result) {
	case HBAMATCH_NONE:
		gate_say(c, NULL, g);
		return gate_refuse(g, "no line of auth_hba_file fits");
	case HBAMATCH_UNDECIDED:
		gate_say(c, rule, g);
		return gate_refuse(g, "%s:%d: whether the line fits is not known", rule->file, rule->line);
	case HBAMATCH_RULE:
		break;
	}
	client_log(c, LOG_DEBUG, "%s:%d decides: %s", rule->file, rule->line, hba_method_word(rule->method));
	return gate_rule(c, is_known, rule, g);
}

enum gate_answer gate_choose(struct client *c, bool is_known, struct gate *out)
{
	const struct conf *conf = c->worker->home.conf;

	*out = (struct gate){.method = CLIENTAUTH_REJECT};
	switch (conf->set.auth_type) {
	case CONF_AUTH_ANY:
		out->method = CLIENTAUTH_PROVEN;
		return GATE_PROOF;
	case CONF_AUTH_TRUST:
		out->method = gate_trust(c, is_known);
		return GATE_PROOF;
	case CONF_AUTH_PLAIN:
		out->method = CLIENTAUTH_PLAIN;
		return GATE_PROOF;
	case CONF_AUTH_MD5:
		out->method = CLIENTAUTH_MD5;
		return GATE_PROOF;
	case CONF_AUTH_SCRAM:
		out->method = CLIENTAUTH_SCRAM;
		return GATE_PROOF;
	case CONF_AUTH_CERT:
		return gate_cert(c, is_known || !gate_has_list(c), NULL, out);
	case CONF_AUTH_PEER:
		return gate_peer(c, is_known || !gate_has_list(c), NULL, out);
	case CONF_AUTH_HBA:
		return gate_hba(c, is_known, out);
	case CONF_AUTH_PAM:
	case CONF_AUTH_LDAP:
		return gate_outside(c, NULL, out);
	default:
		/* conf refuses these; clientauth does as well */
		return GATE_PROOF;
	}
}

/*
 * gate.c - by which proof a client has to say who it is.
 */
#include "session/gate.h"

#include "auth/hbamatch.h"
#include "base/clock.h"
#include "proto/startup.h"
#include "session/entry_impl.h"
#include "session/worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GATE_IFACES_US (5 * CLOCK_US_PER_SEC)
#define GATE_USER_US   (60 * CLOCK_US_PER_SEC)

static bool gate_uid(const struct client *c, uid_t *uid)
{
	if (c->peer.family != ADDR_UNIX)
		return false;
	memcpy(uid, c->peer.ip, sizeof(*uid));
	return true;
}

bool gate_is_own_uid(const struct client *c)
{
	uid_t uid;

	return gate_uid(c, &uid) && uid == geteuid();
}

void gate_fini(struct gate_memory *m)
{
	ifaces_fini(&m->ifaces);
}

static bool gate_is_bouncer(const struct client *c)
{
	return c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER;
}

static FX_PRINTF(2, 3) bool gate_refuse(struct gate *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(g->why, sizeof(g->why), fmt, ap) < 0)
		g->why[0] = '\0';
	va_end(ap);
	g->method = CLIENTAUTH_REJECT;
	g->sqlstate = "28000";
	return false;
}

/* the name of the user at the other end of the Unix socket; NULL: there is none */
static const char *gate_peer_name(struct client *c, uid_t uid)
{
	struct gate_memory *m = &c->worker->gate;
	uint64_t now = loop_now(c->conn.loop);
	size_t oldest = 0;

	for (size_t i = 0; i < GATE_USERS; i++) {
		if (m->user[i].uid == uid && m->user[i].until > now)
			return m->user[i].name[0] != '\0' ? m->user[i].name : NULL;
		if (m->user[i].until < m->user[oldest].until)
			oldest = i;
	}
	m->user[oldest].uid = uid;
	m->user[oldest].until = now + GATE_USER_US;
	if (!osuser_name(uid, m->user[oldest].name))
		m->user[oldest].name[0] = '\0';
	return m->user[oldest].name[0] != '\0' ? m->user[oldest].name : NULL;
}

/* rule NULL: auth_type = peer */
static bool gate_peer(struct client *c, bool is_known, const struct hba_rule *rule, struct gate *g)
{
	const char *map = rule != NULL ? rule->map : NULL, *name;
	const struct hba *hba = c->worker->home.conf->hba;
	uid_t uid;

	if (gate_is_bouncer(c))
		snprintf(g->sentence, sizeof(g->sentence), "unix socket login rejected");
	else
		snprintf(g->sentence, sizeof(g->sentence), "Peer authentication failed for user \"%.128s\"", c->login->user);
	if (!gate_uid(c, &uid))
		return gate_refuse(g, "peer needs a connection over a Unix socket");
	name = gate_peer_name(c, uid);
	if (name == NULL)
		return gate_refuse(g, "the system has no user with id %lu", (unsigned long)uid);
	if (identmatch_may(rule != NULL ? hba->maps : NULL, map, name, c->login->user, NULL) != IDENTMATCH_YES)
		return gate_refuse(g, "peer: the system's user is \"%.128s\"%s%.64s", name, map != NULL ? ", map " : "",
				   map != NULL ? map : "");
	if (!is_known)
		return gate_refuse(g, "no such user");
	g->method = CLIENTAUTH_PROVEN;
	return true;
}

/* PostgreSQL's sentences; PgBouncer's say less. */
static void gate_say(const struct client *c, const struct hba_rule *rule, struct gate *g)
{
	const struct login *l = c->login;
	bool is_physical = c->replication == STARTUP_REPLICATION_PHYSICAL;
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
			 "pg_hba.conf rejects %sconnection for host \"%s\", user \"%.128s\", %sno encryption",
			 is_physical ? "replication " : "", host, l->user, database);
	else
		snprintf(g->sentence, sizeof(g->sentence),
			 "no pg_hba.conf entry for %shost \"%s\", user \"%.128s\", %sno encryption",
			 is_physical ? "replication connection from " : "", host, l->user, database);
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
	return is_known || c->worker->home.conf->secrets == 0 ? CLIENTAUTH_PROVEN : CLIENTAUTH_TRUST;
}

static bool gate_rule(struct client *c, bool is_known, const struct hba_rule *rule, struct gate *g)
{
	if (rule->clientcert != HBA_CLIENTCERT_NONE) {
		gate_say(c, rule, g);
		return gate_refuse(g, "%s:%d asks for a client's certificate", rule->file, rule->line);
	}
	switch (rule->method) {
	case HBA_METHOD_TRUST:
		g->method = gate_trust(c, is_known);
		return true;
	case HBA_METHOD_PASSWORD:
		g->method = CLIENTAUTH_PLAIN;
		return true;
	case HBA_METHOD_MD5:
		g->method = CLIENTAUTH_MD5;
		return true;
	case HBA_METHOD_SCRAM:
		g->method = CLIENTAUTH_SCRAM;
		return true;
	case HBA_METHOD_PEER:
		return gate_peer(c, is_known || c->worker->home.conf->secrets == 0, rule, g);
	case HBA_METHOD_REJECT:
	case HBA_METHOD_CERT:
	case HBA_METHOD_PAM:
	case HBA_METHOD_LDAP:
		break;
	}
	gate_say(c, rule, g);
	return gate_refuse(g, "%s:%d %s", rule->file, rule->line,
			   rule->is_bad ? "cannot be understood and rejects whomever it may mean" : "rejects");
}

static bool gate_hba(struct client *c, bool is_known, struct gate *g)
{
	const struct hba *hba = c->worker->home.conf->hba;
	const struct hba_rule *rule = NULL;
	struct hbamatch_ask ask = {
		.user = c->login->user,
		.database = c->login->database,
		.peer = &c->peer,
		.is_physical_replication = c->replication == STARTUP_REPLICATION_PHYSICAL,
		.ifaces = &c->worker->gate.ifaces,
	};
	enum hbamatch_result result;

	if (hba->needs_interfaces && !gate_read_ifaces(c)) {
		gate_say(c, NULL, g);
		return gate_refuse(g, "the addresses of this machine cannot be read");
	}
	result = hbamatch_find(hba, &ask, &rule);
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

bool gate_choose(struct client *c, bool is_known, struct gate *out)
{
	const struct conf *conf = c->worker->home.conf;

	*out = (struct gate){.method = CLIENTAUTH_REJECT};
	switch (conf->set.auth_type) {
	case CONF_AUTH_ANY:
		out->method = CLIENTAUTH_PROVEN;
		return true;
	case CONF_AUTH_TRUST:
		out->method = gate_trust(c, is_known);
		return true;
	case CONF_AUTH_PLAIN:
		out->method = CLIENTAUTH_PLAIN;
		return true;
	case CONF_AUTH_MD5:
		out->method = CLIENTAUTH_MD5;
		return true;
	case CONF_AUTH_SCRAM:
		out->method = CLIENTAUTH_SCRAM;
		return true;
	case CONF_AUTH_PEER:
		return gate_peer(c, is_known || conf->secrets == 0, NULL, out);
	case CONF_AUTH_HBA:
		return gate_hba(c, is_known, out);
	default:
		/* conf refuses these; clientauth does as well */
		return true;
	}
}

/*
 * authserver.c - auth-test: logs in to the server of a database as a pool would, on a loop of its own.
 */
#include "app/authtest.h"

#include "auth/serverauth.h"
#include "net/errand.h"
#include "net/resolve.h"
#include "net/tls.h"
#include "pool/plan.h"
#include "server/dial.h"

#include <string.h>

struct authserver {
	struct loop loop;
	const struct target *target;
	bool is_ready;
	struct server_failure why;
};

static void authserver_on_ready(struct server *s)
{
	struct authserver *a = s->owner;
	const char *version = params_get(&s->params, "server_version");
	char tls[TLS_TEXT_MAX], addr[ADDR_TEXT_MAX];

	a->is_ready = true;
	tls_describe(&s->conn, tls, sizeof(tls));
	addr_format(&s->remote, addr, sizeof(addr));
	authtest_say("ok", "PostgreSQL %s at %s:%u lets user \"%s\" in to database \"%s\" (%s)", version != NULL ? version : "?",
		     s->host->path != NULL ? s->host->path : addr, s->target->port, s->target->user, s->target->dbname,
		     tls[0] != '\0' ? tls : s->host->path != NULL ? "Unix socket" : "no TLS");
	server_close(s, SERVER_END_NOT_WANTED);
}

static void authserver_on_failed(struct server *s, const struct server_failure *why)
{
	struct authserver *a = s->owner;

	a->why = *why;
}

static void authserver_on_rested(struct server *s FX_UNUSED)
{
}

static void authserver_on_ending(struct server *s FX_UNUSED, enum server_end why FX_UNUSED)
{
}

static void authserver_on_gone(struct server *s)
{
	struct authserver *a = s->owner;

	server_free(s);
	loop_stop(&a->loop);
}

static const struct server_owner_ops authserver_ops = {
	.on_ready = authserver_on_ready,
	.on_failed = authserver_on_failed,
	.on_rested = authserver_on_rested,
	.on_ending = authserver_on_ending,
	.on_gone = authserver_on_gone,
};

/* What the pool would have by now: the keys of the client's proof, or the password it has shown. */
static void authserver_teach(const struct authtest *t, struct target *target)
{
	if (t->db->force_user != NULL)
		return;
	if (t->keys.is_set)
		plan_take_keys(target, &t->keys);
	if (!t->is_outside || target->credential.kind != CREDENTIAL_NONE || target->source != NULL || t->password.data == NULL)
		return;
	credential_fini(&target->credential);
	target->credential.kind = CREDENTIAL_PLAIN;
	secret_set(&target->credential.text, t->password.data, t->password.len);
	target->secret_from = "what was typed";
}

static void authserver_tell(const struct target *target)
{
	if (target->require_auth != NULL)
		authtest_say("--", "server_require_auth: the server may ask for %s", target->require_auth);
	if (target->secret_from != NULL)
		authtest_say("--", "for user \"%s\" at the server, %s is what counts", target->user, target->secret_from);
	else
		authtest_say("--", "nothing is known that user \"%s\" could prove himself by at the server", target->user);
}

static bool authserver_log_in(struct authtest *t, struct authserver *a, struct target *target)
{
	const struct resolve_options options = {
		.ttl = t->conf->set.dns_max_ttl,
		.nxttl = t->conf->set.dns_nxdomain_ttl,
		.deadline = t->conf->set.server_connect_timeout,
	};
	struct resolver *resolver = resolve_new(&options);
	struct errands *errands = errand_new(1, 4, 0);
	struct server *s = server_new(&a->loop, target, &t->cache, &authserver_ops, a);

	if (s != NULL) {
		dial_start(s, resolver, errands);
		loop_run(&a->loop);
	}
	resolve_free(resolver);
	errand_free(errands);
	(void)mailbox_drain(&a->loop.mailbox, &a->loop);
	if (!a->is_ready)
		authtest_say("no", "the server does not let the pooler in: %s%s%s", a->why.message, a->why.sqlstate[0] != '\0' ? ", SQLSTATE " : "",
			     a->why.sqlstate);
	return a->is_ready;
}

bool authserver_check(struct authtest *t)
{
	const char *user = t->db->force_user != NULL ? t->db->force_user : t->args->auth.user;
	struct target *target = plan_target(t->conf, t->db, t->args->auth.database, user);
	struct authserver a = {.target = target};
	bool is_ready;

	authserver_teach(t, target);
	authserver_tell(target);
	if (loop_init(&a.loop, &engine_ev_ops, 0, NULL) < 0) {
		authtest_say("no", "a loop cannot be begun");
		target_unref(target);
		return false;
	}
	is_ready = authserver_log_in(t, &a, target);
	loop_fini(&a.loop);
	target_unref(target);
	return is_ready;
}

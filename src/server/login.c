/*
 * login.c - our login to a PostgreSQL server.
 *
 * A table of message types, whole messages only, each with a bound.  What the
 * server says about a failed login is kept in its own words.
 */
#include "server/login.h"

#include "auth/rotation.h"
#include "auth/serverauth.h"
#include "base/cursor.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tlspeer.h"
#include "proto/errfields.h"
#include "proto/frontend.h"
#include "proto/startup.h"
#include "server/derive.h"
#include "server/dial.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

enum { LOGIN_AUTH, LOGIN_CONNECT_QUERY };

struct login_rule {
	uint32_t max; /* 0: may not come; else bytes of the longest body + 1 */
	void (*handle)(struct server *s, const uint8_t *body, size_t n);
};

struct login_wait {
	struct derive_wait wait;
	struct server *server;
};

static void login_fail(struct server *s, const char *sqlstate, const char *what)
{
	if (s->failure.end == SERVER_END_NONE)
		server_set_failure(s, SERVER_END_LOGIN_FAILED, sqlstate, "%s", what);
	server_close(s, SERVER_END_LOGIN_FAILED);
}

/* What the operator should know of a refused proof. */
static void login_explain(struct server *s)
{
	const char *detail = s->auth != NULL ? serverauth_detail(s->auth) : "";

	if (detail[0] != '\0')
		server_log(s, LOG_WARNING, "server login: %s", detail);
}

static void login_send_secret(struct conn *c, const struct buf *out)
{
	struct chunk *chunk = chunk_new_secret(&c->loop->chunks, out->data, out->len);

	conn_send(c, chunk->data, out->len, chunk);
	chunk_unref(chunk);
}

static void login_on_derived(struct derive_wait *w);

/* false: our keys can't be computed now */
static bool login_waits_for_keys(struct server *s)
{
	struct login_wait *w = mem_zalloc(sizeof(*w));

	w->server = s;
	derive_wait_init(&w->wait, login_on_derived);
	if (!derive_ask(s->scram_cache, &w->wait)) {
		mem_free(w);
		return false;
	}
	s->deriving = w;
	return true;
}

static void login_judged(struct server *s, enum serverauth_verdict verdict, struct buf *out)
{
	switch (verdict) {
	case SERVERAUTH_MORE:
		if (out->len > 0)
			login_send_secret(&s->conn, out);
		break;
	case SERVERAUTH_OK:
		if (serverauth_has_answered(s->auth))
			atomic_store_explicit(&s->target->works, s->is_second, memory_order_relaxed);
		serverauth_free(s->auth);
		s->auth = NULL;
		break;
	case SERVERAUTH_DERIVE:
		if (!login_waits_for_keys(s))
			login_fail(s, "53300", "too many logins to servers wait for their keys to be computed");
		break;
	case SERVERAUTH_FAILED:
		login_explain(s);
		login_fail(s, serverauth_is_mismatch(s->auth) ? "28P01" : "28000", serverauth_error(s->auth));
		break;
	}
	buf_wipe(out);
}

static void login_on_derived(struct derive_wait *w)
{
	struct server *s = container_of(w, struct login_wait, wait)->server;
	struct buf out;

	login_forget(s);
	if (s->state != SERVER_LOGIN || s->auth == NULL)
		return;
	buf_init(&out, 0);
	login_judged(s, serverauth_derived(s->auth, &out), &out);
}

void login_forget(struct server *s)
{
	struct login_wait *w = s->deriving;

	s->deriving = NULL;
	if (w == NULL)
		return;
	derive_forget(&w->wait);
	mem_free(w);
}

static void login_on_auth(struct server *s, const uint8_t *body, size_t n)
{
	struct buf out;

	if (s->auth == NULL) {
		login_fail(s, "08P01", "server asked for a proof after it had accepted one");
		return;
	}
	buf_init(&out, 0);
	login_judged(s, serverauth_input(s->auth, body, n, &out), &out);
}

static void login_on_key(struct server *s, const uint8_t *body, size_t n)
{
	struct cursor at = cursor_over(body, n);

	if (s->auth != NULL || n < 4 + STARTUP_CANCEL_KEY_MIN || n > 4 + STARTUP_CANCEL_KEY_MAX) {
		login_fail(s, "08P01", "server sent a malformed cancel key");
		return;
	}
	s->pid = cursor_u32(&at);
	secret_set(&s->key, at.p, n - 4);
}

/* Answers a version or an option that it does not know; we send no options. */
static void login_on_version(struct server *s, const uint8_t *body, size_t n)
{
	struct cursor at = cursor_over(body, n);
	uint32_t version = cursor_u32(&at), options = cursor_u32(&at);

	if (at.bad || cursor_left(&at) != 0 || options != 0 || version != WIRE_PROTOCOL_3_0 || s->minor == 0 ||
	    s->auth == NULL) {
		login_fail(s, "08P01", "server sent a malformed answer to our protocol version");
		return;
	}
	s->minor = 0;
}

static void login_on_parameter(struct server *s, const uint8_t *body, size_t n)
{
	struct cursor at = cursor_over(body, n);
	const char *name = cursor_cstr(&at);
	const char *value = cursor_cstr(&at);

	if (at.bad || cursor_left(&at) != 0)
		login_fail(s, "08P01", "server sent a malformed parameter");
	else if (params_set(&s->params, name, value) < 0)
		login_fail(s, "08P01", "server reports more parameters than can be kept");
}

/* Could one of the target's own secrets prove anything? */
static bool login_is_usable(const struct target *t, bool is_second)
{
	const struct credential *c = is_second ? &t->second : &t->credential;

	return c->kind == CREDENTIAL_PLAIN || c->kind == CREDENTIAL_MD5 || (is_second ? &t->second_keys : &t->keys)->is_set;
}

/* The server does not take this secret (any more).  The other one is tried, or what has come to its place meanwhile: once for
 * each connection, so that nobody is locked out for our attempts. */
static bool login_other_secret(struct server *s)
{
	const struct target *t = s->target;

	if (s->has_tried_both || s->auth == NULL || !serverauth_has_answered(s->auth))
		return false;
	if (t->source != NULL) {
		s->has_tried_both = s->wants_password = true;
		return true;
	}
	if (t->second.kind == CREDENTIAL_NONE || !login_is_usable(t, !s->is_second))
		return false;
	s->has_tried_both = true;
	s->is_second = !s->is_second;
	server_log(s, LOG_LOG, "server does not take one of two passwords of user \"%.64s\", trying the other", t->user);
	return true;
}

/* A server that knows nothing of newer versions, or a proxy in front of it, says so in one of these ways. */
static bool login_is_refusal(const struct server *s, const struct errfields *e)
{
	return s->asked_minor > 0 && !s->has_answered && (strcmp(e->sqlstate, "0A000") == 0 || strcmp(e->sqlstate, "08P01") == 0);
}

static void login_on_error(struct server *s, const uint8_t *body, size_t n)
{
	struct errfields e;

	errfields_parse(body, n, &e);
	/* pg_hba.conf may want TLS, or want none */
	if (strcmp(e.sqlstate, "28000") == 0 && dial_other_way(s)) {
		s->must_redial = true;
		return;
	}
	if (strcmp(e.sqlstate, "28P01") == 0 && login_other_secret(s)) {
		/* its end of file is awaited here, too */
		s->must_redial = true;
		if (s->wants_password)
			server_set_failure(s, SERVER_END_LOGIN_FAILED, e.sqlstate, "%s", e.message);
		return;
	}
	if (login_is_refusal(s, &e)) {
		/* its end of file is awaited: until then it holds a slot of the server's */
		s->was_refused = true;
		return;
	}
	server_set_failure(s, SERVER_END_LOGIN_FAILED, e.sqlstate, "%s", e.message);
	if (strcmp(e.sqlstate, "28P01") == 0)
		login_explain(s);
	server_log(s, LOG_WARNING, "server login failed: %s %s", e.severity, e.message);
	server_close(s, SERVER_END_LOGIN_FAILED);
}

static void login_on_notice(struct server *s FX_UNUSED, const uint8_t *body FX_UNUSED, size_t n FX_UNUSED)
{
}

static void login_on_ready(struct server *s, const uint8_t *body, size_t n)
{
	struct buf out;

	if (s->auth != NULL || n != 1 || body[0] != TRANSACTION_IDLE) {
		login_fail(s, "08P01", "server said it was ready before it had accepted us");
		return;
	}
	if (s->was_refused && !atomic_exchange_explicit(&s->target->speaks_3_0_only, true, memory_order_relaxed))
		server_log(s, LOG_LOG, "server takes protocol 3.0 only");
	s->status = TRANSACTION_IDLE;
	s->clean_step = LOGIN_CONNECT_QUERY;
	if (s->target->connect_query == NULL || s->target->connect_query[0] == '\0')
		return;
	buf_init(&out, 0);
	(void)frontend_query(&out, s->target->connect_query);
	if (server_note(s, FE_QUERY))
		(void)server_say(s, &out);
	else
		buf_fini(&out);
}

static const struct login_rule login_rules[256] = {
	[BE_AUTHENTICATION] = {SERVERAUTH_MESSAGE_MAX + 1, login_on_auth},
	[BE_BACKEND_KEY_DATA] = {4 + 256 + 1, login_on_key},
	[BE_PARAMETER_STATUS] = {16 * 1024 + 1, login_on_parameter},
	[BE_ERROR_RESPONSE] = {64 * 1024 + 1, login_on_error},
	[BE_NOTICE_RESPONSE] = {64 * 1024 + 1, login_on_notice},
	[BE_NEGOTIATE_PROTOCOL_VERSION] = {1024 + 1, login_on_version},
	[BE_READY_FOR_QUERY] = {1 + 1, login_on_ready},
};

bool login_is_open(const struct server *s)
{
	return s->clean_step == LOGIN_AUTH;
}

bool login_may_receive(uint8_t type, size_t n)
{
	return n < login_rules[type].max;
}

bool login_on_message(struct server *s, uint8_t type, const uint8_t *body, size_t n)
{
	if (s->clean_step != LOGIN_AUTH)
		return false;
	/* what it says behind its refusal is nothing to us */
	if (s->must_redial || (s->asked_minor > 0 && s->was_refused))
		return true;
	s->has_answered |= type != BE_ERROR_RESPONSE;
	login_rules[type].handle(s, body, n);
	return true;
}

static void login_local_addr(struct server *s)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (s->host->path != NULL || getsockname(s->conn.fd, (struct sockaddr *)&ss, &len) < 0)
		s->local = (struct addr){.family = ADDR_UNIX};
	else
		addr_from_sockaddr(&s->local, &ss);
}

bool login_falls_back(struct server *s)
{
	if (!s->must_redial) {
		if (s->asked_minor == 0 || (s->has_answered && !s->was_refused))
			return false;
		s->was_refused = true;
	}
	s->must_redial = s->has_answered = false;
	login_forget(s);
	serverauth_free(s->auth);
	s->auth = NULL;
	s->reader = (struct server_reader){.run = s->reader.run, .whole = s->reader.whole};
	buf_reset(&s->reader.whole);
	conn_close(&s->conn);
	if (s->wants_password)
		dial_other_password(s);
	else
		dial_again(s);
	s->wants_password = false;
	return true;
}

#define LOGIN_PARAMS 7 /* of our own */

/* what the startup packet says; lent by the target */
static size_t login_params(const struct target *t, struct frontend_param params[LOGIN_PARAMS + PARAMS_NAMES])
{
	const struct frontend_param own[LOGIN_PARAMS] = {
		{"user", t->user},
		{"database", t->dbname},
		{"replication", t->replication},
		{"client_encoding", t->client_encoding},
		{"datestyle", t->datestyle},
		{"timezone", t->timezone},
		{"application_name", t->application_name},
	};
	size_t n = LOGIN_PARAMS, it = 0;

	memcpy(params, own, sizeof(own));
	while (t->extra != NULL && n < LOGIN_PARAMS + PARAMS_NAMES &&
	       params_next(t->extra, &it, &params[n].name, &params[n].value))
		n++;
	return n;
}

/* Why a cleartext or md5 password would not be sent on this connection; NULL: it may be. */
static const char *login_withheld(const struct server *s)
{
	if (s->conn.tls != NULL || s->host->path != NULL || s->target->weak_auth == TARGET_WEAK_AUTH_ALLOW)
		return NULL;
	if (s->target->weak_auth == TARGET_WEAK_AUTH_REFUSE)
		return "the connection has no TLS (server_weak_auth = refuse)";
	return addr_is_loopback(&s->remote) ? NULL : "the connection has no TLS (server_weak_auth = local)";
}

/* Which secret is tried.  pair needs no init, and is the caller's to wipe. */
static void login_choose(struct server *s, struct serverauth_ask *ask, struct credential pair[2])
{
	const struct target *t = s->target;

	pair[0] = pair[1] = (struct credential){.kind = CREDENTIAL_NONE};
	if (!s->has_tried_both)
		s->is_second = atomic_load_explicit(&t->works, memory_order_relaxed) != 0;
	if (t->source != NULL) {
		s->pass_generation = passsource_read(t->source, pair);
		s->is_second = s->is_second && pair[1].kind != CREDENTIAL_NONE;
		ask->credential = &pair[s->is_second];
		return;
	}
	/* keys that no client has shown yet */
	if (!s->has_tried_both && !login_is_usable(t, s->is_second) && login_is_usable(t, !s->is_second))
		s->is_second = !s->is_second;
	ask->credential = s->is_second ? &t->second : &t->credential;
	ask->keys = s->is_second ? &t->second_keys : &t->keys;
}

void login_begin(struct server *s)
{
	struct target *t = s->target;
	struct frontend_param params[LOGIN_PARAMS + PARAMS_NAMES];
	struct credential pair[2];
	size_t count = login_params(t, params);
	struct serverauth_ask ask = {
		.user = t->user,
		.cache = s->scram_cache,
		.may = t->may_ask,
		.requirement = t->require_auth,
		.withheld = login_withheld(s),
		.from = t->secret_from,
		.binding_mode = (enum serverauth_binding)t->binding_mode,
	};
	struct buf out;

	login_choose(s, &ask, pair);
	ask.binding.len = tlspeer_binding(&s->conn, ask.binding.data);
	server_enter(s, SERVER_LOGIN);
	s->asked_minor = s->was_refused || atomic_load_explicit(&t->speaks_3_0_only, memory_order_relaxed)
				 ? 0 : t->newest_minor;
	s->minor = s->asked_minor;
	if (s->host->path == NULL)
		listener_tune(s->conn.fd, &t->tuning);
	login_local_addr(s);
	char from[ADDR_TEXT_MAX];

	addr_format(&s->local, from, sizeof(from));
	server_log(s, LOG_LOG, "new connection to server (from %s:%u)", from, s->local.port);
	s->clean_step = LOGIN_AUTH;
	s->auth = serverauth_new(&ask);
	rotation_fini(pair);
	buf_init(&out, 0);
	if (s->auth == NULL ||
	    frontend_startup(&out, WIRE_PROTOCOL(3, s->asked_minor), params, count) < 0) {
		buf_fini(&out);
		login_fail(s, "53200", "out of memory");
		return;
	}
	(void)server_say(s, &out);
}

void login_settled(struct server *s)
{
	if (s->clean_step != LOGIN_CONNECT_QUERY || !server_is_quiet(s)) {
		if (s->clean_step == LOGIN_CONNECT_QUERY && conn_out_pending(&s->conn) > 0)
			conn_notify_empty(&s->conn);
		return;
	}
	/* connect_query may have had its say */
	if (buf_append(&s->base.pairs, s->params.pairs.data, s->params.pairs.len) < 0) {
		login_fail(s, "53200", "out of memory");
		return;
	}
	s->vars_hash = 0;
	s->request_since = s->xact_since = 0;
	server_enter(s, SERVER_IDLE);
	s->owner_ops->on_ready(s);
}

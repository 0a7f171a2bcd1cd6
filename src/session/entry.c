/*
 * entry.c - first packet and proof: a table of what may come in which state.
 *
 * STARTUP takes SSLRequest and GSSENCRequest (each at most once, answered N),
 * CancelRequest and StartupMessage; AUTH takes 'p' messages only.  Everything
 * else is an error and the end of the connection.
 */
#include "session/entry.h"

#include "auth/clientauth.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto/reply.h"
#include "proto/startopt.h"
#include "session/admit.h"
#include "session/cancelreq.h"
#include "session/entry_impl.h"
#include "session/osname.h"
#include "session/keyring.h"
#include "session/reckon.h"
#include "session/relay.h"
#include "session/seat.h"
#include "session/secured.h"
#include "session/userfind.h"
#include "session/replica.h"
#include "session/tarry.h"
#include "session/vars.h"
#include "session/witness.h"
#include "session/worker.h"

#include <stdio.h>
#include <string.h>

void entry_begin(struct client *c)
{
	struct login *l = mem_try_zalloc(sizeof(*l));

	client_enter(c, CLIENT_STARTUP);
	if (l == NULL) {
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
		return;
	}
	buf_init(&l->in, ENTRY_BYTES_MAX);
	dlist_init(&l->silent);
	timeout_init(&l->tarry, NULL);
	l->client = c;
	c->login = l;
	seat_turn(c);
}

void entry_free(struct client *c)
{
	struct login *l = c->login;

	seat_busy(c);
	c->login = NULL;
	buf_wipe(&l->in);
	osname_forget(l);
	tarry_end(l);
	witness_forget(l);
	reckon_forget(l);
	userfind_fini(l);
	clientauth_free(l->auth);
	credential_keys_wipe(&l->keys);
	if (l->extra != NULL)
		params_fini(l->extra);
	mem_free(l->extra);
	mem_free(l->replication);
	mem_free(l->user);
	mem_free(l->database);
	mem_free(l);
}

bool entry_is_untouched(const struct client *c)
{
	return c->login != NULL && c->login->in.len == 0 && !c->login->saw_ssl && !c->login->saw_gss;
}

static void entry_negotiate(struct client *c, const struct startup *s)
{
	struct buf out;

	if (!s->needs_negotiation)
		return;
	buf_init(&out, 0);
	if (reply_negotiate(&out, s->protocol, s) == 0)
		conn_send(&c->conn, out.data, out.len, NULL);
	buf_fini(&out);
}

static void entry_encryption(struct client *c, bool is_ssl)
{
	bool *seen = is_ssl ? &c->login->saw_ssl : &c->login->saw_gss;

	if (*seen || c->conn.tls != NULL) {
		client_fail(c, CLIENT_END_STARTUP, "encryption was asked for twice");
		return;
	}
	*seen = true;
	if (is_ssl && secured_is_offered(c)) {
		conn_send(&c->conn, "S", 1, NULL);
		secured_begin(c);
	} else {
		conn_send(&c->conn, "N", 1, NULL);
	}
	seat_turn(c);
}

static bool entry_accepts(struct client *c, const char *name, const char *value)
{
	if (str_list_has(c->worker->home.conf->set.ignore_startup_parameters, name))
		return true;
	return vars_set(c, name, value);
}

static bool entry_options(struct client *c, const char *options)
{
	const char *name, *value;
	struct startopt o;
	int rc;

	if (options == NULL || str_list_has(c->worker->home.conf->set.ignore_startup_parameters, "options"))
		return true;
	startopt_init(&o, options);
	while ((rc = startopt_next(&o, &name, &value)) > 0) {
		if (entry_accepts(c, name, value))
			continue;
		client_fail(c, CLIENT_END_STARTUP, STARTOPT_ERROR_NAME, name);
		return false;
	}
	if (rc < 0)
		client_fail(c, CLIENT_END_STARTUP, "%s", o.error);
	return rc == 0;
}

static bool entry_parameters(struct client *c, const struct startup *s)
{
	const char *name, *value;
	size_t it = 0;

	while (startup_next(s, &it, &name, &value)) {
		if (entry_accepts(c, name, value))
			continue;
		client_fail(c, CLIENT_END_STARTUP, "unsupported startup parameter: %s", name);
		return false;
	}
	return entry_options(c, s->options);
}

static void entry_login(struct client *c, const struct startup *s)
{
	struct login *l = c->login;

	/* only now: a cancel may pass when there is no room for another client */
	if (!seat_may_come(c)) {
		seat_refuse(c);
		return;
	}
	if (!secured_is_enough(c)) {
		client_fail(c, CLIENT_END_INSECURE, NULL);
		return;
	}
	l->user = mem_strdup(s->user);
	l->database = mem_strdup(s->database);
	if (startup_replication(s) != STARTUP_REPLICATION_NONE ? !replica_take(c, s) : !entry_parameters(c, s))
		return;
	c->key_len = s->protocol == WIRE_PROTOCOL_3_2 ? KEYRING_KEY_LEN : KEYRING_KEY_LEN_3_0;
	entry_negotiate(c, s);
	client_enter(c, CLIENT_AUTH);
	seat_begin(c);
}

static void entry_on_startup(struct client *c, const uint8_t *packet, size_t n, size_t after)
{
	struct startup s;

	seat_busy(c);
	if (startup_parse(packet, n, &s) < 0) {
		client_fail_as(c, CLIENT_END_STARTUP, s.sqlstate, s.error);
		return;
	}
	switch (s.kind) {
	case STARTUP_SSL:
	case STARTUP_GSSENC:
		/* nobody may speak before our answer: what comes with it could be somebody else's */
		if (after > 0)
			client_fail(c, CLIENT_END_STARTUP, "data after an encryption request");
		else
			entry_encryption(c, s.kind == STARTUP_SSL);
		break;
	case STARTUP_CANCEL:
		cancelreq_begin(c, &s);
		break;
	case STARTUP_UNSUPPORTED:
		client_fail(c, CLIENT_END_VERSION, "unsupported frontend protocol %u.%u: server supports 3.0 to 3.2",
			    s.major, s.minor);
		break;
	case STARTUP_LOGIN:
		entry_login(c, &s);
		break;
	}
}

/* takes bytes of one packet until need of them are there */
static size_t entry_collect(struct client *c, const uint8_t *data, size_t n, size_t need)
{
	struct buf *in = &c->login->in;
	size_t take = need > in->len ? need - in->len : 0;

	if (take > n)
		take = n;
	if (buf_append(in, data, take) < 0)
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
	return take;
}

static size_t entry_step_startup(struct client *c, const uint8_t *data, size_t n)
{
	struct buf *in = &c->login->in;
	size_t need, used;
	enum startup_peek peek;

	/* the very first bytes, and only they, may begin TLS by themselves */
	if (in->len == 0 && !c->login->saw_ssl && !c->login->saw_gss && startup_is_tls(data, n)) {
		secured_begin_direct(c, data, n);
		return n;
	}
	peek = startup_peek(in->data, in->len, &need);
	if (peek == STARTUP_MORE) {
		used = entry_collect(c, data, n, need);
		if (c->login == NULL)
			return used;
		peek = startup_peek(in->data, in->len, &need);
	} else {
		used = 0;
	}
	if (peek == STARTUP_BAD) {
		client_fail(c, CLIENT_END_STARTUP, NULL);
	} else if (peek == STARTUP_WHOLE && in->len >= need) {
		struct buf packet = *in;

		buf_init(in, ENTRY_BYTES_MAX);
		entry_on_startup(c, packet.data, need, n - used);
		buf_wipe(&packet);
	}
	return used;
}

static size_t entry_step_auth(struct client *c, const uint8_t *data, size_t n)
{
	struct buf *in = &c->login->in;
	size_t used = 0, length, max = clientauth_message_max(c->login->auth);

	if (in->len < WIRE_HEADER_LEN) {
		used = entry_collect(c, data, n, WIRE_HEADER_LEN);
		if (c->login == NULL || in->len == 0)
			return used;
		if (in->data[0] != FE_PASSWORD) {
			client_fail(c, CLIENT_END_PROTOCOL, "expected password response, got message type %u",
				    in->data[0]);
			return used;
		}
		if (in->len < WIRE_HEADER_LEN)
			return used;
	}
	length = (size_t)in->data[1] << 24 | (size_t)in->data[2] << 16 | (size_t)in->data[3] << 8 | in->data[4];
	if (length < 4 || length - 4 > max) {
		admit_refuse(c, length < 4);
		return used;
	}
	used += entry_collect(c, data + used, n - used, length + 1);
	if (c->login != NULL && in->len == length + 1) {
		struct buf message = *in;

		buf_init(in, ENTRY_BYTES_MAX);
		admit_proof(c, message.data + WIRE_HEADER_LEN, length - 4);
		buf_wipe(&message);
	}
	return used;
}

static bool entry_takes_proof(const struct client *c)
{
	return c->state == CLIENT_AUTH && c->login->auth != NULL && !c->login->is_waiting && c->login->reckon == NULL &&
	       !clientauth_is_waiting(c->login->auth);
}

size_t entry_on_bytes(struct client *c, struct chunk *chunk, const uint8_t *data, size_t n)
{
	size_t used = 0;

	while (used < n && (c->state == CLIENT_STARTUP || entry_takes_proof(c))) {
		if (c->state == CLIENT_STARTUP)
			used += entry_step_startup(c, data + used, n - used);
		else
			used += entry_step_auth(c, data + used, n - used);
	}
	conn_wipe(data, used);
	if (c->state == CLIENT_CLOSING || c->state == CLIENT_GONE || c->state == CLIENT_CANCEL) {
		conn_wipe(data, n);
		return n;
	}
	if (used == n)
		return n;
	if (c->state != CLIENT_AUTH && c->state != CLIENT_WELCOME && c->state != CLIENT_ATTACHING)
		return used + relay_on_bytes(c, chunk, data + used, n - used);
	/* a client that did not wait for its welcome: the conn is paused and keeps the rest */
	return used;
}

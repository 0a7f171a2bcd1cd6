/*
 * secured.c - TLS towards a client.
 */
#include "session/secured.h"

#include "net/tls.h"
#include "pool/tlsset.h"
#include "session/entry_impl.h"
#include "session/seat.h"
#include "session/worker.h"

bool secured_is_offered(const struct client *c)
{
	return c->peer.family != ADDR_UNIX && tlsset_client(c->worker->home.conf) != NULL;
}

bool secured_is_enough(const struct client *c)
{
	return c->conn.tls != NULL || c->peer.family == ADDR_UNIX ||
	       c->worker->home.conf->set.client_tls_sslmode < CONF_TLS_REQUIRE;
}

void secured_begin(struct client *c)
{
	const struct tls_ask ask = {.ctx = tlsset_client(c->worker->home.conf)};

	if (tls_start(&c->conn, &ask) < 0)
		client_close(c, CLIENT_END_NO_MEMORY);
}

void secured_begin_direct(struct client *c, const uint8_t *data, size_t n)
{
	c->login->saw_ssl = c->login->is_direct = true;
	if (!secured_is_offered(c)) {
		client_close(c, CLIENT_END_STARTUP);
		return;
	}
	secured_begin(c);
	if (c->conn.tls != NULL)
		tls_feed(&c->conn, data, n);
}

void secured_on_secured(struct conn *conn)
{
	struct client *c = client_of(conn);

	/* without it a client of another protocol could be made to talk to us */
	if (c->login != NULL && c->login->is_direct && !tls_has_alpn(conn)) {
		client_log(c, LOG_WARNING, "direct TLS without ALPN \"postgresql\"");
		client_close(c, CLIENT_END_TLS);
		return;
	}
	/* now passwords may come */
	tls_forget(conn, true);
	seat_turn(c);
}

void secured_failed(struct client *c)
{
	if (log_limit_allows(&c->worker->noise, loop_now(c->conn.loop), 20))
		client_log(c, LOG_WARNING, "TLS handshake failed: %s", tls_error(&c->conn));
	client_close(c, CLIENT_END_TLS);
}

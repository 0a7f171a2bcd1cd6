/*
 * secure.c - TLS on a new connection to PostgreSQL, before its first message.
 */
#include "server/secure.h"

#include "net/tls.h"
#include "proto/frontend.h"

static enum secure_next secure_start(struct conn *c, struct target *t, const struct target_host *host, const char **why)
{
	const struct tls_ask ask = {
		.ctx = t->tls,
		.host = host->name,
		.verifies_host = t->tls_mode == TARGET_TLS_VERIFY_FULL,
		.wants_alpn = t->is_tls_direct,
	};

	if (tls_start(c, &ask) == 0)
		return SECURE_WAITS;
	*why = "TLS could not be begun";
	return SECURE_FAILS;
}

enum secure_next secure_begin(struct conn *c, struct target *t, const struct target_host *host, bool wanted,
			      const char **why)
{
	struct buf out;

	if (!wanted || host->path != NULL)
		return SECURE_GO;
	if (t->is_tls_direct)
		return secure_start(c, t, host, why);
	buf_init(&out, 0);
	if (frontend_ssl_request(&out) == 0)
		conn_send(c, out.data, out.len, NULL);
	buf_fini(&out);
	return SECURE_WAITS;
}

enum secure_next secure_answer(struct conn *c, struct target *t, const struct target_host *host, const uint8_t *data,
			       size_t n, const char **why)
{
	/* what comes with the answer could be anybody's (CVE-2021-23222) */
	if (n != 1)
		*why = "server sent more than its answer to the question for TLS";
	else if (data[0] == 'S')
		return secure_start(c, t, host, why);
	else if (data[0] == 'N' && t->tls_mode <= TARGET_TLS_PREFER)
		return SECURE_GO;
	else if (data[0] == 'N')
		*why = "server refused SSL";
	else
		*why = "server did not understand the question for TLS";
	return SECURE_FAILS;
}

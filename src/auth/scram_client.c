/*
 * scram_client.c - the client's role in SCRAM-SHA-256.
 */
#include "auth/scram_client.h"

#include "auth/b64.h"
#include "auth/scramkey.h"
#include "base/rnd.h"

#include <string.h>

#include "base/poison.h"

#define NONCE_BYTES 18 /* 24 characters */

enum { STEP_FIRST, STEP_READ, STEP_FINAL, STEP_VERIFY, STEP_OVER };

void scram_client_init(struct scram_client *c)
{
	*c = (struct scram_client){.step = STEP_FIRST, .flag = "n"};
	buf_init(&c->text, 4 * SCRAM_TEXT_MAX);
}

void scram_client_fini(struct scram_client *c)
{
	buf_wipe(&c->text);
	secret_wipe(c->server_key, sizeof(c->server_key));
	c->step = STEP_OVER;
}

void scram_client_bind(struct scram_client *c, const struct scram_binding *binding, bool is_plus)
{
	CHECK(c->step == STEP_FIRST);
	if (binding->len == 0)
		return;
	c->flag = is_plus ? "p=" SCRAM_BINDING_NAME : "y";
	if (is_plus)
		c->binding = *binding;
}

static int fail(struct scram_client *c, const char *why)
{
	c->step = STEP_OVER;
	c->error = why;
	return -1;
}

int scram_client_first(struct scram_client *c, const char *user, const char *nonce, struct buf *out)
{
	uint8_t raw[NONCE_BYTES];

	CHECK(c->step == STEP_FIRST);
	(void)buf_printf(&c->text, "n=%s,r=", user);
	c->nonce_at = c->text.len;
	if (nonce != NULL) {
		(void)buf_append_str(&c->text, nonce);
	} else {
		rnd_secure(raw, sizeof(raw));
		b64_encode(&c->text, raw, sizeof(raw));
	}
	c->nonce_len = c->text.len - c->nonce_at;
	(void)buf_printf(out, "%s,,", c->flag);
	(void)buf_append(out, c->text.data, c->text.len);
	if (c->text.bad || out->bad)
		return fail(c, "out of memory");
	c->step = STEP_READ;
	return 0;
}

int scram_client_read_first(struct scram_client *c, const void *msg, size_t n)
{
	struct scram_server_first first;

	CHECK(c->step == STEP_READ);
	if (scram_text_server_first(msg, n, &first, &c->error) < 0)
		return fail(c, c->error);
	/* the server's nonce is ours and something of its own */
	if (first.nonce.n <= c->nonce_len ||
		memcmp(first.nonce.p, c->text.data + c->nonce_at, c->nonce_len) != 0)
		return fail(c, "invalid SCRAM response (nonce mismatch)");
	memcpy(c->salt, first.salt, first.salt_len);
	c->salt_len = first.salt_len;
	c->iterations = first.iterations;
	(void)buf_append_u8(&c->text, ',');
	(void)buf_append(&c->text, msg, n);
	c->nonce_at = c->text.len - n + (size_t)(first.nonce.p - (const char *)msg);
	c->nonce_len = first.nonce.n;
	if (c->text.bad)
		return fail(c, "out of memory");
	c->step = STEP_FINAL;
	return 0;
}

int scram_client_final(struct scram_client *c, const struct credential_keys *keys, struct buf *out)
{
	uint8_t proof[CREDENTIAL_KEY_LEN];
	struct buf channel;
	size_t at;

	CHECK(c->step == STEP_FINAL && keys->is_set);
	(void)buf_append_u8(&c->text, ',');
	at = c->text.len;
	(void)buf_append_str(&c->text, "c=");
	buf_init(&channel, 0);
	(void)buf_printf(&channel, "%s,,", c->flag);
	(void)buf_append(&channel, c->binding.data, c->binding.len);
	b64_encode(&c->text, channel.data, channel.len);
	c->text.bad |= channel.bad;
	buf_fini(&channel);
	(void)buf_append_str(&c->text, ",r=");
	/* reserved first: the nonce lies in the same buffer */
	if (buf_reserve(&c->text, c->nonce_len) == 0)
		(void)buf_append(&c->text, c->text.data + c->nonce_at, c->nonce_len);
	if (c->text.bad)
		return fail(c, "out of memory");
	scramkey_prove(keys->client_key, c->text.data, c->text.len, proof);
	memcpy(c->server_key, keys->server_key, sizeof(c->server_key));
	(void)buf_append(out, c->text.data + at, c->text.len - at);
	(void)buf_append_str(out, ",p=");
	b64_encode(out, proof, sizeof(proof));
	secret_wipe(proof, sizeof(proof));
	if (out->bad)
		return fail(c, "out of memory");
	c->step = STEP_VERIFY;
	return 0;
}

int scram_client_verify(struct scram_client *c, const void *msg, size_t n)
{
	uint8_t expected[CREDENTIAL_KEY_LEN];
	struct scram_server_final final;
	bool is_right;

	CHECK(c->step == STEP_VERIFY);
	if (scram_text_server_final(msg, n, &final, &c->error) < 0)
		return fail(c, c->error);
	if (final.error.p != NULL)
		return fail(c, "server refused the SCRAM exchange");
	scramkey_sign(c->server_key, c->text.data, c->text.len, expected);
	is_right = secret_is_equal(expected, sizeof(expected), final.signature, sizeof(final.signature));
	secret_wipe(expected, sizeof(expected));
	if (!is_right)
		return fail(c, "invalid server signature");
	c->step = STEP_OVER;
	return 0;
}

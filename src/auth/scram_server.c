/*
 * scram_server.c - the server's role in SCRAM-SHA-256.
 */
#include "auth/scram_server.h"

#include "auth/b64.h"
#include "auth/scramkey.h"
#include "base/rnd.h"

#include <string.h>

#include "base/poison.h"

#define NONCE_BYTES 18 /* 24 characters */

enum { STEP_FIRST, STEP_FINAL, STEP_VERIFY, STEP_OVER };

void scram_server_init(struct scram_server *s, bool offers_plus)
{
	*s = (struct scram_server){.step = STEP_FIRST, .offers_plus = offers_plus};
	buf_init(&s->text, 4 * SCRAM_TEXT_MAX);
}

void scram_server_fini(struct scram_server *s)
{
	buf_wipe(&s->text);
	secret_wipe(s->proof, sizeof(s->proof));
	s->step = STEP_OVER;
}

static int fail(struct scram_server *s, const char *why)
{
	s->step = STEP_OVER;
	s->error = why;
	return -1;
}

void scram_server_bind(struct scram_server *s, const struct scram_binding *binding)
{
	CHECK(s->step == STEP_FIRST && s->offers_plus && binding->len > 0);
	s->is_plus = true;
	s->binding = *binding;
}

/* Without channel binding only "n" and, when we offered none, "y" are honest. */
static int check_flag(struct scram_server *s, char flag, const struct scram_part *name)
{
	s->flag = flag;
	if (s->is_plus && flag != 'p')
		return fail(s, "client selected SCRAM-SHA-256-PLUS, but its message is without channel binding");
	if (s->is_plus && (name->n != strlen(SCRAM_BINDING_NAME) || memcmp(name->p, SCRAM_BINDING_NAME, name->n) != 0))
		return fail(s, "unsupported SCRAM channel-binding type");
	if (flag == 'p' && !s->is_plus)
		return fail(s, s->offers_plus ? "client selected SCRAM-SHA-256 without channel binding, but its message has it"
					      : "client requires SCRAM channel binding, but it is not supported");
	if (flag == 'y' && s->offers_plus)
		return fail(s, "client was made to believe that channel binding is not offered");
	return 0;
}

static void put_nonce(struct buf *b, const char *nonce)
{
	uint8_t raw[NONCE_BYTES];

	if (nonce != NULL) {
		(void)buf_append_str(b, nonce);
		return;
	}
	rnd_secure(raw, sizeof(raw));
	b64_encode(b, raw, sizeof(raw));
}

int scram_server_first(struct scram_server *s, const void *msg, size_t n, const uint8_t *salt,
	size_t salt_len, uint32_t iterations, const char *nonce, struct buf *out)
{
	struct scram_client_first first;
	size_t at;

	CHECK(s->step == STEP_FIRST);
	if (scram_text_client_first(msg, n, &first, &s->error) < 0)
		return fail(s, s->error);
	if (check_flag(s, first.flag, &first.cbind) < 0)
		return -1;
	(void)buf_append(&s->text, first.bare.p, first.bare.n);
	(void)buf_append_u8(&s->text, ',');
	at = s->text.len;
	(void)buf_append_str(&s->text, "r=");
	s->nonce_at = s->text.len;
	(void)buf_append(&s->text, first.nonce.p, first.nonce.n);
	put_nonce(&s->text, nonce);
	s->nonce_len = s->text.len - s->nonce_at;
	(void)buf_append_str(&s->text, ",s=");
	b64_encode(&s->text, salt, salt_len);
	(void)buf_printf(&s->text, ",i=%u", iterations);
	if (s->text.bad || buf_append(out, s->text.data + at, s->text.len - at) < 0)
		return fail(s, "out of memory");
	s->step = STEP_FINAL;
	return 0;
}

/* c= must be the base64 of the gs2-header that came in client-first-message */
static bool is_channel_right(const struct scram_server *s, const struct scram_part *channel)
{
	struct buf raw, text;
	bool is_right;

	buf_init(&raw, 0);
	buf_init(&text, 0);
	if (s->is_plus) {
		(void)buf_append_str(&raw, "p=" SCRAM_BINDING_NAME ",,");
		(void)buf_append(&raw, s->binding.data, s->binding.len);
	} else {
		(void)buf_append_str(&raw, s->flag == 'y' ? "y,," : "n,,");
	}
	b64_encode(&text, raw.data, raw.len);
	is_right = !text.bad && secret_is_equal(text.data, text.len, channel->p, channel->n);
	buf_fini(&raw);
	buf_fini(&text);
	return is_right;
}

int scram_server_read_final(struct scram_server *s, const void *msg, size_t n)
{
	struct scram_client_final final;

	CHECK(s->step == STEP_FINAL);
	if (scram_text_client_final(msg, n, &final, &s->error) < 0)
		return fail(s, s->error);
	if (!is_channel_right(s, &final.channel))
		return fail(s, "unexpected SCRAM channel-binding attribute in client-final-message");
	if (!secret_is_equal(s->text.data + s->nonce_at, s->nonce_len, final.nonce.p, final.nonce.n))
		return fail(s, "invalid SCRAM response (nonce does not match)");
	(void)buf_append_u8(&s->text, ',');
	if (buf_append(&s->text, final.without_proof.p, final.without_proof.n) < 0 || s->text.bad)
		return fail(s, "out of memory");
	memcpy(s->proof, final.proof, sizeof(s->proof));
	s->step = STEP_VERIFY;
	return 0;
}

bool scram_server_fits(const struct scram_server *s, const uint8_t stored_key[CREDENTIAL_KEY_LEN])
{
	uint8_t client_key[CREDENTIAL_KEY_LEN];
	bool fits;

	CHECK(s->step == STEP_VERIFY);
	fits = scramkey_verify(stored_key, s->proof, s->text.data, s->text.len, client_key);
	secret_wipe(client_key, sizeof(client_key));
	return fits;
}

int scram_server_verify(struct scram_server *s, const uint8_t stored_key[CREDENTIAL_KEY_LEN],
	const uint8_t server_key[CREDENTIAL_KEY_LEN], uint8_t client_key[CREDENTIAL_KEY_LEN], struct buf *out)
{
	uint8_t signature[CREDENTIAL_KEY_LEN];

	CHECK(s->step == STEP_VERIFY);
	if (!scramkey_verify(stored_key, s->proof, s->text.data, s->text.len, client_key))
		return fail(s, "password authentication failed");
	scramkey_sign(server_key, s->text.data, s->text.len, signature);
	(void)buf_append_str(out, "v=");
	b64_encode(out, signature, sizeof(signature));
	s->step = STEP_OVER;
	return out->bad ? fail(s, "out of memory") : 0;
}

/*
 * serverauth.c - the login to a server as a table of (step, request).
 */
#include "auth/serverauth.h"

#include "auth/md5.h"
#include "auth/scram_client.h"
#include "auth/scramkey.h"
#include "base/cursor.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto/frontend.h"

#include "base/poison.h"

enum step {
	STEP_START,      /* nothing asked yet */
	STEP_ANSWERED,   /* a password was sent, the server judges */
	STEP_SASL_FIRST, /* client-first-message sent */
	STEP_DERIVING,   /* our keys are being computed */
	STEP_SASL_FINAL, /* the proof sent */
	STEP_VERIFIED,   /* the server proved itself */
	STEP_OVER,
};

struct serverauth {
	enum step step;
	unsigned may;
	const char *requirement, *withheld;
	enum serverauth_binding binding_mode;
	bool has_answered;
	char *user;
	struct credential credential;
	struct credential_keys keys; /* pass-through */
	struct scram_cache *cache;
	struct scram_client scram;
	struct scram_binding binding;
	const char *from;
	bool is_mismatch;
	char error[256], detail[384];
};

struct serverauth *serverauth_new(const struct serverauth_ask *ask)
{
	struct serverauth *a = mem_try_zalloc(sizeof(*a));

	if (a == NULL)
		return NULL;
	a->user = mem_try_strdup(ask->user);
	if (a->user == NULL) {
		mem_free(a);
		return NULL;
	}
	a->may = ask->may ? ask->may : SERVERAUTH_MAY_ALL;
	if (ask->credential != NULL)
		credential_copy(&a->credential, ask->credential);
	if (ask->keys != NULL)
		a->keys = *ask->keys;
	a->cache = ask->cache;
	a->requirement = ask->requirement;
	a->withheld = ask->withheld;
	a->binding_mode = ask->binding_mode;
	a->from = ask->from != NULL ? ask->from : "the configuration";
	if (a->binding_mode != SERVERAUTH_BINDING_DISABLE)
		a->binding = ask->binding;
	scram_client_init(&a->scram);
	return a;
}

void serverauth_free(struct serverauth *a)
{
	if (a == NULL)
		return;
	scram_client_fini(&a->scram);
	credential_fini(&a->credential);
	mem_free(a->user);
	secret_wipe(a, sizeof(*a));
	mem_free(a);
}

static enum serverauth_verdict fail(struct serverauth *a, const char *error)
{
	a->step = STEP_OVER;
	(void)str_copy(a->error, sizeof(a->error), error);
	return SERVERAUTH_FAILED;
}

static enum serverauth_verdict fail_code(struct serverauth *a, const char *what, uint32_t code)
{
	struct buf b;

	buf_init(&b, sizeof(a->error));
	(void)buf_printf(&b, "%s: %u", what, code);
	(void)fail(a, buf_text(&b));
	buf_fini(&b);
	return SERVERAUTH_FAILED;
}

/* libpq's sentence, where what is allowed was written down as its require_auth */
static enum serverauth_verdict fail_required(struct serverauth *a, const char *what)
{
	struct buf b;

	buf_init(&b, sizeof(a->error));
	if (a->requirement != NULL && a->requirement[0] != '\0')
		(void)buf_printf(&b, "authentication method requirement \"%.120s\" failed: ", a->requirement);
	(void)buf_printf(&b, "server %s", what);
	(void)fail(a, buf_text(&b));
	buf_fini(&b);
	return SERVERAUTH_FAILED;
}

static enum serverauth_verdict go_on(struct serverauth *a, enum step next, int rc)
{
	if (rc < 0)
		return fail(a, "out of memory");
	a->step = next;
	return SERVERAUTH_MORE;
}

static FX_PRINTF(2, 3) void explain(struct serverauth *a, const char *fmt, ...)
{
	struct buf b;
	va_list ap;

	buf_init(&b, sizeof(a->detail));
	va_start(ap, fmt);
	(void)buf_vprintf(&b, fmt, ap);
	va_end(ap);
	(void)str_copy(a->detail, sizeof(a->detail), buf_text(&b));
	buf_fini(&b);
}

/* Why a secret of this kind can't answer; PgBouncer's sentence where it has one. */
static enum serverauth_verdict fail_secret(struct serverauth *a, const char *asked)
{
	if (a->credential.kind == CREDENTIAL_NONE && !a->keys.is_set)
		return fail(a, "the server asks for a password, but none is known for this user");
	if (a->credential.kind == CREDENTIAL_MD5)
		explain(a, "the server asks for %s, but %.64s has only an md5 secret of user \"%.64s\": the password itself is needed",
			asked, a->from, a->user);
	else if (strcmp(asked, "SCRAM") == 0)
		explain(a, "%.64s has only a SCRAM secret of user \"%.64s\", and no client has logged in with it by SCRAM yet: "
			"its key is needed, or the password itself", a->from, a->user);
	else
		explain(a, "the server asks for %s, but %.64s has only a SCRAM secret of user \"%.64s\", which can answer SCRAM only",
			asked, a->from, a->user);
	return fail(a, "wrong password type");
}

/* A key that a client has shown is good for its own secret only: is that the server's?  false: no, and why. */
static bool is_same_secret(struct serverauth *a)
{
	const struct credential *c = &a->credential;

	if (c->kind != CREDENTIAL_SCRAM)
		return true;
	if (a->scram.iterations != c->iterations)
		explain(a, "the server has another secret of user \"%.64s\" than %.64s: iterations differ (%u there, %u here)", a->user,
			a->from, a->scram.iterations, c->iterations);
	else if (!secret_is_equal(a->scram.salt, a->scram.salt_len, c->salt, c->salt_len))
		explain(a, "the server has another secret of user \"%.64s\" than %.64s: the salt differs (a password was set anew on one "
			"side only)", a->user, a->from);
	else
		return true;
	a->is_mismatch = true;
	return false;
}

static enum serverauth_verdict on_ok(struct serverauth *a, struct cursor *c)
{
	if (cursor_left(c) > 0)
		return fail(a, "malformed AuthenticationOk from server");
	switch (a->step) {
	case STEP_START:
		if ((a->may & SERVERAUTH_MAY_TRUST) == 0)
			return fail_required(a, "asked for no proof of who we are");
		if (a->binding_mode == SERVERAUTH_BINDING_REQUIRE)
			return fail(a, "channel binding required, but server asked for no proof of who we are");
		break;
	case STEP_ANSWERED:
	case STEP_VERIFIED:
		break;
	default:
		return fail(a, "server accepted the login without proving that it knows the secret");
	}
	a->step = STEP_OVER;
	return SERVERAUTH_OK;
}

static enum serverauth_verdict on_cleartext(struct serverauth *a, struct cursor *c, struct buf *out)
{
	const struct secret *s = &a->credential.text;

	if (cursor_left(c) > 0)
		return fail(a, "malformed authentication request from server");
	if (a->credential.kind != CREDENTIAL_PLAIN)
		return fail_secret(a, "a cleartext password");
	a->has_answered = true;
	return go_on(a, STEP_ANSWERED, frontend_password(out, s->data, s->len));
}

static enum serverauth_verdict on_md5(struct serverauth *a, struct cursor *c, struct buf *out)
{
	const struct secret *s = &a->credential.text;
	char stored[MD5_TEXT_SIZE], answer[MD5_TEXT_SIZE];
	const uint8_t *salt = cursor_bytes(c, 4);
	int rc = 0;

	if (salt == NULL || cursor_left(c) > 0)
		return fail(a, "malformed md5 authentication request from server");
	if (a->credential.kind == CREDENTIAL_MD5)
		memcpy(stored, s->data, MD5_TEXT_SIZE);
	else if (a->credential.kind == CREDENTIAL_PLAIN)
		rc = md5_stored(s->data, s->len, a->user, stored);
	else
		return fail_secret(a, "md5");
	if (rc < 0 || md5_answer(stored, salt, answer) < 0)
		return fail(a, "MD5 is not available on this system");
	a->has_answered = true;
	rc = frontend_password(out, answer, CREDENTIAL_MD5_LEN);
	secret_wipe(stored, sizeof(stored));
	return go_on(a, STEP_ANSWERED, rc);
}

/* The list of mechanisms: strings, ended by an empty one, which is all of the rest. */
static bool has_mechanism(struct cursor *c, bool *is_listed, bool *has_plus)
{
	const char *name;

	*is_listed = *has_plus = false;
	while ((name = cursor_cstr(c)) != NULL && name[0] != '\0') {
		*is_listed |= strcmp(name, SCRAM_MECHANISM) == 0;
		*has_plus |= strcmp(name, SCRAM_MECHANISM_PLUS) == 0;
	}
	return name != NULL && cursor_left(c) == 0;
}

static enum serverauth_verdict on_sasl(struct serverauth *a, struct cursor *c, struct buf *out)
{
	struct buf text;
	bool is_listed, has_plus;
	int rc;

	if (!has_mechanism(c, &is_listed, &has_plus))
		return fail(a, "malformed AuthenticationSASL from server");
	has_plus = has_plus && a->binding.len > 0;
	if (a->binding_mode == SERVERAUTH_BINDING_REQUIRE && !has_plus)
		return fail(a, a->binding.len == 0 ? "channel binding required, but the connection has no TLS that it could be bound to"
						   : "channel binding required, but server does not offer it");
	if (!is_listed && !has_plus)
		return fail(a, "none of the server's SASL authentication mechanisms are supported");
	if (a->credential.kind != CREDENTIAL_PLAIN && !a->keys.is_set)
		return fail_secret(a, "SCRAM");
	buf_init(&text, 0);
	scram_client_bind(&a->scram, &a->binding, has_plus);
	rc = scram_client_first(&a->scram, "", NULL, &text);
	if (rc == 0)
		rc = frontend_sasl_initial(out, has_plus ? SCRAM_MECHANISM_PLUS : SCRAM_MECHANISM, text.data, text.len);
	buf_fini(&text);
	return go_on(a, STEP_SASL_FIRST, rc);
}

static enum serverauth_verdict prove(struct serverauth *a, struct buf *out)
{
	struct scram_client *scram = &a->scram;
	const struct secret *s = &a->credential.text;
	struct credential_keys keys = a->keys;
	struct buf text;
	int rc = 0;

	if (a->credential.kind == CREDENTIAL_PLAIN)
		rc = scram_cache_derive(a->cache, a->user, s->data, s->len, scram->salt, scram->salt_len,
			scram->iterations, &keys);
	if (rc < 0 && scram_cache_wants(a->cache)) {
		a->step = STEP_DERIVING;
		return SERVERAUTH_DERIVE;
	}
	if (rc < 0)
		return fail(a, "SCRAM keys could not be derived");
	buf_init(&text, 0);
	rc = scram_client_final(scram, &keys, &text);
	if (rc == 0)
		rc = frontend_sasl_response(out, text.data, text.len);
	buf_wipe(&text);
	credential_keys_wipe(&keys);
	a->has_answered = true;
	return go_on(a, STEP_SASL_FINAL, rc);
}

static enum serverauth_verdict on_sasl_continue(struct serverauth *a, struct cursor *c, struct buf *out)
{
	if (scram_client_read_first(&a->scram, c->p, cursor_left(c)) < 0)
		return fail(a, a->scram.error);
	if (!is_same_secret(a))
		return fail(a, "password authentication failed: the server has another secret for this user");
	return prove(a, out);
}

enum serverauth_verdict serverauth_derived(struct serverauth *a, struct buf *out)
{
	CHECK(a->step == STEP_DERIVING);
	return prove(a, out);
}

static enum serverauth_verdict on_sasl_final(struct serverauth *a, struct cursor *c)
{
	if (scram_client_verify(&a->scram, c->p, cursor_left(c)) < 0)
		return fail(a, a->scram.error);
	a->step = STEP_VERIFIED;
	return SERVERAUTH_MORE;
}

/* Is the request one that we follow at all?  SERVERAUTH_FAILED: no. */
static enum serverauth_verdict permit(struct serverauth *a, uint32_t code)
{
	static const struct {
		uint32_t code;
		unsigned may;
		const char *what;
	} requests[] = {
		{AUTH_CLEARTEXT, SERVERAUTH_MAY_CLEARTEXT, "requested a cleartext password"},
		{AUTH_MD5, SERVERAUTH_MAY_MD5, "requested a password hashed with md5"},
		{AUTH_SASL, SERVERAUTH_MAY_SCRAM, "requested SASL authentication"},
	};
	const char *what = "";

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		if (requests[i].code != code)
			continue;
		if ((a->may & requests[i].may) == 0)
			return fail_required(a, requests[i].what);
		what = requests[i].what;
	}
	if (code == AUTH_SASL)
		return SERVERAUTH_MORE;
	if (a->binding_mode == SERVERAUTH_BINDING_REQUIRE)
		return fail(a, "channel binding required, but server requested a password");
	if (a->withheld != NULL) {
		struct buf b;

		buf_init(&b, sizeof(a->error));
		(void)buf_printf(&b, "server %s, which is not sent: %s", what, a->withheld);
		(void)fail(a, buf_text(&b));
		buf_fini(&b);
		return SERVERAUTH_FAILED;
	}
	return SERVERAUTH_MORE;
}

enum serverauth_verdict serverauth_input(struct serverauth *a, const void *body, size_t n, struct buf *out)
{
	struct cursor c = cursor_over(body, n);
	uint32_t code = cursor_u32(&c);

	if (a->step == STEP_OVER)
		return fail(a, "authentication message from server out of order");
	if (c.bad || n > SERVERAUTH_MESSAGE_MAX)
		return fail(a, "malformed authentication message from server");
	switch (code) {
	case AUTH_OK:
		return on_ok(a, &c);
	case AUTH_SASL_CONTINUE:
		if (a->step != STEP_SASL_FIRST)
			return fail(a, "protocol error: AuthenticationSASLContinue out of order");
		return on_sasl_continue(a, &c, out);
	case AUTH_SASL_FINAL:
		if (a->step != STEP_SASL_FINAL)
			return fail(a, "protocol error: AuthenticationSASLFinal out of order");
		return on_sasl_final(a, &c);
	case AUTH_CLEARTEXT:
	case AUTH_MD5:
	case AUTH_SASL:
		break;
	default:
		return fail_code(a, "unknown/unsupported auth method", code);
	}
	if (a->step != STEP_START)
		return fail_code(a, "protocol error: second authentication request from server", code);
	if (permit(a, code) == SERVERAUTH_FAILED)
		return SERVERAUTH_FAILED;
	if (code == AUTH_SASL)
		return on_sasl(a, &c, out);
	return code == AUTH_MD5 ? on_md5(a, &c, out) : on_cleartext(a, &c, out);
}

const char *serverauth_error(const struct serverauth *a)
{
	return a->error;
}

bool serverauth_has_answered(const struct serverauth *a)
{
	return a->has_answered;
}

bool serverauth_is_mismatch(const struct serverauth *a)
{
	return a->is_mismatch;
}

const char *serverauth_detail(struct serverauth *a)
{
	if (a->detail[0] != '\0' || !a->has_answered)
		return a->detail;
	if (a->credential.kind == CREDENTIAL_SCRAM)
		explain(a, "the server has another secret of user \"%.64s\" than %.64s: salt and iterations are the same, the StoredKey is not",
			a->user, a->from);
	else if (a->credential.kind == CREDENTIAL_NONE)
		explain(a, "the server has another secret of user \"%.64s\" than the one the client has proved", a->user);
	else
		explain(a, "the server does not take the password of user \"%.64s\" that %.64s has", a->user, a->from);
	return a->detail;
}

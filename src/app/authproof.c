/*
 * authproof.c - auth-test: what is known of the user, and whether the password that was typed would be taken.
 *
 * The judge is the one that judges clients, its client is the one that logs in to servers.
 */
#include "app/authtest.h"

#include "auth/rotation.h"
#include "auth/serverauth.h"
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define AUTHPROOF_HEADER 5 /* type and length in front of a message's body */

/* "a SCRAM secret (4096 iterations)" */
static void authproof_describe(const struct credential *c, char *out, size_t size)
{
	switch (c->kind) {
	case CREDENTIAL_NONE:
		snprintf(out, size, "no password");
		break;
	case CREDENTIAL_PLAIN:
		snprintf(out, size, "a password");
		break;
	case CREDENTIAL_MD5:
		snprintf(out, size, "an md5 secret");
		break;
	case CREDENTIAL_SCRAM:
		snprintf(out, size, "a SCRAM secret (%u iterations)", c->iterations);
		break;
	}
}

static void authproof_tell_known(const struct authtest *t, const struct conf_secret *known, const struct credential pair[2])
{
	char first[64], second[64];

	if (known == NULL) {
		authtest_say("--", "auth_file (%s) does not have the user",
			     t->conf->set.auth_file != NULL ? t->conf->set.auth_file : "none");
		return;
	}
	authproof_describe(&pair[0], first, sizeof(first));
	authproof_describe(&pair[1], second, sizeof(second));
	authtest_say("--", "auth_file has %s%s%s of the user", first, pair[1].kind != CREDENTIAL_NONE ? " and " : "",
		     pair[1].kind != CREDENTIAL_NONE ? second : "");
}

/* One message of the judge's to the client, and its answer back. */
static enum clientauth_verdict authproof_step(struct clientauth *judge, struct serverauth *client, struct buf *down, const char **why)
{
	enum clientauth_verdict verdict = CLIENTAUTH_FAILED;
	struct buf up;

	*why = NULL;
	buf_init(&up, 0);
	if (down->len < AUTHPROOF_HEADER ||
	    serverauth_input(client, down->data + AUTHPROOF_HEADER, down->len - AUTHPROOF_HEADER, &up) == SERVERAUTH_FAILED)
		*why = serverauth_error(client);
	buf_reset(down);
	if (*why == NULL && up.len > AUTHPROOF_HEADER)
		verdict = clientauth_input(judge, up.data + AUTHPROOF_HEADER, up.len - AUTHPROOF_HEADER, down);
	buf_wipe(&up);
	return verdict;
}

static bool authproof_talk(struct authtest *t, struct clientauth *judge, struct serverauth *client)
{
	enum clientauth_verdict verdict;
	const char *why = NULL;
	struct buf down;

	buf_init(&down, 0);
	verdict = clientauth_start(judge, &down);
	while (verdict == CLIENTAUTH_MORE)
		verdict = authproof_step(judge, client, &down, &why);
	buf_wipe(&down);
	if (verdict == CLIENTAUTH_OK) {
		authtest_say("ok", "the client's proof is taken (%s)", clientauth_method_name(judge));
		if (!clientauth_learnt(judge, &t->keys))
			t->keys.is_set = false;
		return true;
	}
	if (why == NULL)
		why = clientauth_detail(judge) != NULL ? clientauth_detail(judge) : clientauth_error(judge);
	authtest_say("no", "the client is refused: %s", why);
	return false;
}

static bool authproof_typed(struct authtest *t, const struct conf_secret *known, const struct credential pair[2])
{
	struct credential typed = {.kind = CREDENTIAL_PLAIN};
	struct clientauth_ask ask = {
		.method = t->method,
		.user = t->args->auth.user,
		.credential = known != NULL ? &pair[0] : NULL,
		.second = known != NULL ? &pair[1] : NULL,
		.cache = &t->cache,
		.scram_iterations = (uint32_t)t->conf->set.scram_iterations,
	};
	struct clientauth *judge = clientauth_new(&ask);
	struct serverauth *client;
	bool is_right;

	if (t->password.data != NULL)
		secret_set(&typed.text, t->password.data, t->password.len);
	client = serverauth_new(
		&(struct serverauth_ask){.user = t->args->auth.user, .credential = &typed, .cache = &t->cache, .from = "what was typed"});
	is_right = judge != NULL && client != NULL && authproof_talk(t, judge, client);
	clientauth_free(judge);
	serverauth_free(client);
	credential_fini(&typed);
	return is_right;
}

static bool authproof_is_looked_up(const struct authtest *t)
{
	struct conf_lookup lookup;

	return conf_find_lookup(t->conf, t->args->auth.database, &lookup);
}

bool authproof_check(struct authtest *t)
{
	const struct conf_secret *known = conf_find_secret(t->conf, t->args->auth.user);
	struct credential pair[2];
	const char *error = "";
	bool is_right;

	if (rotation_read(known, pair, &error) < 0) {
		authtest_say("no", "what auth_file has of the user cannot be used: %s", error);
		return false;
	}
	authproof_tell_known(t, known, pair);
	if (known == NULL && t->needs_password && !t->is_outside && authproof_is_looked_up(t)) {
		authtest_say("--", "auth_query would be asked for the user's secret, which auth-test does not do: the password is taken as right");
		t->is_outside = true;
		is_right = t->password.data != NULL;
	} else if (t->is_outside) {
		authtest_say("--", "the password is judged elsewhere (PAM, a directory), which auth-test does not ask: it is taken as right");
		is_right = t->password.data != NULL;
	} else if (t->needs_password && t->password.data == NULL) {
		authtest_say("no", "a password is asked for, and none was given");
		is_right = false;
	} else {
		is_right = authproof_typed(t, known, pair);
	}
	rotation_fini(pair);
	return is_right;
}

/*
 * useranswer.h - what a server has said about a user: its secret, or the roles it belongs to.
 *
 * Immutable and counted: any thread that has a reference.  The last one wipes it.
 */
#ifndef AUTH_USERANSWER_H
#define AUTH_USERANSWER_H

#include "auth/credential.h"

enum useranswer_kind { USERANSWER_SECRET, USERANSWER_ROLES };

struct useranswer {
	_Atomic unsigned refs;
	enum useranswer_kind kind;
	bool is_found;		      /* SECRET: there is such a user */
	struct credential credential; /* SECRET */
	char *names;		      /* ROLES: one after another, each with its NUL */
	size_t names_len;
	unsigned roles;
};

/* There is no such user. */
struct useranswer *useranswer_none(void);
/* text is copied; n 0: the user has no secret.  *error (may be NULL): a sentence when the secret cannot be used. */
struct useranswer *useranswer_secret(const void *text, size_t n, const char **error);
/* Copies names (len bytes, as above). */
struct useranswer *useranswer_names(const char *names, size_t len);
struct useranswer *useranswer_ref(struct useranswer *a);
void useranswer_unref(struct useranswer *a); /* NULL is fine */
/* Would it decide a login in the same way? */
bool useranswer_is_equal(const struct useranswer *a, const struct useranswer *b);
bool useranswer_has_role(const struct useranswer *a, const char *role);
/* "scram-sha-256", "md5", "plain", "none", "no such user", "roles" */
const char *useranswer_word(const struct useranswer *a);

#endif

/*
 * ldapopts_impl.h - what ldapopts.c (options), ldapurl.c (ldapurl) and ldaptext.c (auth_ldap_options) share.
 */
#ifndef CONF_LDAPOPTS_IMPL_H
#define CONF_LDAPOPTS_IMPL_H

#include "conf/ldapopts.h"

enum ldapopts_text {
	LDAPOPTS_SERVER,
	LDAPOPTS_PORT,
	LDAPOPTS_SCHEME,
	LDAPOPTS_TLS,
	LDAPOPTS_PREFIX,
	LDAPOPTS_SUFFIX,
	LDAPOPTS_BASEDN,
	LDAPOPTS_BINDDN,
	LDAPOPTS_BINDPASSWD,
	LDAPOPTS_ATTRIBUTE,
	LDAPOPTS_FILTER,
	LDAPOPTS_URL,
	LDAPOPTS_TEXTS,
};

struct ldapopts_draft {
	char *text[LDAPOPTS_TEXTS]; /* NULL: not said */
	enum ldapopts_scope scope;
};

/* Gives -1. */
int ldapopts_bad(char error[LDAPOPTS_ERROR_MAX], const char *fmt, ...) FX_PRINTF(2, 3);
/* Takes the text, which is not said yet; else -1 with a sentence. */
int ldapopts_put(struct ldapopts_draft *d, enum ldapopts_text which, char *text, char error[LDAPOPTS_ERROR_MAX]) FX_MUST_USE;
/* ldap[s]://host[:port]/basedn[?[attribute][?[scope][?[filter]]]] becomes the texts that it stands for. */
int ldapurl_read(struct ldapopts_draft *d, const char *url, char error[LDAPOPTS_ERROR_MAX]) FX_MUST_USE;
void ldapopts_wipe_text(char *text); /* takes; NULL is fine */

#endif

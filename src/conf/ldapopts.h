/*
 * ldapopts.h - where a directory is and how it judges a user: the options of the method ldap.
 *
 * The same in a line of auth_hba_file and in auth_ldap_options; names and meanings are
 * PostgreSQL's (pg_hba.conf), what is ambiguous there is an error here.  Control thread
 * makes them; immutable afterwards, any thread reads.  Wiped when freed.
 */
#ifndef CONF_LDAPOPTS_H
#define CONF_LDAPOPTS_H

#include "base/check.h"
#include "base/secret.h"

#define LDAPOPTS_SERVERS   16
#define LDAPOPTS_ERROR_MAX 256
#define LDAPOPTS_USERNAME  "$username" /* stands in filter for the user's name */

enum ldapopts_scope { LDAPOPTS_BASE, LDAPOPTS_ONE, LDAPOPTS_SUB };

struct ldapopts {
	char *uri[LDAPOPTS_SERVERS]; /* to be tried in this order */
	unsigned uris;
	bool starts_tls; /* StartTLS; ldaps is in the uri */
	/* Simple bind (basedn NULL): the user is prefix name suffix. */
	char *prefix, *suffix; /* never NULL */
	bool is_dn;	       /* that makes a DN, so the name is to be escaped */
	/* Search, then bind as what was found. */
	char *basedn, *filter;
	char *binddn; /* NULL: nobody */
	struct secret bindpasswd;
	enum ldapopts_scope scope;
};

/* What is being read: texts by option. */
struct ldapopts_draft;

struct ldapopts_draft *ldapopts_begin(void);
/* -1 with a sentence: no such option, there twice, or no such value.  Borrows. */
int ldapopts_set(struct ldapopts_draft *d, const char *name, const char *value, char error[LDAPOPTS_ERROR_MAX]) FX_MUST_USE;
void ldapopts_drop(struct ldapopts_draft *d); /* takes; nothing comes of it */
/* Takes d.  NULL with a sentence: they cannot be meant together, or something is missing. */
struct ldapopts *ldapopts_end(struct ldapopts_draft *d, char error[LDAPOPTS_ERROR_MAX]) FX_MUST_USE;
/* auth_ldap_options: name=value with blanks or commas between them; names and values may stand in "double quotes", which,
 * doubled, stand for themselves. */
struct ldapopts *ldaptext_parse(const char *text, char error[LDAPOPTS_ERROR_MAX]) FX_MUST_USE;
void ldapopts_free(struct ldapopts *o); /* NULL is fine */

#endif

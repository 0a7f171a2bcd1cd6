/*
 * ldaplink.h - asks a directory whether a password is right.
 *
 * For helper threads (errand.h) only: it waits, though not longer than its limit.  The
 * only place that names OpenLDAP; without it the answer is always LDAPLINK_UNKNOWN.
 * Certificates of servers are always verified (with StartTLS and ldaps), referrals are
 * never followed.  Names have been escaped by whoever asks.
 */
#ifndef NET_LDAPLINK_H
#define NET_LDAPLINK_H

#include "base/secret.h"

#define LDAPLINK_WHY_MAX 400

enum ldaplink_scope { LDAPLINK_BASE, LDAPLINK_ONE, LDAPLINK_SUB };

enum ldaplink_answer {
	LDAPLINK_RIGHT,
	LDAPLINK_WRONG,	  /* the password, or there is no such user, or more than one */
	LDAPLINK_UNKNOWN, /* no server could say */
};

/* Borrowed until return. */
struct ldaplink_ask {
	char *const *uri; /* tried in this order until one can say */
	unsigned uris;
	bool starts_tls;
	const char *ca_file; /* NULL: what OpenLDAP's own configuration says */
	const char *dn;	     /* to bind as; NULL: what the search finds */
	const char *basedn, *filter;
	enum ldaplink_scope scope;
	const char *binddn; /* to search as; NULL: nobody */
	const struct secret *bindpasswd;
	const struct secret *password; /* never empty: that would be a bind as nobody, which succeeds */
	uint64_t until;		       /* monotonic microseconds */
};

/* Control thread, once, before any ldaplink_check. */
void ldaplink_begin(void);
/* why (LDAPLINK_WHY_MAX): a line for the log unless the password is right; never a password */
enum ldaplink_answer ldaplink_check(const struct ldaplink_ask *ask, char *why) FX_MUST_USE;

#endif

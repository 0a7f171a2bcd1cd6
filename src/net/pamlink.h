/*
 * pamlink.h - asks PAM whether a password is right and the account may be used.
 *
 * For helper threads (errand.h) only: it waits as long as the modules like, nothing can
 * end that.  The only place that names libpam; without it the answer is always no.
 */
#ifndef NET_PAMLINK_H
#define NET_PAMLINK_H

#include "base/secret.h"
#include "net/addr.h"

#define PAMLINK_WHY_MAX 256

/* Borrowed until return. */
struct pamlink_ask {
	const char *service, *user;
	const char *dir; /* of the services; NULL: the system's */
	const struct secret *password;
	const struct addr *peer; /* PAM_RHOST */
	bool use_hostname;	 /* ... as a name, where the system finds one */
};

/* why (PAMLINK_WHY_MAX): a line for the log when it is not right; never a password */
bool pamlink_check(const struct pamlink_ask *ask, char *why) FX_MUST_USE;

#endif

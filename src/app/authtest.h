/*
 * authtest.h - "fynixpool auth-test": follows one user from the rules of access to the login at the server, and explains.
 *
 * The main thread, instead of process.h; prints to stdout.  Uses the same code as the pooler does,
 * with the configuration as it is; nothing listens, and nobody is disturbed.
 */
#ifndef APP_AUTHTEST_H
#define APP_AUTHTEST_H

#include "app/args.h"
#include "auth/clientauth.h"
#include "base/secret.h"
#include "conf/conf.h"

struct authtest {
	const struct args *args;
	const struct conf *conf;
	const struct conf_database *db; /* NULL: the console, or none */
	enum clientauth_method method;
	bool is_outside;	/* PAM or a directory would judge the password */
	bool needs_password;
	struct secret password; /* typed; data NULL: none */
	struct scram_cache cache;
	struct credential_keys keys; /* what the client's proof has shown */
};

/* The exit status: 0, this user gets through; 1, not, or it could not be told. */
int authtest_run(const struct args *args, const struct conf *conf) FX_MUST_USE;

/* For the other files of this command: one line, "ok", "no" or "--" in front. */
void authtest_say(const char *mark, const char *fmt, ...) FX_PRINTF(2, 3);
/* authproof.c: would the client's proof be taken? */
bool authproof_check(struct authtest *t) FX_MUST_USE;
/* authserver.c: is the server's login successful? */
bool authserver_check(struct authtest *t) FX_MUST_USE;

#endif

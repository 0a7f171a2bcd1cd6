/*
 * witness.h - somebody outside says whether a client's password is right: PAM, or a directory (LDAP).
 *
 * The client's worker.  The asking is done by helper threads (hub->witnesses), since it
 * may wait for long; who gets no answer in time is refused.  What is needed of the
 * configuration is held from the choice of the rule on: a RELOAD changes nothing for a
 * login that is under way.
 */
#ifndef SESSION_WITNESS_H
#define SESSION_WITNESS_H

#include "base/check.h"

struct client;
struct login;
struct hba_rule;

#define WITNESS_THREADS	    16	  /* so many are asked at a time */
#define WITNESS_WAITING	    1024  /* so many more wait; another one is refused */
#define WITNESS_LIMIT_US    UINT64_C(20000000) /* for one login, if client_login_timeout is not shorter */
#define WITNESS_PATIENCE_US UINT64_C(30000000) /* a helper that takes longer gets a successor */

/* Before the password is there.  rule NULL: auth_type is pam or ldap.  -1: no memory. */
int witness_choose(struct client *c, const struct hba_rule *rule) FX_MUST_USE;
/* clientauth has the password.  the verdict comes, unless witness_forget does; the client is paused meanwhile. */
void witness_ask(struct client *c);
/* The password that was found right logs in to the servers of the client's pool, where no secret is stored for them. */
void witness_teach(struct client *c);
/* The login goes away; harmless without a witness. */
void witness_forget(struct login *l);

#endif

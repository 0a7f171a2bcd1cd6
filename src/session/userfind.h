/*
 * userfind.h - who a client's user is, when auth_file does not say: asked of a server, once for all who want to know.
 *
 * The client's worker, state AUTH.  What is known is kept for auth_query_ttl by the process
 * (usercache.h).  A login that waits is paused; admit_again comes when the answer is there.
 */
#ifndef SESSION_USERFIND_H
#define SESSION_USERFIND_H

#include "auth/identmatch.h"
#include "session/client.h"
#include "session/gate.h"

struct userfind;

/* Users who are not in auth_file are looked up for this client. */
bool userfind_applies(const struct client *c);
/* It has been asked and answered, for this login. */
bool userfind_is_over(const struct client *c);
/* GATE_PROOF: it is over.  REFUSED: see out. */
enum gate_answer userfind_ask(struct client *c, struct gate *out) FX_MUST_USE;
/* NULL: there is no such user, or nobody was looked up.  Lent. */
const struct credential *userfind_secret(const struct client *c);

/* GATE_PROOF: userfind_is_member knows as much as it ever will, for this login. */
enum gate_answer userfind_ask_roles(struct client *c) FX_MUST_USE;
/* For struct identmatch_roles; arg is the client. */
enum identmatch_answer userfind_is_member(void *arg, const char *role);

/* A login by a remembered secret has failed with this message: the server is asked once more, at most once a second for a
 * user.  true: admit_once_more comes, or the failure. */
bool userfind_recheck(struct client *c, const void *body, size_t n) FX_MUST_USE;
/* The login goes away.  Harmless when nothing was looked up. */
void userfind_fini(struct login *l);

#endif

/*
 * rejudge.h - a login that has failed, judged once more by a secret that is newer.
 *
 * The client's worker, as clientauth.h.  Only what a client has sent of a password can be judged by
 * another secret than the one it was asked for; a proof of SCRAM is bound to its salt.
 */
#ifndef AUTH_REJUDGE_H
#define AUTH_REJUDGE_H

#include "auth/clientauth.h"

/* After CLIENTAUTH_FAILED: a password, or a hash of one, did not fit. */
bool rejudge_may(const struct clientauth *a);
/* ... and the same message may be given to clientauth_input once more (credential NULL: no such user; copied).  false: by
 * that secret it cannot be judged. */
bool rejudge_by(struct clientauth *a, const struct credential *credential);

#endif

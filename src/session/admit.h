/*
 * admit.h - may this client in, and where to: proof, roles, limits, welcome.
 *
 * The client's worker.  The identity is made here, after the proof, and nowhere
 * else; what exists and what does not is told only afterwards.
 */
#ifndef SESSION_ADMIT_H
#define SESSION_ADMIT_H

#include "auth/clientauth.h"
#include "session/client.h"

void admit_begin(struct client *c);			      /* the startup packet is accepted: state AUTH */
void admit_again(struct client *c);			      /* what gate.c has asked for is known */
void admit_proof(struct client *c, const void *body, size_t n); /* one 'p' message */
void admit_verdict(struct client *c, enum clientauth_verdict verdict, struct buf *out); /* takes out's bytes */
void admit_once_more(struct client *c, const void *body, size_t n); /* userfind.c: the same by what is known now */
void admit_refuse(struct client *c, bool malformed);	      /* a 'p' message beyond its bounds */

#endif

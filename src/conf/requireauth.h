/*
 * requireauth.h - libpq's require_auth: which proofs a server may ask of us.
 *
 * Any thread, no state.  A list of password, md5, gss, sspi, scram-sha-256 and none,
 * with commas between them; or of the same words each with ! in front, which takes
 * them from everything there is.  The two kinds do not mix and no word comes twice.
 */
#ifndef CONF_REQUIREAUTH_H
#define CONF_REQUIREAUTH_H

#include "base/check.h"

#define REQUIREAUTH_NONE     1u /* the server asks for nothing */
#define REQUIREAUTH_PASSWORD 2u
#define REQUIREAUTH_MD5      4u
#define REQUIREAUTH_SCRAM    8u
#define REQUIREAUTH_GSS      16u
#define REQUIREAUTH_SSPI     32u
#define REQUIREAUTH_ALL      63u
/* Those that we can do. */
#define REQUIREAUTH_OURS (REQUIREAUTH_NONE | REQUIREAUTH_PASSWORD | REQUIREAUTH_MD5 | REQUIREAUTH_SCRAM)

#define REQUIREAUTH_ERROR_MAX 160

/* "" permits everything.  -1: error has the sentence. */
int requireauth_parse(const char *text, unsigned *may, char error[REQUIREAUTH_ERROR_MAX]) FX_MUST_USE;

#endif

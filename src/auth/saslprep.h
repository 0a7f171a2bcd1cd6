/*
 * saslprep.h - a password in the form in which SCRAM derives keys from it: SASLprep, RFC 4013.
 *
 * Called by scramkey_derive only: md5 and passwords in the clear are never prepared.  Does
 * what PostgreSQL and libpq do, so that all sides have the same keys: a password that is not
 * UTF-8, or that holds what is prohibited or not assigned (in Unicode 3.2), or letters of both
 * directions, is taken as the bytes it is.  Any thread, no state.  Without libidn every
 * password is.
 */
#ifndef AUTH_SASLPREP_H
#define AUTH_SASLPREP_H

#include "base/secret.h"

/* Bytes; a longer password is taken as it is.  The library's time grows with the square of this: a
 * millisecond at the very most. */
#define SASLPREP_MAX 1024

/* true: *out (empty before; the caller's to drop) is what to take instead of the n bytes.  false: take them as they are. */
bool saslprep_prepare(const void *password, size_t n, struct secret *out) FX_MUST_USE;

#endif

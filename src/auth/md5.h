/*
 * md5.h - PostgreSQL's md5 passwords.
 *
 * "Password Authentication": stored is "md5" and md5(password user) in hex; the answer to
 * a challenge is "md5" and md5(hex part, salt) in hex.  Any thread, no state.
 */
#ifndef AUTH_MD5_H
#define AUTH_MD5_H

#include "auth/credential.h"

#define MD5_TEXT_SIZE (CREDENTIAL_MD5_LEN + 1)

/* The stored form.  -1: the library has no MD5 (a FIPS system). */
int md5_stored(const void *password, size_t n, const char *user, char out[MD5_TEXT_SIZE]) FX_MUST_USE;
/* The answer to a challenge, from the stored form. */
int md5_answer(const char stored[MD5_TEXT_SIZE], const uint8_t salt[4], char out[MD5_TEXT_SIZE]) FX_MUST_USE;

#endif

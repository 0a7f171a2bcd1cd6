/*
 * md5.c - PostgreSQL's md5 passwords on OpenSSL.
 */
#include "auth/md5.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/poison.h"

/* "md5" and the hex digest of a and b, one after the other */
static int digest(const void *a, size_t a_len, const void *b, size_t b_len, char out[MD5_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1 &&
		 EVP_DigestUpdate(ctx, a, a_len) == 1 && EVP_DigestUpdate(ctx, b, b_len) == 1 &&
		 EVP_DigestFinal_ex(ctx, raw, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	if (!ok)
		return -1;
	memcpy(out, "md5", 3);
	for (size_t i = 0; i < 16; i++) {
		out[3 + 2 * i] = digits[raw[i] >> 4];
		out[4 + 2 * i] = digits[raw[i] & 15];
	}
	out[CREDENTIAL_MD5_LEN] = '\0';
	secret_wipe(raw, sizeof(raw));
	return 0;
}

int md5_stored(const void *password, size_t n, const char *user, char out[MD5_TEXT_SIZE])
{
	return digest(password, n, user, strlen(user), out);
}

int md5_answer(const char stored[MD5_TEXT_SIZE], const uint8_t salt[4], char out[MD5_TEXT_SIZE])
{
	return digest(stored + 3, CREDENTIAL_MD5_LEN - 3, salt, 4, out);
}

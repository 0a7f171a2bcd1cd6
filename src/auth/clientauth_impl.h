/*
 * clientauth_impl.h - a client's login, for clientauth.c and rejudge.c.
 */
#ifndef AUTH_CLIENTAUTH_IMPL_H
#define AUTH_CLIENTAUTH_IMPL_H

#include "auth/clientauth.h"
#include "auth/scram_server.h"

enum step { STEP_START, STEP_PLAIN, STEP_MD5, STEP_SASL_FIRST, STEP_SASL_FINAL, STEP_ELSEWHERE, STEP_OVER, STEP_COUNT };

struct clientauth {
	enum step step;
	enum clientauth_method method; /* asked for, then what is really used */
	bool is_known, is_doomed, looks_twice, mock_scram;
	bool has_succeeded;
	bool has_final; /* SASL: the proof has been read */
	char *user;
	struct credential credential, second;
	struct scram_cache *cache;
	uint32_t iterations; /* for salts of ours */
	uint8_t md5_salt[4];
	struct scram_server scram;
	struct scram_binding binding;
	struct credential_keys learnt;
	struct secret given; /* OUTSIDE */
	const char *error, *sqlstate, *detail;
};

#endif

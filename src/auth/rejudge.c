/*
 * rejudge.c - a login that has failed, judged once more.
 */
#include "auth/rejudge.h"

#include "auth/clientauth_impl.h"

#include <string.h>

#include "base/poison.h"

bool rejudge_may(const struct clientauth *a)
{
	bool is_judged = a->step == STEP_OVER && !a->has_succeeded && strcmp(a->sqlstate, "28P01") == 0;

	return is_judged && (a->method == CLIENTAUTH_PLAIN || a->method == CLIENTAUTH_MD5);
}

bool rejudge_by(struct clientauth *a, const struct credential *credential)
{
	if (!rejudge_may(a) ||
		(a->method == CLIENTAUTH_MD5 && credential != NULL && credential->kind == CREDENTIAL_SCRAM))
		return false;
	credential_fini(&a->credential);
	credential_fini(&a->second);
	a->is_known = credential != NULL;
	if (a->is_known)
		credential_copy(&a->credential, credential);
	a->is_doomed = a->credential.kind == CREDENTIAL_NONE;
	a->step = a->method == CLIENTAUTH_PLAIN ? STEP_PLAIN : STEP_MD5;
	return true;
}

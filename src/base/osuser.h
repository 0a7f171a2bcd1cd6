/*
 * osuser.h - names of the operating system's users.
 *
 * Any thread.  Asks the system's name service, which reads files as a rule but may
 * wait for a directory server: keep the answer.
 */
#ifndef BASE_OSUSER_H
#define BASE_OSUSER_H

#include "base/check.h"

#include <sys/types.h>

#define OSUSER_MAX 256

/* false: there is no such user, or its name is longer than OSUSER_MAX - 1. */
bool osuser_name(uid_t uid, char out[OSUSER_MAX]) FX_MUST_USE;

#endif

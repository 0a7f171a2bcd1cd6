/*
 * ldapname.h - the name of a user inside the names and filters of a directory.
 *
 * What has a meaning there is escaped (RFC 4514, RFC 4515), so that a name is never
 * more than a name.  Bytes in, bytes out; any thread.
 */
#ifndef AUTH_LDAPNAME_H
#define AUTH_LDAPNAME_H

#include "base/buf.h"

/* Appends the value of an attribute, the same in a distinguished name and in a filter: whatever is not harmless as \xx. */
void ldapname_escape(struct buf *out, const char *name);

struct ldapopts;

/* What to bind as (simple bind), or what to search for.  Gives (mem_free); NULL: no memory. */
char *ldapname_make(const struct ldapopts *o, const char *user) FX_MUST_USE;

#endif

/*
 * hbamatch.h - the first rule of auth_hba_file that fits a connection.
 *
 * Any thread; no lock, no allocation, bounded time.  As PostgreSQL's pg_hba.conf:
 * the first line whose type, database, user and address fit decides, whatever comes
 * behind it.
 */
#ifndef AUTH_HBAMATCH_H
#define AUTH_HBAMATCH_H

#include "auth/identmatch.h"
#include "conf/hba.h"
#include "net/addr.h"
#include "net/ifaces.h"

struct hbamatch_ask {
	const char *user, *database; /* as sent in the startup packet */
	const struct addr *peer;     /* ADDR_UNIX: local; mapped IPv4 counts as IPv4 */
	bool is_tls;
	bool is_physical_replication;
	const struct ifaces *ifaces;	      /* ours; needed when hba->needs_interfaces */
	const struct identmatch_roles *roles; /* NULL: not known; needed when hba->needs_roles */
};

enum hbamatch_result {
	HBAMATCH_NONE,	    /* no rule fits: refuse */
	HBAMATCH_RULE,	    /* *rule decides */
	HBAMATCH_UNDECIDED, /* whether *rule fits cannot be told (roles not known, a name too long): refuse */
};

enum hbamatch_result hbamatch_find(const struct hba *hba, const struct hbamatch_ask *ask, const struct hba_rule **rule)
	FX_MUST_USE;

#endif

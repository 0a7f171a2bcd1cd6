/*
 * hba.h - auth_hba_file: who may come from where to which database, and by which proof.
 *
 * Control thread reads; immutable afterwards, any thread looks (auth/hbamatch.h).
 * Shared by snapshots, reference-counted.  The format is that of PostgreSQL's
 * pg_hba.conf.  A line that cannot be understood becomes a rule that rejects
 * whomever the part of it that was understood might have meant.
 */
#ifndef CONF_HBA_H
#define CONF_HBA_H

#include "conf/ident.h"
#include "conf/ldapopts.h"

enum hba_conn {
	HBA_ANYWAY, /* bad line: its first word is not known */
	HBA_LOCAL,
	HBA_HOST,
	HBA_HOSTSSL,
	HBA_HOSTNOSSL,
	HBA_HOSTGSS,   /* never there */
	HBA_HOSTNOGSS, /* always so */
};

enum hba_kind {
	HBA_EXACT,
	HBA_ALL,	 /* as a database: any, but not physical replication */
	HBA_SAMEUSER,	 /* database only */
	HBA_SAMEROLE,	 /* database only: the user belongs to the role of that name */
	HBA_REPLICATION, /* database only: physical replication */
	HBA_ROLE,	 /* user only: +text */
	HBA_PATTERN,	 /* /text */
};

struct hba_name {
	enum hba_kind kind;
	const char *text; /* without + and / */
	struct pattern *pattern;
};

/* One of them fits; none: anything does (bad line). */
struct hba_names {
	struct hba_name *name;
	size_t n;
};

enum hba_net { HBA_NET_ALL, HBA_NET_MASK, HBA_NET_SAMEHOST, HBA_NET_SAMENET };

enum hba_method {
#define HBA_METHOD(id, word, where, effect) HBA_METHOD_##id,
#include "conf/hba.def"
#undef HBA_METHOD
};

enum hba_clientcert { HBA_CLIENTCERT_NONE, HBA_CLIENTCERT_VERIFY_CA, HBA_CLIENTCERT_VERIFY_FULL };

struct hba_option {
	const char *name, *value;
};

struct hba_rule {
	const char *file;
	int line;
	bool is_bad; /* method is REJECT then */
	enum hba_conn conn;
	struct hba_names database, user;
	enum hba_net net;
	uint8_t family; /* MASK: 4 or 6; mapped IPv4 is 4 */
	uint8_t ip[16], mask[16];
	enum hba_method method;
	enum hba_clientcert clientcert; /* what else must be true of the TLS connection */
	const char *map;		/* NULL: the names must be the same */
	struct hba_option *option;	/* as written; map and clientcert among them */
	size_t options;
	struct ldapopts *ldap; /* method ldap; NULL: what auth_ldap_options says */
};

struct hba {
	_Atomic int refs;
	struct hba_rule *rule; /* in the order of the file: the first that fits counts */
	size_t rules, cap;
	size_t cost;		/* of all patterns */
	bool needs_interfaces;	/* samehost or samenet is used */
	bool needs_certificates; /* some rule looks at the client's */
	bool asks_outside;	/* pam or ldap is used: users need not be known here */
	bool needs_roles;	/* +role or samerole is used, here or in the maps */
	struct ident *maps;	/* NULL: none */
	struct strpool texts;
};

#define HBA_COST_MAX 8192 /* instructions of all patterns */

/* Reads the file; takes a reference of maps (may be NULL).  Bad lines are errors in report, or, with is_lenient, warnings.
 * NULL when the file itself cannot be read: error has the sentence. */
struct hba *hba_read(const char *path, struct ident *maps, bool is_lenient, struct conf_report *report, char *error,
		     size_t size) FX_MUST_USE;
struct hba *hba_read_bytes(const void *p, size_t n, const char *name, struct ident *maps, bool is_lenient,
			   struct conf_report *report);
struct hba *hba_ref(struct hba *h); /* NULL gives NULL */
void hba_unref(struct hba *h);	    /* NULL is fine */

/* Does whether it fits depend on who belongs to a role? */
bool hba_rule_needs_roles(const struct hba_rule *rule);
const char *hba_method_word(enum hba_method method);
/* The value of an option of the rule; NULL: not set. */
const char *hba_option(const struct hba_rule *rule, const char *name);

#endif

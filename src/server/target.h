/*
 * target.h - where a server connection goes and how it behaves: everything a
 * connection needs of the configuration, as one immutable, counted object.
 *
 * Made by pool from a snapshot; shared by all servers of a pool on all workers.
 * A reload that changes it makes a new one; servers of the old one are outdated.
 * Any thread.
 */
#ifndef SERVER_TARGET_H
#define SERVER_TARGET_H

#include "auth/credential.h"
#include "net/listener.h"
#include "net/tlsctx.h"
#include "server/params.h"
#include "server/passsource.h"

#include <stdatomic.h>

struct target_host {
	char *name; /* address, host name, directory or @name */
	char *path; /* Unix socket path when name says so, else NULL */
};

/* As libpq's sslmode. */
enum target_tls {
	TARGET_TLS_DISABLE,
	TARGET_TLS_ALLOW,  /* if the server wants nobody in the clear */
	TARGET_TLS_PREFER, /* if the server can */
	TARGET_TLS_REQUIRE,
	TARGET_TLS_VERIFY_CA,
	TARGET_TLS_VERIFY_FULL, /* for the host that is connected to */
};

/* Where a cleartext or md5 password may go without TLS. */
enum target_weak_auth { TARGET_WEAK_AUTH_REFUSE, TARGET_WEAK_AUTH_LOCAL, TARGET_WEAK_AUTH_ALLOW };

#define TARGET_HOSTS 16

struct target {
	_Atomic unsigned refs;
	_Atomic unsigned next_host; /* new connections take the hosts in turn */
	_Atomic unsigned firm_host; /* or all take this one, */
	bool is_firm;		    /* with load_balance_hosts=disable, until a connection to it fails */
	struct target_host host[TARGET_HOSTS];
	unsigned hosts;
	uint16_t port;
	struct tlsctx *tls;	/* NULL with TARGET_TLS_DISABLE */
	uint8_t tls_mode;	/* enum target_tls */
	bool is_tls_direct;	/* TLS begins at once, without a question */
	char *dbname, *user;
	char *name; /* "database/user" for log lines */
	struct credential credential;
	struct credential_keys keys; /* pass-through */
	struct credential second;    /* as good as the first, where there are two; one of them may not be valid any more */
	struct credential_keys second_keys;
	const char *secret_from;     /* a constant: where it is written; NULL: nowhere */
	struct passsource *source;   /* NULL; else the secrets come from there, and those above are none */
	_Atomic unsigned works;	     /* which of the two the server took last: 0 or 1 */
	unsigned may_ask;	     /* SERVERAUTH_MAY_*: what the server may ask for; 0: anything */
	char *require_auth;	     /* ... in the operator's words; NULL: none */
	uint8_t weak_auth;	     /* enum target_weak_auth */
	uint8_t binding_mode;	     /* enum serverauth_binding */
	char *client_encoding, *datestyle, *timezone, *application_name; /* NULL: not sent */
	char *connect_query;						 /* NULL or "": none */
	char *check_query;						 /* NULL: no ping; "": empty query */
	char *reset_query;						 /* "": none */
	struct params *extra; /* further startup parameters; NULL: none */
	uint64_t max_packet_size;					 /* bytes of a message's body */
	char *replication; /* NULL: none; else the parameter as the client sent it, and the server is that client's alone */
	uint64_t connect_timeout, clean_timeout, cancel_timeout;	 /* microseconds */
	uint8_t newest_minor;	      /* of protocol 3, that is asked for: 0 or 2 */
	_Atomic bool speaks_3_0_only; /* it has refused a newer one, and then took this */
	struct listener_tuning tuning;
};

/* Zeroed, one reference; the maker fills it before anybody else sees it.  Strings are the target's. */
struct target *target_new(void);
struct target *target_ref(struct target *t);
void target_unref(struct target *t); /* NULL is fine */
/* The host of the next new connection; lent with the reference. */
const struct target_host *target_next_host(struct target *t);
/* A connection to host number n failed. */
void target_host_failed(struct target *t, unsigned n);
/* The maker's: what old has learnt of the same file or program is good for t as well. */
void target_share_source(struct target *t, const struct target *old);
/* The same place, planned anew: the keys that clients have proved stay, and new connections go on where those of old
 * were. */
void target_inherit(struct target *t, const struct target *old);

#endif

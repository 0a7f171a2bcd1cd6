/*
 * hub.h - what all workers share: the shares of pools, and the exact counts.
 *
 * Any thread, under hub->lock, which is held for a few instructions and may be
 * taken while a share's lock is held, never the other way round.  The hot path
 * never comes here: only opening and closing servers, and logins, do.
 */
#ifndef POOL_HUB_H
#define POOL_HUB_H

#include "base/dlist.h"
#include "base/hash.h"
#include "base/lock.h"
#include "conf/conf.h"
#include "net/listener.h"
#include "net/loop.h"

#define HUB_WORKERS_MAX 64

/* Counts for one database or one user over all its pools. */
struct hub_tally {
	char *name;
	unsigned servers, clients;
	bool is_paused, is_disabled; /* databases only */
};

struct lookup;
struct resolver;
struct errands;
struct share;
struct stmt_store;
struct strangers;
struct usercache;

struct hub {
	struct lock lock;
	unsigned workers;		     /* fixed after start */
	struct loop *loops[HUB_WORKERS_MAX]; /* fixed after start; loop->owner is the worker's struct home */
	struct hash_map shares;		     /* "database\0user" */
	struct hash_map databases, users;    /* struct hub_tally */
	struct dlist starved;		     /* shares that were refused a server for a database's or user's limit */
	unsigned clients, logins;	     /* connected; of them not logged in yet */
	unsigned seats;			     /* taken, of max_client_conn: who finds none is connected until it has been told */
	bool is_paused;			     /* all databases */
	_Atomic uint64_t next_id;	     /* of clients and servers, as shown */
	_Atomic bool is_draining;	     /* shutting down: no new servers */
	struct stmt_store *statements;	     /* texts of prepared statements; fixed after start */
	struct resolver *resolver;	     /* fixed after start; NULL: every host is numeric */
	struct errands *errands;	     /* fixed after start; NULL: what may wait is done at once */
	struct errands *witnesses;	     /* fixed after start; NULL: PAM and LDAP are not asked */
	struct errands *derivers;	     /* fixed after start; NULL: keys are computed where they are needed */
	struct usercache *users_found;	     /* what auth_query has said; fixed after start */
	struct lookup *lookup;		     /* fixed after start; NULL: no connections beside the pools */
	struct listener_tuning tuning;	     /* what accepted connections have already; fixed after start */
	struct strangers *strangers;	     /* fixed after start; NULL: addresses are not followed */
	uint8_t process_key[32];	     /* salts of unknown users, see scram_cache.h */
};

void hub_init(struct hub *h, unsigned workers);
void hub_fini(struct hub *h);
uint64_t hub_next_id(struct hub *h);

enum hub_answer {
	HUB_OK,
	HUB_POOL_FULL,	 /* pool_size + max_overflow */
	HUB_DATABASE_FULL, /* max_db_connections */
	HUB_USER_FULL,	 /* max_user_connections */
	HUB_CLIENTS_FULL, /* max_client_conn */
	HUB_LOGINS_FULL,
	HUB_ADDRESS_FULL, /* max_unauthenticated_address_percent; told by strangers_enter */
	HUB_DATABASE_CLIENTS_FULL,
	HUB_USER_CLIENTS_FULL,
};

/* The name of the setting that said no; "" for HUB_OK. */
const char *hub_limit_name(enum hub_answer answer);

/* One more server for this share?  pool_cap: most servers of the share, 0 = no limit.  A refusal for the database or
 * the user puts the share on the list of the starved. */
enum hub_answer hub_take_server(struct hub *h, struct share *share, unsigned pool_cap,
				const struct conf_limits *limits) FX_MUST_USE;
/* A server is really gone.  Shares that starve are woken. */
void hub_give_server(struct hub *h, struct share *share);
/* An idle server of another share that stands in the way of this one, and the worker it idles on; false: none. */
bool hub_find_victim(struct hub *h, struct share *share, enum hub_answer why, struct share **victim, unsigned *worker);

/* A connection was accepted / is closed.  With HUB_OK it has a seat, else it is counted without one.  Logged in clients are
 * counted for database and user as well. */
enum hub_answer hub_take_client(struct hub *h, unsigned max_clients, unsigned max_logins) FX_MUST_USE;
void hub_give_client(struct hub *h, bool was_login, bool had_seat);
/* For one that is connected without a seat: there is one now / it has no use for its seat any more. */
bool hub_take_seat(struct hub *h, unsigned max_clients) FX_MUST_USE;
void hub_give_seat(struct hub *h);
enum hub_answer hub_take_login(struct hub *h, const char *database, const char *user, unsigned max_db_clients,
			       unsigned max_user_clients) FX_MUST_USE;
void hub_give_login(struct hub *h, const char *database, const char *user);

/* The share of (database, user), made on first use.  Lives as long as the hub.  is_ours: of servers that answer our own
 * questions and no client's (askpool.h); it is counted as any other, but it is another share. */
struct share *hub_share(struct hub *h, const char *database, const char *user, bool is_ours);
/* Calls fn for every share; fn must not take a lock of the hub. */
void hub_each_share(struct hub *h, void (*fn)(struct share *share, void *arg), void *arg);

/* Any thread.  Marks a database (NULL: all of them), its shares and those that will be made; false: it was so already. */
bool hub_pause(struct hub *h, const char *database, bool on);
bool hub_disable(struct hub *h, const char *database, bool on);
/* As it was said for this database itself (NULL: for all), whatever was said for others. */
bool hub_is_paused(struct hub *h, const char *database);
bool hub_is_disabled(struct hub *h, const char *database);

/* Calls fn for every user that has ever had a client or a pool; fn must not take a lock of the hub. */
void hub_each_user(struct hub *h, void (*fn)(const struct hub_tally *user, void *arg), void *arg);

struct hub_counts {
	unsigned databases, users, pools, clients, logins;
};
void hub_count(struct hub *h, struct hub_counts *out);
/* Servers and clients that are counted for a database / user now. */
void hub_tally_database(struct hub *h, const char *name, unsigned *servers, unsigned *clients);
void hub_tally_user(struct hub *h, const char *name, unsigned *servers, unsigned *clients);

#endif

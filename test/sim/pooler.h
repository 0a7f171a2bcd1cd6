/*
 * pooler.h - the pooler under test: its hub and workers on the simulator's loops, and
 * what must hold after every turn and whenever the world is at rest.
 */
#ifndef SIM_POOLER_H
#define SIM_POOLER_H

#include "net_sim.h"

struct pooler_manners {
	unsigned workers;
	const char *mode; /* pool_mode */
	unsigned pool_size, max_overflow, min_pool_size, reserve;
	unsigned max_db, max_user; /* 0: no limit */
	unsigned max_clients, max_prepared;
	uint32_t linger_ms, lifetime_ms, ping_idle_ms, retry_ms, connect_timeout_s;
	uint32_t wait_ms, query_ms, idle_xact_ms, idle_client_ms, login_ms, notify_ms; /* timeouts; 0: none */
	uint32_t grace_ms; /* stalled_login_grace; 0: nobody is made to leave */
	bool is_bouncer; /* profile [pgbouncer] */
	bool attaches_late; /* session_attach = first_query */
	bool always_resets;
	bool has_ping;
	bool is_plain_auth;
	bool is_strict; /* nothing goes wrong in this seed: order of service can be checked exactly */
};

void pooler_start(const struct pooler_manners *manners, unsigned users, unsigned dbs);
struct nsock *pooler_connect(void);
/* No client is left: nothing may be left of them. */
void pooler_check_no_clients(void);
/* Nothing will happen before a deadline: does anybody wait beside what it waits for? */
void pooler_check_rest(void);
/* Every server has been counted out. */
bool pooler_is_empty(void);
/* Every worker drops what it has; then, when the world is at rest again, all is freed. */
void pooler_stop(void);
void pooler_finish(void);
void pooler_describe(void);
/* The client that rides this backend, "" when none does. */
const char *pooler_rider(uint32_t pid);
/* Is it ending the server connection with this pid by itself? */
bool pooler_is_closing(uint32_t pid);
/* One order of the console, given to all workers. */
void pooler_order(void);
/* The line to one idle server goes dead without a word. */
void pooler_hush(void);
/* Nothing is paused any more. */
void pooler_peace(void);

#endif

/*
 * hub.c - the exact counts.
 *
 * Every limit of the process is checked and taken in one critical section, so
 * that no two threads can both take the last place.
 */
#include "pool/hub.h"

#include "auth/usercache.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "pool/home.h"
#include "pool/share.h"
#include "server/stmt.h"

#include <string.h>

void hub_init(struct hub *h, unsigned workers)
{
	CHECK(workers > 0 && workers <= HUB_WORKERS_MAX);
	memset(h, 0, sizeof(*h));
	lock_init(&h->lock);
	h->workers = workers;
	hash_map_init(&h->shares);
	hash_map_init(&h->databases);
	hash_map_init(&h->users);
	dlist_init(&h->starved);
	rnd_secure(h->process_key, sizeof(h->process_key));
	h->statements = stmt_store_new(SIZE_MAX);
	h->users_found = usercache_new(USERCACHE_MAX);
}

static void hub_free_tallies(struct hash_map *map)
{
	struct hash_iter it = {0};
	struct hash_node *node;

	while ((node = hash_map_next(map, &it)) != NULL) {
		struct hub_tally *tally = node->value;

		mem_free(tally->name);
		mem_free(tally);
	}
	hash_map_fini(map);
}

void hub_fini(struct hub *h)
{
	struct hash_iter it = {0};
	struct hash_node *node;

	while ((node = hash_map_next(&h->shares, &it)) != NULL)
		share_free(node->value);
	hash_map_fini(&h->shares);
	hub_free_tallies(&h->databases);
	hub_free_tallies(&h->users);
	stmt_store_free(h->statements);
	usercache_free(h->users_found);
	lock_fini(&h->lock);
}

uint64_t hub_next_id(struct hub *h)
{
	return atomic_fetch_add_explicit(&h->next_id, 1, memory_order_relaxed) + 1;
}

const char *hub_limit_name(enum hub_answer answer)
{
	static const char *const names[] = {
		[HUB_OK] = "",
		[HUB_POOL_FULL] = "pool_size",
		[HUB_DATABASE_FULL] = "max_db_connections",
		[HUB_USER_FULL] = "max_user_connections",
		[HUB_CLIENTS_FULL] = "max_client_conn",
		[HUB_LOGINS_FULL] = "max_unauthenticated_percent",
		[HUB_ADDRESS_FULL] = "max_unauthenticated_address_percent",
		[HUB_DATABASE_CLIENTS_FULL] = "max_db_client_connections",
		[HUB_USER_CLIENTS_FULL] = "max_user_client_connections",
	};

	return names[answer];
}

static struct hub_tally *hub_tally(struct hash_map *map, const char *name)
{
	struct hub_tally *tally = hash_map_find(map, name);

	if (tally == NULL) {
		tally = mem_zalloc(sizeof(*tally));
		tally->name = mem_strdup(name);
		(void)hash_map_put(map, name, strlen(name), tally);
	}
	return tally;
}

static void hub_mark_share(struct share *share)
{
	atomic_store(&share->is_paused, share->hub->is_paused || share->database_tally->is_paused);
	atomic_store(&share->is_disabled, share->database_tally->is_disabled);
}

struct share *hub_share(struct hub *h, const char *database, const char *user, bool is_ours)
{
	/* the longer key of ours ends with a NUL, which no name of a user does */
	size_t db_len = strlen(database) + 1, user_len = strlen(user) + is_ours;
	char *key = mem_alloc(db_len + user_len + 1);
	struct share *share;

	memcpy(key, database, db_len);
	memcpy(key + db_len, user, user_len);
	lock_take(&h->lock);
	share = hash_map_get(&h->shares, key, db_len + user_len);
	if (share == NULL) {
		share = share_new(h, database, user);
		share->is_ours = is_ours;
		share->database_tally = hub_tally(&h->databases, database);
		share->user_tally = hub_tally(&h->users, user);
		hub_mark_share(share);
		(void)hash_map_put(&h->shares, key, db_len + user_len, share);
	}
	lock_drop(&h->lock);
	mem_free(key);
	return share;
}

void hub_each_share(struct hub *h, void (*fn)(struct share *share, void *arg), void *arg)
{
	struct hash_iter it = {0};
	struct hash_node *node;

	lock_take(&h->lock);
	while ((node = hash_map_next(&h->shares, &it)) != NULL)
		fn(node->value, arg);
	lock_drop(&h->lock);
}

void hub_each_user(struct hub *h, void (*fn)(const struct hub_tally *user, void *arg), void *arg)
{
	struct hash_iter it = {0};
	struct hash_node *node;

	lock_take(&h->lock);
	while ((node = hash_map_next(&h->users, &it)) != NULL)
		fn(node->value, arg);
	lock_drop(&h->lock);
}

static bool hub_is_full(unsigned count, int64_t limit)
{
	return limit > 0 && count >= (uint64_t)limit;
}

enum hub_answer hub_take_server(struct hub *h, struct share *share, unsigned pool_cap,
				const struct conf_limits *limits)
{
	enum hub_answer answer = HUB_OK;

	lock_take(&h->lock);
	if (pool_cap > 0 && share->servers >= pool_cap)
		answer = HUB_POOL_FULL;
	else if (hub_is_full(share->database_tally->servers, limits->max_db_connections))
		answer = HUB_DATABASE_FULL;
	else if (hub_is_full(share->user_tally->servers, limits->max_user_connections))
		answer = HUB_USER_FULL;
	if (answer == HUB_OK) {
		share->servers++;
		share->database_tally->servers++;
		share->user_tally->servers++;
	} else if (answer != HUB_POOL_FULL && !share->is_starved) {
		share->is_starved = true;
		dlist_push_back(&h->starved, &share->starved_link);
	}
	lock_drop(&h->lock);
	return answer;
}

void hub_give_server(struct hub *h, struct share *share)
{
	struct share *hungry[16];
	unsigned n = 0;
	struct dlist *node;

	lock_take(&h->lock);
	CHECK(share->servers > 0 && share->database_tally->servers > 0 && share->user_tally->servers > 0);
	share->servers--;
	share->database_tally->servers--;
	share->user_tally->servers--;
	while (n < ARRAY_LEN(hungry) && (node = dlist_pop_front(&h->starved)) != NULL) {
		hungry[n] = container_of(node, struct share, starved_link);
		hungry[n++]->is_starved = false;
	}
	lock_drop(&h->lock);
	for (unsigned i = 0; i < n; i++)
		home_wake_waiters(hungry[i]);
}

bool hub_find_victim(struct hub *h, struct share *share, enum hub_answer why, struct share **victim, unsigned *worker)
{
	struct hash_iter it = {0};
	struct hash_node *node;
	bool found = false;

	lock_take(&h->lock);
	while (!found && (node = hash_map_next(&h->shares, &it)) != NULL) {
		struct share *other = node->value;

		if (other == share || (why == HUB_DATABASE_FULL && other->database_tally != share->database_tally) ||
		    (why == HUB_USER_FULL && other->user_tally != share->user_tally) ||
		    atomic_load(&other->waiters) > 0)
			continue;
		for (unsigned i = 0; i < h->workers && !found; i++) {
			if (atomic_load(&other->side[i].idle) > 0) {
				*victim = other;
				*worker = i;
				found = true;
			}
		}
	}
	lock_drop(&h->lock);
	return found;
}

enum hub_answer hub_take_client(struct hub *h, unsigned max_clients, unsigned max_logins)
{
	enum hub_answer answer = HUB_OK;

	lock_take(&h->lock);
	if (h->seats >= max_clients)
		answer = HUB_CLIENTS_FULL;
	else if (max_logins > 0 && h->logins >= max_logins)
		answer = HUB_LOGINS_FULL;
	else
		h->seats++;
	/* counted in any case: whoever is refused is a client until it is closed */
	h->clients++;
	h->logins++;
	lock_drop(&h->lock);
	return answer;
}

bool hub_take_seat(struct hub *h, unsigned max_clients)
{
	bool is_free;

	lock_take(&h->lock);
	is_free = h->seats < max_clients;
	h->seats += is_free;
	lock_drop(&h->lock);
	return is_free;
}

void hub_give_seat(struct hub *h)
{
	lock_take(&h->lock);
	CHECK(h->seats > 0);
	h->seats--;
	lock_drop(&h->lock);
}

void hub_give_client(struct hub *h, bool was_login, bool had_seat)
{
	lock_take(&h->lock);
	CHECK(h->clients > 0 && (!was_login || h->logins > 0) && (!had_seat || h->seats > 0));
	h->clients--;
	h->seats -= had_seat;
	if (was_login)
		h->logins--;
	lock_drop(&h->lock);
}

enum hub_answer hub_take_login(struct hub *h, const char *database, const char *user, unsigned max_db_clients,
			       unsigned max_user_clients)
{
	struct hub_tally *db, *of_user;
	enum hub_answer answer = HUB_OK;

	lock_take(&h->lock);
	db = hub_tally(&h->databases, database);
	of_user = hub_tally(&h->users, user);
	if (hub_is_full(db->clients, max_db_clients))
		answer = HUB_DATABASE_CLIENTS_FULL;
	else if (hub_is_full(of_user->clients, max_user_clients))
		answer = HUB_USER_CLIENTS_FULL;
	if (answer == HUB_OK) {
		db->clients++;
		of_user->clients++;
		CHECK(h->logins > 0);
		h->logins--;
	}
	lock_drop(&h->lock);
	return answer;
}

void hub_give_login(struct hub *h, const char *database, const char *user)
{
	struct hub_tally *db, *of_user;

	lock_take(&h->lock);
	db = hash_map_find(&h->databases, database);
	of_user = hash_map_find(&h->users, user);
	CHECK(db != NULL && of_user != NULL && db->clients > 0 && of_user->clients > 0);
	db->clients--;
	of_user->clients--;
	lock_drop(&h->lock);
}

/* flag is one of h or of a tally */
static bool hub_mark(struct hub *h, bool *flag, bool on)
{
	struct hash_iter it = {0};
	struct hash_node *node;
	bool changed = *flag != on;

	*flag = on;
	while ((node = hash_map_next(&h->shares, &it)) != NULL)
		hub_mark_share(node->value);
	return changed;
}

bool hub_pause(struct hub *h, const char *database, bool on)
{
	bool changed;

	lock_take(&h->lock);
	changed = hub_mark(h, database != NULL ? &hub_tally(&h->databases, database)->is_paused : &h->is_paused, on);
	lock_drop(&h->lock);
	return changed;
}

bool hub_disable(struct hub *h, const char *database, bool on)
{
	bool changed;

	lock_take(&h->lock);
	changed = hub_mark(h, &hub_tally(&h->databases, database)->is_disabled, on);
	lock_drop(&h->lock);
	return changed;
}

bool hub_is_paused(struct hub *h, const char *database)
{
	const struct hub_tally *tally;
	bool is;

	lock_take(&h->lock);
	tally = database != NULL ? hash_map_find(&h->databases, database) : NULL;
	is = database != NULL ? tally != NULL && tally->is_paused : h->is_paused;
	lock_drop(&h->lock);
	return is;
}

bool hub_is_disabled(struct hub *h, const char *database)
{
	const struct hub_tally *tally;
	bool is;

	lock_take(&h->lock);
	tally = hash_map_find(&h->databases, database);
	is = tally != NULL && tally->is_disabled;
	lock_drop(&h->lock);
	return is;
}

void hub_count(struct hub *h, struct hub_counts *out)
{
	lock_take(&h->lock);
	*out = (struct hub_counts){.databases = (unsigned)h->databases.count,
				   .users = (unsigned)h->users.count,
				   .pools = (unsigned)h->shares.count,
				   .clients = h->clients,
				   .logins = h->logins};
	lock_drop(&h->lock);
}

static void hub_read_tally(struct hub *h, struct hash_map *map, const char *name, unsigned *servers, unsigned *clients)
{
	struct hub_tally *tally;

	lock_take(&h->lock);
	tally = hash_map_find(map, name);
	*servers = tally != NULL ? tally->servers : 0;
	*clients = tally != NULL ? tally->clients : 0;
	lock_drop(&h->lock);
}

void hub_tally_database(struct hub *h, const char *name, unsigned *servers, unsigned *clients)
{
	hub_read_tally(h, &h->databases, name, servers, clients);
}

void hub_tally_user(struct hub *h, const char *name, unsigned *servers, unsigned *clients)
{
	hub_read_tally(h, &h->users, name, servers, clients);
}

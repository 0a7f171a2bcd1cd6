/*
 * conf_state.h - how a snapshot was made and what it owns.  Private to the room.
 */
#ifndef CONF_CONF_STATE_H
#define CONF_CONF_STATE_H

#include "base/hash.h"
#include "conf/conf.h"
#include "conf/hba.h"
#include "conf/items.h"
#include "conf/userlist.h"

#define CONF_OPTIONS_MAX 160

struct conf_state {
	_Atomic int refs;
	struct items items;
	struct strpool pool; /* texts that are not texts of items */
	struct conf_overrides overrides;
	bool from_file;
	struct userlist *secrets;
	struct ldapopts *ldap; /* NULL: auth_ldap_options says nothing */
	struct hba *hba; /* NULL: auth_type is another */
	struct conf_database *database;
	struct conf_user *user;
	struct conf_peer *peer;
	size_t databases_cap, users_cap, peers_cap;
	struct hash_map by_database, by_user; /* index + 1 */
	/* by row of the global table: the item that said it last, NULL: default */
	const struct item *said[CONF_OPTIONS_MAX];
};

#endif

/*
 * userlist.h - auth_file: users and their secrets.
 *
 * Control thread reads; every thread looks up through conf_find_secret.  Shared
 * by snapshots that have the same auth_file, reference-counted.  Line:
 * "user" "secret" and anything after it, but for: or "second", a secret that is valid
 * as well; "" inside quotes is one quote; ; or # starts a comment line.  A repeated user: the last line counts.
 */
#ifndef CONF_USERLIST_H
#define CONF_USERLIST_H

#include "base/hash.h"
#include "conf/conf.h"
#include "conf/strpool.h"

struct userlist {
	_Atomic int refs;
	struct conf_secret *secret;
	size_t count, cap;
	bool has_seconds; /* somebody has, or had, two secrets */
	struct hash_map by_user; /* index + 1 */
	struct strpool names;
};

struct userlist *userlist_new(void);
struct userlist *userlist_ref(struct userlist *l);
void userlist_unref(struct userlist *l); /* NULL is fine */
/* secret may be "" : no secret.  Replaces what the user had. */
void userlist_put(struct userlist *l, const char *user, const char *secret);
const struct conf_secret *userlist_find(const struct userlist *l, const char *user);
/* Adds the file's users; problems go to the report.  false when the file could not be opened: error
 * has the sentence. */
bool userlist_read(struct userlist *l, const char *path, struct conf_report *report, char *error,
	size_t size) FX_MUST_USE;
void userlist_read_bytes(
	struct userlist *l, const void *p, size_t n, const char *name, struct conf_report *report);

#endif

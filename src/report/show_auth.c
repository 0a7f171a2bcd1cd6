/*
 * show_auth.c - SHOW AUTH_CACHE and SHOW AUTH_LOOKUPS: what auth_query has said, and how often it was asked.
 *
 * Never a secret: only of what kind it is.
 */
#include "auth/identity.h"
#include "auth/usercache.h"
#include "report/show.h"

#include <string.h>

static const struct reply_column show_auth_cache_columns[] = {
	{"database", REPLY_TEXT}, /* where auth_query has run */
	{"auth_user", REPLY_TEXT},
	{"user", REPLY_TEXT},
	{"answer", REPLY_TEXT}, /* the kind of the secret, or "no such user", or "roles" */
	{"roles", REPLY_INT4},
	{"age_ms", REPLY_INT8},
};

struct show_auth {
	const struct report_view *view;
	struct rowset *out;
};

static void show_auth_on_answer(void *arg, const char *key, size_t key_len, const struct useranswer *answer, uint64_t asked_at)
{
	const struct show_auth *s = arg;
	uint64_t now = s->view->now;
	const char *user = key;
	char name[512];
	size_t n;

	/* see usercache.h: four texts and a byte; the last has no NUL of its own */
	rowset_text(s->out, user);
	user += strlen(user) + 1;
	rowset_text(s->out, user);
	user += strlen(user) + 1;
	user += strlen(user) + 1;
	n = (size_t)(key + key_len - 1 - user);
	if (n >= sizeof(name))
		n = sizeof(name) - 1;
	memcpy(name, user, n);
	name[n] = '\0';
	rowset_text(s->out, name);
	rowset_text(s->out, useranswer_word(answer));
	rowset_uint(s->out, answer->roles);
	rowset_uint(s->out, now > asked_at ? (now - asked_at) / 1000 : 0);
}

static void show_auth_cache_fill(const struct report_view *view, struct rowset *out)
{
	struct show_auth s = {view, out};

	usercache_each(view->hub->users_found, show_auth_on_answer, &s);
}

const struct report_table show_auth_cache_table = {
	.name = "AUTH_CACHE",
	.role = IDENTITY_ADMIN,
	.column = show_auth_cache_columns,
	.columns = ARRAY_LEN(show_auth_cache_columns),
	.fill = show_auth_cache_fill,
	.is_local = true,
};

static const struct reply_column show_auth_lookups_columns[] = {
	{"kept", REPLY_INT8},	/* answers */
	{"under_way", REPLY_INT8}, /* questions */
	{"waiting", REPLY_INT8},   /* logins that wait for them */
	{"asked", REPLY_NUMERIC},
	{"failed", REPLY_NUMERIC},
	{"hits", REPLY_NUMERIC},     /* logins by an answer that was kept */
	{"merged", REPLY_NUMERIC},   /* ... that waited for another's question */
	{"rechecks", REPLY_NUMERIC}, /* ... that failed by an answer that was kept, so that it was asked anew */
};

static void show_auth_lookups_fill(const struct report_view *view, struct rowset *out)
{
	struct usercache_stats s;

	usercache_get_stats(view->hub->users_found, &s);
	rowset_uint(out, s.users);
	rowset_uint(out, s.under_way);
	rowset_uint(out, s.waiting);
	rowset_uint(out, s.asked);
	rowset_uint(out, s.failed);
	rowset_uint(out, s.hits);
	rowset_uint(out, s.merged);
	rowset_uint(out, s.rechecks);
}

const struct report_table show_auth_lookups_table = {
	.name = "AUTH_LOOKUPS",
	.role = IDENTITY_STATS,
	.column = show_auth_lookups_columns,
	.columns = ARRAY_LEN(show_auth_lookups_columns),
	.fill = show_auth_lookups_fill,
	.is_local = true,
};

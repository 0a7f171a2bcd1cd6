/*
 * identity.c - an immutable, counted pair of names and roles.
 */
#include "auth/identity.h"

#include "base/mem.h"

#include <string.h>

#include "base/poison.h"

struct identity {
	uint32_t refs; /* atomic */
	unsigned roles;
	size_t user_len, database_len;
	char text[]; /* user NUL database NUL */
};

struct identity *identity_new(const char *user, const char *database, unsigned roles)
{
	size_t user_len = strlen(user), database_len = strlen(database);
	size_t size;
	struct identity *id;

	if (__builtin_add_overflow(user_len, database_len, &size) ||
		__builtin_add_overflow(size, sizeof(*id) + 2, &size))
		return NULL;
	id = mem_try_alloc(size);
	if (id == NULL)
		return NULL;
	*id = (struct identity){
		.refs = 1, .roles = roles, .user_len = user_len, .database_len = database_len};
	memcpy(id->text, user, user_len + 1);
	memcpy(id->text + user_len + 1, database, database_len + 1);
	return id;
}

struct identity *identity_ref(struct identity *id)
{
	uint32_t before = __atomic_fetch_add(&id->refs, 1, __ATOMIC_RELAXED);

	CHECK(before > 0 && before < UINT32_MAX);
	return id;
}

void identity_unref(struct identity *id)
{
	uint32_t before;

	if (id == NULL)
		return;
	before = __atomic_fetch_sub(&id->refs, 1, __ATOMIC_ACQ_REL);
	CHECK(before > 0);
	if (before == 1)
		mem_free(id);
}

const char *identity_user(const struct identity *id)
{
	return id->text;
}

const char *identity_database(const struct identity *id)
{
	return id->text + id->user_len + 1;
}

unsigned identity_roles(const struct identity *id)
{
	return id->roles;
}

bool identity_has(const struct identity *id, unsigned role)
{
	unsigned roles = id->roles;

	if (roles & IDENTITY_ADMIN)
		roles |= IDENTITY_STATS;
	return (roles & role) == role;
}

bool identity_is_equal(const struct identity *a, const struct identity *b)
{
	return a->user_len == b->user_len && a->database_len == b->database_len &&
	       memcmp(a->text, b->text, a->user_len + a->database_len + 2) == 0;
}

/*
 * useranswer.c - what a server has said about a user.
 */
#include "auth/useranswer.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>

#include "base/poison.h"

static struct useranswer *useranswer_new(enum useranswer_kind kind)
{
	struct useranswer *a = mem_zalloc(sizeof(*a));

	atomic_init(&a->refs, 1);
	a->kind = kind;
	return a;
}

struct useranswer *useranswer_none(void)
{
	return useranswer_new(USERANSWER_SECRET);
}

struct useranswer *useranswer_secret(const void *text, size_t n, const char **error)
{
	struct useranswer *a = useranswer_new(USERANSWER_SECRET);

	a->is_found = true;
	/* a secret that cannot be used leaves the user known and without one */
	if (credential_parse(&a->credential, text, n, error) < 0)
		a->credential.kind = CREDENTIAL_NONE;
	return a;
}

struct useranswer *useranswer_names(const char *names, size_t len)
{
	struct useranswer *a = useranswer_new(USERANSWER_ROLES);

	CHECK(len == 0 || names[len - 1] == '\0');
	a->names = mem_alloc(len + 1);
	a->names_len = len;
	if (len > 0)
		memcpy(a->names, names, len);
	for (size_t i = 0; i < len; i++)
		a->roles += names[i] == '\0';
	return a;
}

struct useranswer *useranswer_ref(struct useranswer *a)
{
	atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	return a;
}

void useranswer_unref(struct useranswer *a)
{
	if (a == NULL || atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) != 1)
		return;
	credential_fini(&a->credential);
	mem_free(a->names);
	mem_free(a);
}

bool useranswer_is_equal(const struct useranswer *a, const struct useranswer *b)
{
	if (a->kind != b->kind || a->is_found != b->is_found)
		return false;
	if (a->kind == USERANSWER_ROLES)
		return a->names_len == b->names_len && memcmp(a->names, b->names, a->names_len) == 0;
	return credential_is_equal(&a->credential, &b->credential);
}

bool useranswer_has_role(const struct useranswer *a, const char *role)
{
	const char *p = a->names, *end = a->names + a->names_len;

	while (p < end) {
		if (strcmp(p, role) == 0)
			return true;
		p += strlen(p) + 1;
	}
	return false;
}

const char *useranswer_word(const struct useranswer *a)
{
	if (a->kind == USERANSWER_ROLES)
		return "roles";
	return a->is_found ? credential_kind_name(a->credential.kind) : "no such user";
}

/*
 * secret.c - memory that is wiped.
 */
#include "base/secret.h"

#include "base/vault.h"

#include <string.h>

#define SECRET_STACK ((size_t)64 * 1024)

void secret_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}

/* the sanitizer would put the array elsewhere */
__attribute__((noinline, no_sanitize_address)) void secret_wipe_stack(void)
{
	uint8_t beyond[SECRET_STACK];

	explicit_bzero(beyond, sizeof(beyond));
}

void secret_set(struct secret *s, const void *p, size_t n)
{
	uint8_t *data = vault_alloc(n + 1);

	if (n > 0)
		memcpy(data, p, n);
	data[n] = '\0';
	secret_drop(s);
	s->data = data;
	s->len = n;
}

void secret_drop(struct secret *s)
{
	vault_free(s->data, s->len + 1);
	s->data = NULL;
	s->len = 0;
}

void secret_move(struct secret *to, struct secret *from)
{
	secret_drop(to);
	*to = *from;
	from->data = NULL;
	from->len = 0;
}

bool secret_is_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = a_len == b_len ? 0 : 1;

	/* walks b whole even when the lengths differ, so that time tells nothing about a */
	for (size_t i = 0; i < b_len; i++)
		diff |= (uint8_t)(y[i] ^ (i < a_len ? x[i] : (uint8_t)~y[i]));
	return diff == 0;
}

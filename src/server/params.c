/*
 * params.c - the parameters a server reports.
 *
 * A dozen short pairs: walking them costs less than any index.
 */
#include "server/params.h"

#include "base/str.h"

#include <string.h>

void params_init(struct params *p)
{
	buf_init(&p->pairs, PARAMS_MAX);
}

void params_fini(struct params *p)
{
	buf_fini(&p->pairs);
}

void params_clear(struct params *p)
{
	buf_reset(&p->pairs);
}

int params_copy(struct params *to, const struct params *from)
{
	if (buf_reserve(&to->pairs, from->pairs.len) < 0) {
		to->pairs.bad = false;
		return -1;
	}
	buf_reset(&to->pairs);
	(void)buf_append(&to->pairs, from->pairs.data, from->pairs.len);
	return 0;
}

bool params_next(const struct params *p, size_t *it, const char **name, const char **value)
{
	const char *at;

	if (*it >= p->pairs.len)
		return false;
	at = (const char *)p->pairs.data + *it;
	*name = at;
	*value = at + strlen(at) + 1;
	*it += strlen(*name) + strlen(*value) + 2;
	return true;
}

/* the value of a name, or NULL; count: of the pairs in front of it */
static const char *params_find(const struct params *p, const char *name, unsigned *count)
{
	const char *at = (const char *)p->pairs.data, *end = at + p->pairs.len;
	size_t len = strlen(name);

	for (*count = 0; at < end; (*count)++) {
		size_t n = strlen(at);

		if (n == len && str_is_equal_nocase(at, name))
			return at + n + 1;
		at += n + 1;
		at += strlen(at) + 1;
	}
	return NULL;
}

const char *params_get(const struct params *p, const char *name)
{
	unsigned count;

	return p->pairs.len > 0 ? params_find(p, name, &count) : NULL;
}

void params_remove(struct params *p, const char *name)
{
	const char *n, *v;
	size_t it = 0, from = 0;

	while (params_next(p, &it, &n, &v)) {
		if (str_is_equal_nocase(n, name)) {
			memmove(p->pairs.data + from, p->pairs.data + it, p->pairs.len - it);
			p->pairs.len -= it - from;
			return;
		}
		from = it;
	}
}

int params_set(struct params *p, const char *name, const char *value)
{
	size_t need = strlen(name) + strlen(value) + 2;
	unsigned count = 0;
	const char *old = p->pairs.len > 0 ? params_find(p, name, &count) : NULL;

	if (old != NULL && strcmp(old, value) == 0)
		return 0;
	if (old == NULL && count >= PARAMS_NAMES)
		return -1;
	if (buf_reserve(&p->pairs, need) < 0) {
		p->pairs.bad = false;
		return -1;
	}
	params_remove(p, name);
	(void)buf_append_cstr(&p->pairs, name);
	(void)buf_append_cstr(&p->pairs, value);
	return 0;
}

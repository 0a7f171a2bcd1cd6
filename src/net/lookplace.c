/*
 * lookplace.c - where questions go: one server, one database, one role.
 *
 * The key is all that decides where a connection goes, but the password: a new one makes
 * the old connection stale.
 */
#include "net/lookup_impl.h"

#include "base/mem.h"

#include <string.h>

static void lookplace_key(struct buf *key, const struct pqlink_where *w)
{
	const char *const part[] = {w->host, w->hostaddr, w->dbname, w->user, w->application_name, w->sslmode, w->options,
				    w->sslrootcert, w->sslcert, w->sslkey, w->sslcrl};

	buf_init(key, 0);
	(void)buf_append_u16(key, w->port);
	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		(void)buf_append_u8(key, part[i] != NULL);
		(void)buf_append_cstr(key, part[i] != NULL ? part[i] : "");
	}
	CHECK(!key->bad);
}

/* where's strings are those of the key */
static void lookplace_name(struct lookup_place *place)
{
	struct pqlink_where *w = &place->where;
	const char **const part[] = {&w->host, &w->hostaddr, &w->dbname, &w->user, &w->application_name, &w->sslmode,
				     &w->options, &w->sslrootcert, &w->sslcert, &w->sslkey, &w->sslcrl};
	const uint8_t *p = place->text.data + 2;

	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		*part[i] = p[0] ? (const char *)p + 1 : NULL;
		p += 1 + strlen((const char *)p + 1) + 1;
	}
}

struct lookup_place *lookplace_get(struct lookup *l, const struct lookup_question *question)
{
	static const struct secret none = {.data = NULL};
	const struct secret *password = question->password != NULL ? question->password : &none;
	struct lookup_place *place;
	struct buf key;

	lookplace_key(&key, &question->where);
	place = hash_map_get(&l->places, key.data, key.len);
	if (place == NULL && l->places.count < LOOKUP_PLACES) {
		place = mem_zalloc(sizeof(*place));
		dlist_init(&place->ready);
		dlist_init(&place->waiting);
		place->text = key;
		place->where.port = question->where.port;
		lookplace_name(place);
		(void)hash_map_put(&l->places, key.data, key.len, place);
	} else {
		buf_fini(&key);
	}
	if (place == NULL || ((password->data == NULL) == (place->password.data == NULL) &&
			      secret_is_equal(place->password.data, place->password.len, password->data, password->len)))
		return place;
	/* a helper may be opening one with the old password just now */
	place->is_stale = place->link != NULL || place->is_busy;
	secret_drop(&place->password);
	if (password->data != NULL)
		secret_set(&place->password, password->data, password->len);
	return place;
}

void lookplace_free(struct lookup *l, struct lookup_place *place)
{
	(void)hash_map_take(&l->places, place->text.data, place->text.len);
	secret_drop(&place->password);
	buf_fini(&place->text);
	mem_free(place);
}

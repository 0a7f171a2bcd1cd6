/*
 * stmt.h - the text of a prepared statement, kept once per process.
 *
 * A statement is what a Parse message says after the name: the query, and the
 * types of its parameters ("Message Formats", Parse).  Its name on every server
 * is made from a keyed hash of that, so workers and servers need no common table
 * of names, and a name never means anything else.
 *
 * Any thread: the store is locked in parts; only Parse, Close and the end of a
 * client come here, never Bind.
 */
#ifndef SERVER_STMT_H
#define SERVER_STMT_H

#include "base/check.h"

#define STMT_NAME_LEN 35 /* "fx_" and 32 hexadecimal digits */

struct stmt_store;
struct weight;

struct stmt_id {
	uint64_t word[2];
};

struct stmt {
	struct stmt *next; /* of its part of the store */
	struct stmt_store *store;
	uint32_t refs; /* under the part's lock */
	uint32_t len;
	struct stmt_id id;
	char name[STMT_NAME_LEN + 1];
	uint8_t body[]; /* len bytes of the Parse message, after the name */
};

enum stmt_answer { STMT_OK, STMT_FULL, STMT_NO_MEMORY };

/* max: bytes of all statements and names, see stmt_charge. */
struct stmt_store *stmt_store_new(size_t max) FX_MUST_USE;
void stmt_store_free(struct stmt_store *store);
/* Any time: a new limit; what is there stays. */
void stmt_store_limit(struct stmt_store *store, size_t max);
/* All texts; takes the parts' locks. */
void stmt_store_weigh(struct stmt_store *store, struct weight *to);
/* Bytes that are kept now. */
size_t stmt_store_bytes(const struct stmt_store *store);
/* how many more bytes stmt_charge() would grant now */
size_t stmt_store_room(const struct stmt_store *store);

/* A statement was found to have other rows than before: whatever was parsed until now may be out of date. */
void stmt_store_outdate(struct stmt_store *store);
/* How often that was. */
uint32_t stmt_store_changes(const struct stmt_store *store);

/* The id of these bytes under this store's key. */
struct stmt_id stmt_id_of(const struct stmt_store *store, const void *body, size_t n);
/* Gives a reference in *out. */
enum stmt_answer stmt_intern(struct stmt_store *store, const void *body, size_t n, struct stmt **out) FX_MUST_USE;
struct stmt *stmt_ref(struct stmt *stmt);
/* Takes the reference; NULL is fine. */
void stmt_unref(struct stmt *stmt);

/* Counts bytes that clients need for the names they gave; false: over the limit, nothing is counted. */
bool stmt_charge(struct stmt_store *store, size_t bytes) FX_MUST_USE;
void stmt_discharge(struct stmt_store *store, size_t bytes);

/* STMT_NAME_LEN characters and a NUL. */
void stmt_name(struct stmt_id id, char out[STMT_NAME_LEN + 1]);
/* Finds a name of ours within text; false: there is none. */
bool stmt_find_name(const char *text, const char **at, struct stmt_id *id);

static inline bool stmt_id_is_equal(struct stmt_id a, struct stmt_id b)
{
	return a.word[0] == b.word[0] && a.word[1] == b.word[1];
}

#endif

/*
 * mem.h - the only door to the heap.
 *
 * Any thread.  mem_* never return NULL: the process aborts with a sentence when
 * the system has no memory (used at start, for configuration, for small things).
 * mem_try_* return NULL instead and are used for everything whose size or number
 * a peer decides.  Objects that are worth a row in SHOW MEM are taken with
 * mem_object_*, which count them by kind.  Each thread counts for itself; whoever
 * wants to know adds up.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/check.h"

void *mem_alloc(size_t size) FX_MUST_USE;
void *mem_zalloc(size_t size) FX_MUST_USE;
/* align: a power of two; size is rounded up to it */
void *mem_aligned_zalloc(size_t align, size_t size) FX_MUST_USE;
void *mem_realloc(void *p, size_t size) FX_MUST_USE; /* takes p, gives the new block */
char *mem_strdup(const char *s) FX_MUST_USE;
char *mem_strndup(const char *s, size_t n) FX_MUST_USE; /* copies up to n bytes, adds a NUL */
void *mem_try_alloc(size_t size) FX_MUST_USE;
char *mem_try_strdup(const char *s) FX_MUST_USE;
void *mem_try_zalloc(size_t size) FX_MUST_USE;
void *mem_try_realloc(void *p, size_t size) FX_MUST_USE; /* on NULL p is still the caller's */
void mem_free(void *p); /* takes p; NULL is fine */

enum mem_kind {
#define MEM_KIND(id, name) MEM_##id,
#include "base/mem.def"
#undef MEM_KIND
	MEM_KIND_COUNT
};

struct mem_usage {
	const char *name; /* row name in SHOW MEM */
	size_t size;	  /* bytes of one object as last asked for */
	size_t used;	  /* objects alive */
	size_t bytes;	  /* bytes alive */
};

/* Zeroed object of a kind; NULL when there is no memory. */
void *mem_object_new(enum mem_kind kind, size_t size) FX_MUST_USE;
/* Takes p; size is what was asked for. */
void mem_object_free(enum mem_kind kind, void *p, size_t size);
/* Any thread; a snapshot, exact when no other thread allocates. */
void mem_usage_get(enum mem_kind kind, struct mem_usage *out);

/* For libraries that let us choose their malloc.  NULL: no memory, p is still the caller's. */
void *mem_library_alloc(size_t size) FX_MUST_USE;
void *mem_library_realloc(void *p, size_t size) FX_MUST_USE;
void mem_library_free(void *p);
/* This thread keeps libraries' blocks at hand (base/stock.h), until mem_library_keep_nothing, which it must call before it ends. */
void mem_library_keep(void);
void mem_library_keep_nothing(void);

struct mem_totals {
	size_t calls; /* blocks ever asked for, those of libraries included */
	size_t library_blocks, library_bytes; /* alive */
	size_t kept_blocks, kept_bytes;	      /* given back, and at hand for the next */
};

void mem_totals_get(struct mem_totals *out);

/* From now on *account grows by what this thread takes from the heap, libraries included, and shrinks by what it gives back; NULL: no
 * account.  Gives the former one.  Borrows account until the next call. */
size_t *mem_charge(size_t *account);
/* What a block costs, with the heap's own part; 0 for NULL. */
size_t mem_cost(const void *p);

#endif

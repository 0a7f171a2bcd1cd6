/*
 * mem.c - malloc and free, and the count of objects by kind.
 *
 * Any thread.  Must not log (the log allocates nothing, but may be the caller).
 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct mem_count {
	_Atomic size_t size;
	_Atomic size_t used;
	_Atomic size_t bytes;
};

static struct mem_count mem_counts[MEM_KIND_COUNT];

static const char *const mem_names[MEM_KIND_COUNT] = {
#define MEM_KIND(id, name) [MEM_##id] = name,
#include "base/mem.def"
#undef MEM_KIND
};

void *mem_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	CHECK(p != NULL);
	return p;
}

void *mem_zalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	CHECK(p != NULL);
	return p;
}

void *mem_aligned_zalloc(size_t align, size_t size)
{
	size_t whole = (size + align - 1) & ~(align - 1);
	void *p = aligned_alloc(align, whole);

	CHECK(p != NULL);
	memset(p, 0, whole);
	return p;
}

void *mem_realloc(void *p, size_t size)
{
	void *q = realloc(p, size ? size : 1);

	CHECK(q != NULL);
	return q;
}

char *mem_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = mem_alloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

void *mem_try_alloc(size_t size)
{
	return malloc(size ? size : 1);
}

char *mem_try_strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *p = mem_try_alloc(size);

	return p != NULL ? memcpy(p, s, size) : NULL;
}

void *mem_try_zalloc(size_t size)
{
	return calloc(1, size ? size : 1);
}

void *mem_try_realloc(void *p, size_t size)
{
	return realloc(p, size ? size : 1);
}

void mem_free(void *p)
{
	free(p);
}

void *mem_object_new(enum mem_kind kind, size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		return NULL;
	atomic_store_explicit(&mem_counts[kind].size, size, memory_order_relaxed);
	atomic_fetch_add_explicit(&mem_counts[kind].used, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&mem_counts[kind].bytes, size, memory_order_relaxed);
	return p;
}

void mem_object_free(enum mem_kind kind, void *p, size_t size)
{
	if (p == NULL)
		return;
	atomic_fetch_sub_explicit(&mem_counts[kind].used, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&mem_counts[kind].bytes, size, memory_order_relaxed);
	free(p);
}

void mem_usage_get(enum mem_kind kind, struct mem_usage *out)
{
	out->name = mem_names[kind];
	out->size = atomic_load_explicit(&mem_counts[kind].size, memory_order_relaxed);
	out->used = atomic_load_explicit(&mem_counts[kind].used, memory_order_relaxed);
	out->bytes = atomic_load_explicit(&mem_counts[kind].bytes, memory_order_relaxed);
}

/*
 * lberwipe.c - memory of liblber and libldap, wiped when it is given back.
 *
 * The blocks are the heap's own, so one that was taken before may be freed by these.
 */
#include "net/lberwipe.h"

#include "config.h"

#ifdef HAVE_LDAP

#include "base/mem.h"
#include "base/secret.h"

#include <lber.h>
#include <malloc.h>
#include <string.h>

static void *lberwipe_alloc(ber_len_t size, void *ctx FX_UNUSED)
{
	return mem_try_alloc(size);
}

static void *lberwipe_calloc(ber_len_t n, ber_len_t size, void *ctx FX_UNUSED)
{
	size_t all;

	return __builtin_mul_overflow((size_t)n, (size_t)size, &all) ? NULL : mem_try_zalloc(all);
}

static void lberwipe_free(void *p, void *ctx FX_UNUSED)
{
	if (p != NULL)
		secret_wipe(p, malloc_usable_size(p));
	mem_free(p);
}

static void *lberwipe_realloc(void *p, ber_len_t size, void *ctx)
{
	size_t old = p != NULL ? malloc_usable_size(p) : 0;
	void *q = mem_try_alloc(size);

	if (q == NULL)
		return NULL;
	if (p != NULL)
		memcpy(q, p, old < size ? old : size);
	lberwipe_free(p, ctx);
	return q;
}

void lberwipe_begin(void)
{
	BerMemoryFunctions fns = {
		.bmf_malloc = lberwipe_alloc,
		.bmf_calloc = lberwipe_calloc,
		.bmf_realloc = lberwipe_realloc,
		.bmf_free = lberwipe_free,
	};

	/* refused when somebody was faster: then theirs stay */
	(void)ber_set_option(NULL, LBER_OPT_MEMORY_FNS, &fns);
}

#else

void lberwipe_begin(void)
{
}

#endif

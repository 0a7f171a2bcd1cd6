/*
 * tlsmem.c - OpenSSL's memory comes through base/mem.
 */
#include "net/tlsmem.h"

#include "base/mem.h"

#include <openssl/crypto.h>

static void *tlsmem_malloc(size_t n, const char *file FX_UNUSED, int line FX_UNUSED)
{
	return n > 0 ? mem_library_alloc(n) : NULL;
}

static void *tlsmem_realloc(void *p, size_t n, const char *file FX_UNUSED, int line FX_UNUSED)
{
	if (n > 0)
		return mem_library_realloc(p, n);
	mem_library_free(p);
	return NULL;
}

static void tlsmem_free(void *p, const char *file FX_UNUSED, int line FX_UNUSED)
{
	mem_library_free(p);
}

void tlsmem_count(void)
{
	(void)CRYPTO_set_mem_functions(tlsmem_malloc, tlsmem_realloc, tlsmem_free);
}

/*
 * vault.c - memory for passwords and keys.
 *
 * Pieces of one power of two share a page; a page is locked when the first piece of it is taken.  Pages come from regions
 * of address space that are kept out of dumps; what is larger than half a page has a region of its own.
 */
#include "base/vault.h"

#include "base/lock.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* the leak checker does not look into what is not from malloc */
#ifdef FX_ADDRESS_SANITIZER
#include <sanitizer/lsan_interface.h>
#endif

#define VAULT_PAGE    ((size_t)4096)
#define VAULT_REGION  ((size_t)256 * 1024)
#define VAULT_MIN     ((size_t)32)
#define VAULT_CLASSES 7 /* 32 to 2048 */

struct vault_piece {
	struct vault_piece *next;
};

/* at the start of its memory, in a page of its own that holds nothing secret */
struct vault_region {
	struct vault_region *next, *prev;
	size_t size, used; /* of it */
};

static struct {
	struct lock lock;
	struct vault_region *region; /* the first is the one that pages are taken from */
	struct vault_region *own;    /* of one piece each */
	struct vault_piece *free[VAULT_CLASSES];
	struct vault_usage usage;
} vault_state = {.lock = {PTHREAD_MUTEX_INITIALIZER}};

static void vault_lock_pages(void *p, size_t n)
{
	vault_state.usage.bytes += n;
	/* mlock by another name: the sanitizers make nothing of that one */
	if (mlock2(p, n, 0) == 0)
		return;
	vault_state.usage.unlocked += n;
	vault_state.usage.error = errno;
}

static struct vault_region *vault_map(size_t size)
{
	struct vault_region *r = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(r != MAP_FAILED);
	(void)madvise(r, size, MADV_DONTDUMP);
#ifdef FX_ADDRESS_SANITIZER
	__lsan_register_root_region(r, size);
#endif
	*r = (struct vault_region){.size = size, .used = VAULT_PAGE};
	return r;
}

static void *vault_page(void)
{
	struct vault_region *r = vault_state.region;
	uint8_t *page;

	if (r == NULL || r->used == r->size) {
		r = vault_map(VAULT_REGION);
		r->next = vault_state.region;
		vault_state.region = r;
	}
	page = (uint8_t *)r + r->used;
	r->used += VAULT_PAGE;
	vault_lock_pages(page, VAULT_PAGE);
	return page;
}

/* VAULT_CLASSES: too large for any */
static unsigned vault_class(size_t size)
{
	unsigned class = 0;

	while (class < VAULT_CLASSES && (VAULT_MIN << class) < size)
		class++;
	return class;
}

static void *vault_take(unsigned class)
{
	struct vault_piece *piece = vault_state.free[class];
	size_t size = VAULT_MIN << class;

	if (piece == NULL) {
		uint8_t *page = vault_page();

		for (size_t at = VAULT_PAGE; at > 0; at -= size) {
			struct vault_piece *one = (void *)(page + at - size);

			one->next = piece;
			piece = one;
		}
	}
	vault_state.free[class] = piece->next;
	piece->next = NULL;
	return piece;
}

static void *vault_take_own(size_t size)
{
	struct vault_region *r;

	CHECK(size < SIZE_MAX / 2);
	size = (size + 2 * VAULT_PAGE - 1) & ~(VAULT_PAGE - 1);
	r = vault_map(size);
	r->used = size;
	vault_lock_pages((uint8_t *)r + VAULT_PAGE, size - VAULT_PAGE);
	r->next = vault_state.own;
	if (r->next != NULL)
		r->next->prev = r;
	vault_state.own = r;
	return (uint8_t *)r + VAULT_PAGE;
}

static void vault_free_own(void *p)
{
	struct vault_region *r = (void *)((uint8_t *)p - VAULT_PAGE);

	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		vault_state.own = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	vault_state.usage.bytes -= r->size - VAULT_PAGE;
#ifdef FX_ADDRESS_SANITIZER
	__lsan_unregister_root_region(r, r->size);
#endif
	(void)munmap(r, r->size);
}

void *vault_alloc(size_t size)
{
	unsigned class = vault_class(size);
	void *p;

	lock_take(&vault_state.lock);
	p = class < VAULT_CLASSES ? vault_take(class) : vault_take_own(size);
	lock_drop(&vault_state.lock);
	return p;
}

void vault_free(void *p, size_t size)
{
	unsigned class = vault_class(size);
	struct vault_piece *piece = p;

	if (p == NULL)
		return;
	explicit_bzero(p, size);
	lock_take(&vault_state.lock);
	if (class < VAULT_CLASSES) {
		piece->next = vault_state.free[class];
		vault_state.free[class] = piece;
	} else {
		vault_free_own(p);
	}
	lock_drop(&vault_state.lock);
}

void vault_lock_again(void)
{
	lock_take(&vault_state.lock);
	vault_state.usage = (struct vault_usage){.bytes = 0};
	for (struct vault_region *r = vault_state.region; r != NULL; r = r->next)
		vault_lock_pages((uint8_t *)r + VAULT_PAGE, r->used - VAULT_PAGE);
	for (struct vault_region *r = vault_state.own; r != NULL; r = r->next)
		vault_lock_pages((uint8_t *)r + VAULT_PAGE, r->used - VAULT_PAGE);
	lock_drop(&vault_state.lock);
}

void vault_get_usage(struct vault_usage *out)
{
	lock_take(&vault_state.lock);
	*out = vault_state.usage;
	lock_drop(&vault_state.lock);
}

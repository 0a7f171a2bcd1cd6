/*
 * strangers.c - a table of addresses of fixed size.
 *
 * Sets of eight places, chosen by a keyed hash, so that nobody can choose whom he meets.  A place with connections stays;
 * of the others that with the fewest and oldest failures makes room.
 */
#include "session/strangers.h"

#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/rnd.h"

#include <stdatomic.h>
#include <string.h>

#define STRANGERS_SETS 512
#define STRANGERS_WAYS 8
#define STRANGERS_KEY  9 /* family and eight bytes */

struct stranger {
	uint64_t since; /* until when failures are forgotten already */
	uint32_t connected;
	uint16_t failures;
	uint8_t key[STRANGERS_KEY]; /* family 0: free */
};

struct strangers {
	struct lock lock;
	uint64_t seed[2];
	_Atomic uint64_t counter[STRANGERS_COUNTERS];
	struct stranger place[STRANGERS_SETS * STRANGERS_WAYS];
};

struct strangers *strangers_new(void)
{
	struct strangers *s = mem_try_zalloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	lock_init(&s->lock);
	rnd_secure(s->seed, sizeof(s->seed));
	return s;
}

void strangers_free(struct strangers *s)
{
	if (s == NULL)
		return;
	lock_fini(&s->lock);
	mem_free(s);
}

static bool strangers_key(const struct addr *from, uint8_t key[STRANGERS_KEY])
{
	const uint8_t *ipv4 = addr_ipv4(from);

	memset(key, 0, STRANGERS_KEY);
	key[0] = ipv4 != NULL ? ADDR_IPV4 : from->family;
	if (ipv4 != NULL)
		memcpy(key + 1, ipv4, 4);
	else
		memcpy(key + 1, from->ip, from->family == ADDR_IPV6 ? 8 : 4);
	return from->family != ADDR_NONE;
}

static void strangers_forget(struct stranger *p, uint64_t now)
{
	uint64_t n;

	if (p->failures == 0 || now < p->since)
		return;
	n = (now - p->since) / STRANGERS_FORGET_US;
	p->since += n * STRANGERS_FORGET_US;
	p->failures = n >= p->failures ? 0 : (uint16_t)(p->failures - n);
}

/* may make room for it: a, when nobody is connected from there */
static bool strangers_is_rather(const struct stranger *a, const struct stranger *b)
{
	if (a->connected > 0)
		return false;
	if (b->connected > 0)
		return true;
	return a->failures != b->failures ? a->failures < b->failures : a->since < b->since;
}

/* NULL: it is not there, and there is no room for it or none was asked for */
static struct stranger *strangers_find(struct strangers *s, const struct addr *from, uint64_t now, bool make)
{
	struct stranger *set, *room;
	uint8_t key[STRANGERS_KEY];

	if (!strangers_key(from, key))
		return NULL;
	set = &s->place[(hash_bytes(s->seed, key, sizeof(key)) % STRANGERS_SETS) * STRANGERS_WAYS];
	room = set;
	for (size_t i = 0; i < STRANGERS_WAYS; i++) {
		strangers_forget(&set[i], now);
		if (memcmp(set[i].key, key, sizeof(key)) == 0)
			return &set[i];
		if (strangers_is_rather(&set[i], room))
			room = &set[i];
	}
	if (!make)
		return NULL;
	if (room->connected > 0) {
		strangers_count(s, STRANGERS_UNFOLLOWED, 1);
		return NULL;
	}
	*room = (struct stranger){.since = now};
	memcpy(room->key, key, sizeof(key));
	return room;
}

bool strangers_enter(struct strangers *s, const struct addr *from, unsigned max, uint64_t now, uint16_t *place)
{
	struct stranger *p;
	bool may = true;

	*place = 0;
	if (s == NULL)
		return true;
	lock_take(&s->lock);
	p = strangers_find(s, from, now, true);
	if (p != NULL && max > 0 && p->connected >= max) {
		may = false;
	} else if (p != NULL) {
		p->connected++;
		*place = (uint16_t)(p - s->place + 1);
	}
	lock_drop(&s->lock);
	return may;
}

void strangers_leave(struct strangers *s, uint16_t place)
{
	if (s == NULL || place == 0)
		return;
	lock_take(&s->lock);
	CHECK(s->place[place - 1].connected > 0);
	s->place[place - 1].connected--;
	lock_drop(&s->lock);
}

unsigned strangers_fail(struct strangers *s, const struct addr *from, uint64_t now)
{
	unsigned failures = 0;
	struct stranger *p;

	if (s == NULL)
		return 0;
	strangers_count(s, STRANGERS_FAILED, 1);
	lock_take(&s->lock);
	p = strangers_find(s, from, now, true);
	if (p != NULL) {
		if (p->failures == 0)
			p->since = now;
		if (p->failures < STRANGERS_FAILURES_MAX)
			p->failures++;
		failures = p->failures;
	}
	lock_drop(&s->lock);
	return failures;
}

uint64_t strangers_delay(struct strangers *s, const struct addr *from, uint64_t longest, uint64_t now)
{
	const struct stranger *p;
	unsigned failures;

	if (s == NULL || longest == 0)
		return 0;
	lock_take(&s->lock);
	p = strangers_find(s, from, now, false);
	failures = p != NULL ? p->failures : 0;
	lock_drop(&s->lock);
	if (failures < STRANGERS_FREE)
		return 0;
	failures -= STRANGERS_FREE;
	return failures < 3 ? longest >> (3 - failures) : longest;
}

void strangers_count(struct strangers *s, enum strangers_counter counter, uint64_t n)
{
	if (s != NULL)
		atomic_fetch_add_explicit(&s->counter[counter], n, memory_order_relaxed);
}

uint64_t strangers_counted(const struct strangers *s, enum strangers_counter counter)
{
	return s != NULL ? atomic_load_explicit(&s->counter[counter], memory_order_relaxed) : 0;
}

static void strangers_row(const struct stranger *p, struct strangers_row *row)
{
	*row = (struct strangers_row){.connected = p->connected, .failures = p->failures};
	row->from.family = p->key[0];
	memcpy(row->from.ip, p->key + 1, sizeof(p->key) - 1);
}

size_t strangers_read(struct strangers *s, size_t *at, struct strangers_row *row, size_t n, uint64_t now)
{
	size_t found = 0;

	if (s == NULL)
		return 0;
	while (found == 0 && *at < ARRAY_LEN(s->place)) {
		/* a few at a time: somebody who logs in may wait for the lock */
		lock_take(&s->lock);
		for (size_t end = *at + 64; *at < end && found < n; (*at)++) {
			struct stranger *p = &s->place[*at];

			strangers_forget(p, now);
			if (p->connected > 0 || p->failures > 0)
				strangers_row(p, &row[found++]);
		}
		lock_drop(&s->lock);
	}
	return found;
}

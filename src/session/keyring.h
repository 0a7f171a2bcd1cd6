/*
 * keyring.h - which client a cancel key belongs to.
 *
 * "Canceling Requests in Progress".  Each worker has a ring of its own clients; whoever
 * received a CancelRequest asks all rings, under their locks, so a wrong key costs no other
 * worker a turn.  A key is not stored: it is a keyed hash (SipHash-2-4) of the client's number
 * under the ring's secret, which nobody can guess and no other client ever has.
 */
#ifndef SESSION_KEYRING_H
#define SESSION_KEYRING_H

#include "base/lock.h"
#include "session/client.h"

#define KEYRING_KEY_LEN 32	/* bytes, protocol 3.2 */
#define KEYRING_KEY_LEN_3_0 4

struct keyring {
	struct lock lock; /* of all but the secret; of the clients: key_next; id, handle, cancel_pid and key_len do not change */
	struct client **slot; /* by pid, chained with key_next */
	unsigned slots, count;
	uint64_t secret[2];
};

struct keyring_hit {
	struct worker *worker;
	uint64_t handle; /* of the client, on that worker; it may have left meanwhile */
};

void keyring_init(struct keyring *r);
void keyring_fini(struct keyring *r); /* no client is in it any more */

/* The client's worker.  Once in a client's life; pid: what it is told, several clients may have the same one;
 * 0: one that no other client of this worker has, by chance. */
void keyring_enter(struct client *c, uint32_t pid);
void keyring_leave(struct client *c);
/* Appends BackendKeyData: 4 bytes of key for protocol 3.0, 32 for 3.2. */
void keyring_greet(const struct client *c, struct buf *out);

/* Any worker's thread.  false: nobody's.  Every client with this pid is compared, in constant time and whether or not
 * one was found before. */
bool keyring_find(struct worker *asking, uint32_t pid, const void *key, size_t key_len, struct keyring_hit *hit);

#endif

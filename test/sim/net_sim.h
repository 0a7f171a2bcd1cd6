/*
 * net_sim.h - the fake network: pairs of sockets with bytes on their way.
 *
 * Bytes arrive in order, in segments of any size, after any delay; a direction
 * holds so many bytes and not more.  Closing with unread bytes, and writing to
 * a closed end, make a reset, as with TCP.
 */
#ifndef SIM_NET_SIM_H
#define SIM_NET_SIM_H

#include "sim.h"

struct conn;
struct nsock;
struct nlink;

/* a piece of the stream on its way */
struct nflight {
	struct nflight *next;
	uint64_t at;
	uint8_t kind; /* 'd'ata, 'e'of, 'r'eset */
	uint32_t len, pos;
	uint8_t data[];
};

struct nsock {
	int fd;
	struct nlink *link;
	struct nsock *peer;
	const char *name;
	/* bytes to here */
	struct nflight *coming, *coming_tail;
	struct sim_event arrive;
	uint32_t coming_bytes;
	uint8_t *buf; /* arrived, not read */
	uint32_t len, cap;
	bool is_open;	 /* this end is not closed */
	bool is_eof;	 /* the peer's end of stream arrived (after buf) */
	bool is_reset;	 /* a reset arrived */
	bool said_eof;	 /* we sent ours */
	bool is_blocked; /* wants to hear of room */
	bool is_deaf;	 /* black hole: what arrives vanishes */
	struct sim_event room;
	/* readable, writable, ended; the owner looks for itself */
	void (*on_ready)(struct nsock *s);
	void *owner;
	/* the engine's part */
	struct conn *conn;
	bool is_connecting;
	int connect_err; /* -1: not yet known */
	struct sim_event connected;
};

/* Bytes that were written and will never be read; may be NULL. */
extern void (*net_sim_on_lost)(const struct nsock *to, const uint8_t *data, uint32_t n);

/* Calls net_sim_on_lost for what is on its way to nobody. */
void net_sim_review(void);

void net_sim_start(void);
/* Frees every socket that is left; returns how many ends were still open. */
unsigned net_sim_finish(void);
/* Ends that are open now. */
unsigned net_sim_open(void);

/* A connected pair; a is the side that connected. */
void net_sim_pair(struct nsock **a, struct nsock **b, const char *a_name, const char *b_name);
/* A lonely end, for connections that never come to be. */
struct nsock *net_sim_lonely(const char *name);
struct nsock *net_sim_by_fd(int fd);

/* Bytes taken (0: no room, is_blocked is set), -1: reset. */
int net_sim_write(struct nsock *s, const void *data, uint32_t n);
uint32_t net_sim_room(const struct nsock *s);
/* Bytes given; 0: nothing now, or the end (look at is_eof, is_reset). */
uint32_t net_sim_read(struct nsock *s, void *to, uint32_t n);
static inline bool net_sim_is_readable(const struct nsock *s)
{
	return s->len > 0 || s->is_eof || s->is_reset;
}
void net_sim_close(struct nsock *s);
/* Both ends see a reset, each in its own time: a cable was cut. */
void net_sim_cut(struct nsock *s);
/* Nothing comes through any more, and nobody is told. */
void net_sim_hush(struct nsock *s);
/* End of our stream; we may go on reading. */
void net_sim_shutdown(struct nsock *s);
/* A reset instead of an orderly close. */
void net_sim_abort(struct nsock *s);

#endif

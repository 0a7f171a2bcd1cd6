/*
 * fakeloop.h - a loop without a kernel: what is written is counted and thrown away, what is read is given by hand.
 *
 * For the fuzz targets of src/server.  One thread, one loop at a time.
 */
#ifndef TEST_FUZZ_SERVER_FAKELOOP_H
#define TEST_FUZZ_SERVER_FAKELOOP_H

#include "net/loop.h"

void fakeloop_init(struct loop *loop);
void fakeloop_fini(struct loop *loop); /* ends what still lives on it */
/* Time passes, and a turn with whatever has come due. */
void fakeloop_turn(struct loop *loop, uint64_t us);
/* Bytes come from c's peer, in one read or several.  Nothing happens when c does not read. */
void fakeloop_bytes(struct conn *c, const uint8_t *data, size_t n);
/* c's peer goes. */
void fakeloop_eof(struct conn *c);
/* The write side of all conns is full / has room again. */
void fakeloop_block(struct loop *loop, bool on);

#endif

/*
 * ioweight.h - what conns and loops weigh.
 *
 * The thread of the loop.
 */
#ifndef NET_IOWEIGHT_H
#define NET_IOWEIGHT_H

#include "base/weight.h"

struct conn;
struct loop;

/* What hangs on a conn; its own struct lies in the owner's, of the purpose own. */
void ioweight_conn(const struct conn *c, enum weight_purpose own, struct weight *to);
/* What a loop keeps for all of its conns. */
void ioweight_loop(struct loop *loop, struct weight *to);

#endif

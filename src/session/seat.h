/*
 * seat.h - a place among max_client_conn: who comes when all are taken, and who has kept one for too long without a word.
 *
 * A connection takes a seat when it is accepted.  When none is free it gets one at its startup packet, from whoever has been
 * silent longest in the middle of a login, on any worker, if that is stalled_login_grace or more; or is refused.  Silent is who
 * owes us the next step and no byte of a whole step has come: never one whom we let wait, never one who has proved who he
 * is.  On the client's worker.
 */
#ifndef SESSION_SEAT_H
#define SESSION_SEAT_H

#include "session/client.h"

/* In a login: the next step is the client's, from now on / it is ours.  Nothing for whoever has no seat. */
void seat_turn(struct client *c);
void seat_busy(struct client *c);
/* It has a seat, or there may be one for it. */
bool seat_may_come(struct client *c) FX_MUST_USE;
/* Goes on with admit_begin, now or when there is a seat; or refuses. */
void seat_begin(struct client *c);
void seat_refuse(struct client *c);
/* A login is over without success: the seat is free, though its client may be told something yet. */
void seat_leave(struct client *c);

#endif

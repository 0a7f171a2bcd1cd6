/*
 * prepared_check.h - what must hold of prepared statements.
 *
 * After each turn: no server has more of them than it may and than is unanswered.
 * At rest: what the pooler believes of an idle server is what the server has, each
 * under the name that its text and types make; and the names of a client that has
 * all its answers stand for what they stand for on a server of its own.
 */
#ifndef SIM_PREPARED_CHECK_H
#define SIM_PREPARED_CHECK_H

struct worker;

void prepared_check_start(void);
void prepared_check_turn(const struct worker *w, unsigned max);
void prepared_check_rest(const struct worker *workers, unsigned n);

#endif

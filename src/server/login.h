/*
 * login.h - our login to a PostgreSQL server ("Start-up" in the protocol's Message Flow).
 *
 * The server's worker, from reader and server.c only.  Ends in on_ready or
 * on_failed of the owner.
 */
#ifndef SERVER_LOGIN_H
#define SERVER_LOGIN_H

#include "server/server.h"

void login_begin(struct server *s);		  /* the connection is open */
bool login_is_open(const struct server *s);	  /* before the first ReadyForQuery */
bool login_may_receive(uint8_t type, size_t n); /* the table of what may be said to us now */
/* One whole message; false: not ours to handle. */
bool login_on_message(struct server *s, uint8_t type, const uint8_t *body, size_t n);
void login_settled(struct server *s);
/* The server ended the connection.  true: because of the protocol version we asked for, as far as we can tell; we are
 * connecting again, with 3.0. */
bool login_falls_back(struct server *s);
/* It does not wait for keys any more, if it did. */
void login_forget(struct server *s);

#endif

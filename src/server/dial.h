/*
 * dial.h - the first step of a server connection: look up its host, begin to connect.
 *
 * The server's worker.
 */
#ifndef SERVER_DIAL_H
#define SERVER_DIAL_H

#include "server/server.h"

/* State NEW.  May call the owner's on_failed and on_gone before it returns.  resolver NULL: hosts are numeric.
 * errands NULL: a password is waited for. */
void dial_start(struct server *s, struct resolver *resolver, struct errands *errands);
/* State LOGIN, the connection is closed, and the password was refused: if there is another by now, another connection. */
void dial_other_password(struct server *s);
/* server_tls_sslmode allow or prefer, and only one of TLS and the clear was tried: the next dial_again tries the other. */
bool dial_other_way(struct server *s);
/* State LOGIN or RESOLVING, the connection is closed: another one to the same address. */
void dial_again(struct server *s);

#endif

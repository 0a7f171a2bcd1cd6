/*
 * replica.h - clients of the replication protocol: each has a server connection of its own.
 *
 * "Streaming Replication Protocol".  What the client said in its startup packet goes to
 * the server as it is; the server is opened for it, logged in with the same replication
 * parameter, and closed when the client leaves.  The client's worker.
 */
#ifndef SESSION_REPLICA_H
#define SESSION_REPLICA_H

#include "proto/startup.h"
#include "session/client.h"

struct login;

/* A startup packet: keeps what belongs to the server.  false: the client has been refused. */
bool replica_take(struct client *c, const struct startup *s);
/* Admitted: asks for the server, and waits for it in state ATTACHING. */
void replica_begin(struct client *c);
/* Timeouts of queries and transactions are not for a stream that has no end. */
void replica_limits(struct conf_limits *l);
/* logical, physical, none: as SHOW CLIENTS has it. */
const char *replica_word(unsigned replication);

#endif

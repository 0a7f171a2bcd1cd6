/*
 * serverweight.h - what a server connection weighs.
 *
 * The server's worker.
 */
#ifndef SERVER_SERVERWEIGHT_H
#define SERVER_SERVERWEIGHT_H

#include "base/weight.h"

struct server;

void serverweight_add(const struct server *s, struct weight *to);

#endif

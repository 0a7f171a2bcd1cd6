/*
 * engine_pick.h - which engine the workers run on.
 *
 * The main thread, at start, before there are other threads.
 */
#ifndef NET_ENGINE_PICK_H
#define NET_ENGINE_PICK_H

#include "net/engine.h"

/* The io_uring engine, where this build has it and the kernel lets us; else NULL and a sentence why not. */
const struct engine_ops *engine_pick_uring(char *why, size_t size) FX_MUST_USE;

#endif

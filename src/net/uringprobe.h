/*
 * uringprobe.h - does the kernel do what our use of io_uring needs?
 *
 * The main thread, at start.  Versions are not asked for but tried: kernels get and
 * lose features, and sandboxes forbid.
 */
#ifndef NET_URINGPROBE_H
#define NET_URINGPROBE_H

#include "base/check.h"

/* 0, or -1 with a sentence. */
int uringprobe_run(char *error, size_t size) FX_MUST_USE;

#endif

/*
 * daemonize.h - the process as its host sees it: user, background, pid file, limits.
 *
 * The main thread, before any other thread exists.  Errors go to the log; -1 ends the start.
 */
#ifndef APP_DAEMONIZE_H
#define APP_DAEMONIZE_H

#include "base/check.h"

/* user NULL or "": stay who we are.  Refuses to go on as root. */
int daemonize_become(const char *user) FX_MUST_USE;
/* Forks into the background; the parent waits for daemonize_ready and exits with its status. */
int daemonize_fork(void) FX_MUST_USE;
void daemonize_ready(void);
/* path "": none.  Refuses when the file names a running process. */
int daemonize_write_pid(const char *path) FX_MUST_USE;
void daemonize_remove_pid(const char *path);
/* Raises the limit of open files as far as allowed; gives it. */
unsigned long daemonize_raise_files(void);
/* No core dump of us, and nobody but root looks into us; locks the secrets again that a fork has unlocked. */
void daemonize_close_up(bool allow_core_dump);

#endif

/*
 * log.h - one record, one line.
 *
 * Any thread.  Never blocks: a file is written at once (O_APPEND), a pipe or
 * terminal only when it can take the line; what could not be written is counted
 * and reported with the next line that can.  Everything outside printable ASCII
 * is escaped, so nothing a peer sent can forge a second record.
 *
 * Form: "2026-01-02 03:04:05.678 UTC [pid] LOG C-0x2a: db/user@addr:port text"
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/check.h"

#include <stdarg.h>

enum log_level {
	LOG_FATAL,
	LOG_ERROR,
	LOG_WARNING,
	LOG_LOG,
	LOG_DEBUG,
	LOG_NOISE,
};

struct log_settings {
	const char *file; /* NULL or "": none */
	bool to_stderr;
	bool json;
	int verbose; /* 0: up to LOG; 1: DEBUG; 2 and more: NOISE */
};

/* Control thread, at start and on reload.  Opens file anew (that is log rotation).  -1 with a
 * sentence in error when the file can't be opened; the former target stays in force then. */
int log_configure(const struct log_settings *settings, char *error, size_t size);
void log_close(void);

bool log_is_on(enum log_level level);
/* context may be NULL; no newline at the end of fmt */
void log_write(enum log_level level, const char *context, const char *fmt, ...) FX_PRINTF(3, 4);
/* may_wait: whoever calls calls log_flush(), too, before it sleeps; until then the line may be held, to be written with others.
 * Lines come in the order in which they were given all the same, and one that may not wait takes those before it along. */
void log_vwrite(enum log_level level, const char *context, bool may_wait, const char *fmt, va_list ap) FX_PRINTF(4, 0);
/* Writes what is held; costs nothing where nothing is. */
void log_flush(void);
/* Lines that could not be written since the start. */
uint64_t log_dropped(void);

/* For lines that a peer can cause: at most burst lines in each second for one limiter. */
struct log_limit {
	uint64_t second;
	uint32_t count;
	uint32_t suppressed;
};
bool log_limit_allows(struct log_limit *l, uint64_t mono_us, uint32_t burst);

#endif

/*
 * log.c - one record, one line, never blocking.
 *
 * A pipe that poll() calls writable takes PIPE_BUF bytes without blocking, and
 * no more are written at once; so a stopped reader costs lines, not latency.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_LINE_MAX 4000 /* below PIPE_BUF */
#define LOG_HELD_MAX PIPE_BUF

static struct {
	struct lock lock;
	int file_fd;
	char pid[16]; /* asking the system for it costs as much as writing a line; "": not known yet */
	bool never_blocks; /* file_fd is a file on disk */
	bool to_stderr, json;
	_Atomic int verbose;
	_Atomic uint64_t dropped;
	uint64_t dropped_told;
	struct clock_second now;
	char held[LOG_HELD_MAX]; /* lines that log_flush() will write */
	size_t held_len;
	unsigned held_lines;
	_Atomic bool is_holding;
} log_state = {.lock = {PTHREAD_MUTEX_INITIALIZER}, .file_fd = -1, .to_stderr = true};

static const char *const log_words[] = {"FATAL", "ERROR", "WARNING", "LOG", "DEBUG", "NOISE"};

static bool log_put(int fd, bool never_blocks, const char *lines, size_t n)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};

	if (!never_blocks && (poll(&pfd, 1, 0) != 1 || (pfd.revents & POLLOUT) == 0))
		return false;
	return write(fd, lines, n) == (ssize_t)n;
}

static bool log_emit(const char *lines, size_t n)
{
	bool ok = true;

	if (log_state.file_fd >= 0)
		ok = log_put(log_state.file_fd, log_state.never_blocks, lines, n);
	if (log_state.to_stderr && !log_put(STDERR_FILENO, false, lines, n))
		ok = false;
	return ok;
}

static void log_put_held(void)
{
	if (log_state.held_len == 0)
		return;
	if (!log_emit(log_state.held, log_state.held_len))
		atomic_fetch_add_explicit(&log_state.dropped, log_state.held_lines, memory_order_relaxed);
	log_state.held_len = log_state.held_lines = 0;
	atomic_store_explicit(&log_state.is_holding, false, memory_order_relaxed);
}

void log_flush(void)
{
	if (!atomic_load_explicit(&log_state.is_holding, memory_order_relaxed))
		return;
	lock_take(&log_state.lock);
	log_put_held();
	lock_drop(&log_state.lock);
}

int log_configure(const struct log_settings *settings, char *error, size_t size)
{
	struct stat st;
	int fd = -1;

	if (settings->file != NULL && settings->file[0] != '\0') {
		fd = open(settings->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
		if (fd < 0) {
			snprintf(error, size, "cannot open log file \"%s\": %s", settings->file,
				 strerrordesc_np(errno));
			return -1;
		}
	}
	lock_take(&log_state.lock);
	log_put_held();
	if (log_state.file_fd >= 0)
		close(log_state.file_fd);
	log_state.file_fd = fd;
	log_state.never_blocks = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	snprintf(log_state.pid, sizeof(log_state.pid), "%d", (int)getpid());
	log_state.to_stderr = settings->to_stderr;
	log_state.json = settings->json;
	lock_drop(&log_state.lock);
	atomic_store_explicit(&log_state.verbose, settings->verbose, memory_order_relaxed);
	return 0;
}

void log_close(void)
{
	lock_take(&log_state.lock);
	log_put_held();
	if (log_state.file_fd >= 0)
		close(log_state.file_fd);
	log_state.file_fd = -1;
	lock_drop(&log_state.lock);
}

bool log_is_on(enum log_level level)
{
	int verbose = atomic_load_explicit(&log_state.verbose, memory_order_relaxed);

	return level <= LOG_LOG || (level == LOG_DEBUG && verbose >= 1) || (level == LOG_NOISE && verbose >= 2);
}

uint64_t log_dropped(void)
{
	return atomic_load_explicit(&log_state.dropped, memory_order_relaxed);
}

/* JSON needs quotes and backslashes escaped; str_escape has already doubled the backslashes */
static void log_quote(char *dst, size_t size, const char *src)
{
	size_t at = 0;

	for (; *src != '\0' && at + 7 < size; src++) {
		if (*src == '"' || *src == '\\')
			dst[at++] = '\\';
		dst[at++] = *src;
	}
	dst[at] = '\0';
}

static size_t log_format(char *line, size_t size, enum log_level level, const char *context, const char *text)
{
	const char *parts[] = {" [", log_state.pid, "] ", log_words[level], " ", context != NULL ? context : "",
			       context != NULL ? " " : "", text};
	char quoted[LOG_LINE_MAX - 700], who[512] = "";
	size_t at;
	int n;

	if (!log_state.json) {
		char *end = line + clock_format_log(clock_wall_us(), &log_state.now, line, size);

		for (size_t i = 0; i < ARRAY_LEN(parts); i++)
			end = str_put(end, line + size, parts[i]);
		/* the newline takes the place of the end */
		at = (size_t)(end - line);
	} else {
		char when[48];

		clock_format_log(clock_wall_us(), &log_state.now, when, sizeof(when));
		log_quote(quoted, sizeof(quoted), text);
		if (context != NULL)
			log_quote(who, sizeof(who), context);
		n = snprintf(line, size, "{\"time\":\"%s\",\"pid\":%s,\"level\":\"%s\",\"context\":\"%s\",\"message\":\"%s\"}",
			     when, log_state.pid, log_words[level], who, quoted);
		if (n < 0)
			return 0;
		at = (size_t)n > size - 2 ? size - 2 : (size_t)n;
	}
	line[at] = '\n';
	return at + 1;
}

/* One more line to what is held, which is written if there is no room. */
static void log_hold(const char *line, size_t n)
{
	if (log_state.held_len + n > sizeof(log_state.held))
		log_put_held();
	memcpy(log_state.held + log_state.held_len, line, n);
	log_state.held_len += n;
	log_state.held_lines++;
	atomic_store_explicit(&log_state.is_holding, true, memory_order_relaxed);
}

void log_vwrite(enum log_level level, const char *context, bool may_wait, const char *fmt, va_list ap)
{
	char raw[LOG_LINE_MAX - 700], text[LOG_LINE_MAX - 600], who[400], line[LOG_LINE_MAX];
	uint64_t dropped;
	int n;

	if (!log_is_on(level))
		return;
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	if (n < 0)
		return;
	str_escape(text, sizeof(text), raw, (size_t)n < sizeof(raw) ? (size_t)n : sizeof(raw) - 1);
	if (context != NULL)
		str_escape(who, sizeof(who), context, strlen(context));
	lock_take(&log_state.lock);
	if (log_state.pid[0] == '\0')
		snprintf(log_state.pid, sizeof(log_state.pid), "%d", (int)getpid());
	dropped = log_dropped();
	if (dropped != log_state.dropped_told) {
		char told[64];

		snprintf(told, sizeof(told), "%llu log lines were lost",
			 (unsigned long long)(dropped - log_state.dropped_told));
		/* told again until it gets through */
		if (log_emit(line, log_format(line, sizeof(line), LOG_WARNING, NULL, told)))
			log_state.dropped_told = dropped;
	}
	log_hold(line, log_format(line, sizeof(line), level, context != NULL ? who : NULL, text));
	if (!may_wait)
		log_put_held();
	lock_drop(&log_state.lock);
}

void log_write(enum log_level level, const char *context, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vwrite(level, context, false, fmt, ap);
	va_end(ap);
}

bool log_limit_allows(struct log_limit *l, uint64_t mono_us, uint32_t burst)
{
	uint64_t second = mono_us / CLOCK_US_PER_SEC;

	if (second != l->second) {
		l->second = second;
		l->count = 0;
	}
	if (l->count < burst) {
		l->count++;
		return true;
	}
	l->suppressed++;
	return false;
}

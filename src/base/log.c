/*
 * log.c - one record, one line, never blocking.
 *
 * A pipe that poll() calls writable takes PIPE_BUF bytes without blocking, and
 * lines are shorter than that; so a stopped reader costs lines, not latency.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_LINE_MAX 4000 /* below PIPE_BUF */

static struct {
	struct lock lock;
	int file_fd;
	int pid; /* asking the system for it costs as much as writing a line; 0: not known yet */
	bool never_blocks; /* file_fd is a file on disk */
	bool to_stderr, json;
	_Atomic int verbose;
	_Atomic uint64_t dropped;
	uint64_t dropped_told;
	struct clock_second now;
} log_state = {.lock = {PTHREAD_MUTEX_INITIALIZER}, .file_fd = -1, .to_stderr = true};

static const char *const log_words[] = {"FATAL", "ERROR", "WARNING", "LOG", "DEBUG", "NOISE"};

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
	if (log_state.file_fd >= 0)
		close(log_state.file_fd);
	log_state.file_fd = fd;
	log_state.never_blocks = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	log_state.pid = getpid();
	log_state.to_stderr = settings->to_stderr;
	log_state.json = settings->json;
	lock_drop(&log_state.lock);
	atomic_store_explicit(&log_state.verbose, settings->verbose, memory_order_relaxed);
	return 0;
}

void log_close(void)
{
	lock_take(&log_state.lock);
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

static bool log_put(int fd, bool never_blocks, const char *line, size_t n)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};

	if (!never_blocks && (poll(&pfd, 1, 0) != 1 || (pfd.revents & POLLOUT) == 0))
		return false;
	return write(fd, line, n) == (ssize_t)n;
}

static bool log_emit(const char *line, size_t n)
{
	bool ok = true;

	if (log_state.file_fd >= 0)
		ok = log_put(log_state.file_fd, log_state.never_blocks, line, n);
	if (log_state.to_stderr && !log_put(STDERR_FILENO, false, line, n))
		ok = false;
	return ok;
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

static int log_pid(void)
{
	return log_state.pid != 0 ? log_state.pid : (int)getpid();
}

static size_t log_format(char *line, size_t size, enum log_level level, const char *context, const char *text)
{
	char when[48], quoted[LOG_LINE_MAX - 700], who[512] = "";
	int n;

	clock_format_log(clock_wall_us(), &log_state.now, when, sizeof(when));
	if (!log_state.json) {
		n = snprintf(line, size, "%s [%d] %s %s%s%s", when, log_pid(), log_words[level],
			     context != NULL ? context : "", context != NULL ? " " : "", text);
	} else {
		log_quote(quoted, sizeof(quoted), text);
		if (context != NULL)
			log_quote(who, sizeof(who), context);
		n = snprintf(line, size, "{\"time\":\"%s\",\"pid\":%d,\"level\":\"%s\",\"context\":\"%s\",\"message\":\"%s\"}",
			     when, log_pid(), log_words[level], who, quoted);
	}
	if (n < 0)
		return 0;
	if ((size_t)n > size - 2)
		n = (int)size - 2;
	line[n] = '\n';
	return (size_t)n + 1;
}

void log_vwrite(enum log_level level, const char *context, const char *fmt, va_list ap)
{
	char raw[LOG_LINE_MAX - 700], text[LOG_LINE_MAX - 600], who[400], line[LOG_LINE_MAX];
	uint64_t dropped;
	int n;

	if (!log_is_on(level))
		return;
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	if (n < 0)
		return;
	str_escape(text, sizeof(text), raw, strlen(raw));
	if (context != NULL)
		str_escape(who, sizeof(who), context, strlen(context));
	lock_take(&log_state.lock);
	dropped = log_dropped();
	if (dropped != log_state.dropped_told) {
		char told[64];

		snprintf(told, sizeof(told), "%llu log lines were lost",
			 (unsigned long long)(dropped - log_state.dropped_told));
		/* told again until it gets through */
		if (log_emit(line, log_format(line, sizeof(line), LOG_WARNING, NULL, told)))
			log_state.dropped_told = dropped;
	}
	if (!log_emit(line, log_format(line, sizeof(line), level, context != NULL ? who : NULL, text)))
		atomic_fetch_add_explicit(&log_state.dropped, 1, memory_order_relaxed);
	lock_drop(&log_state.lock);
}

void log_write(enum log_level level, const char *context, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vwrite(level, context, fmt, ap);
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

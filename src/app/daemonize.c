/*
 * daemonize.c - user, background, pid file, limits.
 */
#include "app/daemonize.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int daemonize_pipe = -1; /* to the parent that waits */

int daemonize_become(const char *user)
{
	struct passwd pw, *found = NULL;
	char room[4096];

	if (user == NULL || user[0] == '\0') {
		if (geteuid() != 0)
			return 0;
		log_write(LOG_FATAL, NULL, "fynixpool does not run as root: set user in the file or give -u USER");
		return -1;
	}
	if (getpwnam_r(user, &pw, room, sizeof(room), &found) != 0 || found == NULL) {
		log_write(LOG_FATAL, NULL, "user: no such user \"%s\"", user);
		return -1;
	}
	if (pw.pw_uid == 0) {
		log_write(LOG_FATAL, NULL, "fynixpool does not run as root: choose another user than \"%s\"", user);
		return -1;
	}
	if (geteuid() == pw.pw_uid)
		return 0;
	if (initgroups(pw.pw_name, pw.pw_gid) < 0 || setgid(pw.pw_gid) < 0 || setuid(pw.pw_uid) < 0 ||
	    setuid(0) == 0) {
		log_write(LOG_FATAL, NULL, "cannot become user \"%s\": %s", user, strerrordesc_np(errno));
		return -1;
	}
	return 0;
}

int daemonize_fork(void)
{
	int ends[2], null;
	char ok = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		log_write(LOG_FATAL, NULL, "cannot go to the background: %s", strerrordesc_np(errno));
		return -1;
	}
	if (pid > 0) {
		close(ends[1]);
		_exit(read(ends[0], &ok, 1) == 1 ? 0 : 1);
	}
	close(ends[0]);
	daemonize_pipe = ends[1];
	if (setsid() < 0)
		return -1;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		close(null);
	}
	return 0;
}

void daemonize_ready(void)
{
	int null;

	if (daemonize_pipe < 0)
		return;
	if (write(daemonize_pipe, "k", 1) < 0)
		log_write(LOG_WARNING, NULL, "the process that started us has gone");
	close(daemonize_pipe);
	daemonize_pipe = -1;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDERR_FILENO);
		close(null);
	}
}

static pid_t daemonize_read_pid(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

int daemonize_write_pid(const char *path)
{
	char text[32];
	int fd, n;
	pid_t other;

	if (path[0] == '\0')
		return 0;
	other = daemonize_read_pid(path);
	if (other > 0 && other != getpid() && (kill(other, 0) == 0 || errno == EPERM)) {
		log_write(LOG_FATAL, NULL, "pidfile %s names process %d, which is running", path, (int)other);
		return -1;
	}
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (fd < 0 || write(fd, text, (size_t)n) != n) {
		log_write(LOG_FATAL, NULL, "cannot write pidfile %s: %s", path, strerrordesc_np(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

void daemonize_remove_pid(const char *path)
{
	if (path[0] != '\0' && daemonize_read_pid(path) == getpid())
		(void)unlink(path);
}

unsigned long daemonize_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	return (unsigned long)limit.rlim_cur;
}

void daemonize_close_up(bool allow_core_dump)
{
	const struct rlimit none = {0, 0};

	vault_lock_again();
	/* a process that has changed its user is closed already */
	if (allow_core_dump)
		(void)prctl(PR_SET_DUMPABLE, 1);
	else if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		log_write(LOG_WARNING, NULL, "core dumps cannot be turned off: %s", strerrordesc_np(errno));
}

/*
 * program.c - runs a program and takes what it prints.
 */
#include "net/program.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM_LOOK_MS 20 /* how often it is looked whether it has ended */

struct program_run {
	const struct program *p;
	pid_t pid;
	int out, err; /* reading ends; -1: at their end */
	bool is_over;
	int status;
	struct buf *text;
	char *said;
	size_t said_len;
	bool is_said; /* the first line is there */
};

static void program_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Ours may hold a password: DATABASE_URL is our configuration. */
static bool program_is_ours(const char *entry)
{
	static const char *const names[] = {"DATABASE_URL=", "PGPASSWORD="};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static char **program_environment(const struct program *p)
{
	size_t n = 0, at = 0;
	char **env;

	while (environ[n] != NULL)
		n++;
	env = mem_alloc((n + PROGRAM_EXTRA + 1) * sizeof(*env));
	for (size_t i = 0; i < n; i++)
		if (!program_is_ours(environ[i]))
			env[at++] = environ[i];
	for (size_t i = 0; i < PROGRAM_EXTRA; i++)
		if (p->extra[i] != NULL)
			env[at++] = (char *)p->extra[i];
	env[at] = NULL;
	return env;
}

static int program_spawn(struct program_run *r, int out, int err)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	char **env = program_environment(r->p);
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	CHECK(posix_spawn_file_actions_init(&files) == 0 && posix_spawnattr_init(&attr) == 0);
	CHECK(posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) == 0 &&
	      posix_spawn_file_actions_adddup2(&files, out, 1) == 0 && posix_spawn_file_actions_adddup2(&files, err, 2) == 0 &&
	      posix_spawn_file_actions_addclosefrom_np(&files, 3) == 0);
	CHECK(posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP) == 0 &&
	      posix_spawnattr_setsigmask(&attr, &none) == 0 && posix_spawnattr_setsigdefault(&attr, &all) == 0 &&
	      posix_spawnattr_setpgroup(&attr, 0) == 0);
	rc = posix_spawn(&r->pid, r->p->argv[0], &files, &attr, r->p->argv, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	mem_free(env);
	return rc;
}

static void program_hear(struct program_run *r, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n && !r->is_said; i++) {
		if (data[i] == '\n' || r->said_len + 1 >= PROGRAM_SAID_MAX)
			r->is_said = r->said_len > 0;
		else
			r->said[r->said_len++] = data[i] >= ' ' && data[i] < 0x7f ? (char)data[i] : '?';
	}
	r->said[r->said_len] = '\0';
}

/* false: it has said too much */
static bool program_read(struct program_run *r, int *fd)
{
	uint8_t data[4096];
	ssize_t n = read(*fd, data, sizeof(data));
	bool fits = true;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		program_close(fd);
	else if (fd == &r->err)
		program_hear(r, data, (size_t)n);
	else
		fits = r->text->len + (size_t)n <= r->p->out_max && buf_append(r->text, data, (size_t)n) == 0;
	secret_wipe(data, sizeof(data));
	return fits;
}

/* NULL: it has ended, and all is read; else why it is to be killed. */
static const char *program_follow(struct program_run *r)
{
	while (r->out >= 0 || r->err >= 0 || !r->is_over) {
		uint64_t now = clock_mono_us();
		struct pollfd fds[2] = {{.fd = r->out, .events = POLLIN}, {.fd = r->err, .events = POLLIN}};

		if (!r->is_over && waitpid(r->pid, &r->status, WNOHANG) == r->pid)
			r->is_over = true;
		if (now >= r->p->until)
			/* who has ended may have left somebody behind who holds the pipe */
			return r->is_over ? "has left its output open" : "did not end in time";
		if (poll(fds, 2, r->is_over && r->out < 0 && r->err < 0 ? 0 : PROGRAM_LOOK_MS) <= 0)
			continue;
		if (fds[0].revents != 0 && !program_read(r, &r->out))
			return "printed too much";
		if (fds[1].revents != 0)
			(void)program_read(r, &r->err);
	}
	return NULL;
}

static int program_end(struct program_run *r, const char *why, char *error)
{
	if (!r->is_over) {
		(void)kill(-r->pid, SIGKILL);
		while (waitpid(r->pid, &r->status, 0) < 0 && errno == EINTR)
			;
	}
	if (why != NULL)
		snprintf(error, PROGRAM_ERROR_MAX, "%s", why);
	else if (WIFSIGNALED(r->status))
		snprintf(error, PROGRAM_ERROR_MAX, "was ended by signal %d", WTERMSIG(r->status));
	else if (WEXITSTATUS(r->status) != 0)
		snprintf(error, PROGRAM_ERROR_MAX, "ended with status %d", WEXITSTATUS(r->status));
	else
		return 0;
	return -1;
}

int program_run(const struct program *p, struct buf *out, char error[PROGRAM_ERROR_MAX], char said[PROGRAM_SAID_MAX])
{
	struct program_run r = {.p = p, .out = -1, .err = -1, .text = out, .said = said};
	int to_out[2], to_err[2], rc;

	said[0] = '\0';
	if (pipe2(to_out, O_CLOEXEC) < 0) {
		snprintf(error, PROGRAM_ERROR_MAX, "cannot be run: %s", strerrordesc_np(errno));
		return -1;
	}
	if (pipe2(to_err, O_CLOEXEC) < 0) {
		snprintf(error, PROGRAM_ERROR_MAX, "cannot be run: %s", strerrordesc_np(errno));
		close(to_out[0]);
		close(to_out[1]);
		return -1;
	}
	r.out = to_out[0];
	r.err = to_err[0];
	rc = program_spawn(&r, to_out[1], to_err[1]);
	close(to_out[1]);
	close(to_err[1]);
	if (rc == 0)
		rc = program_end(&r, program_follow(&r), error);
	else
		snprintf(error, PROGRAM_ERROR_MAX, "cannot be run: %s", strerrordesc_np(rc));
	program_close(&r.out);
	program_close(&r.err);
	return rc == 0 ? 0 : -1;
}

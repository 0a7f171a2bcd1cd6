/*
 * mustabort.h - sees that something aborts: in a child of its own, without a word on the terminal.
 */
#ifndef TEST_UNIT_SERVER_MUSTABORT_H
#define TEST_UNIT_SERVER_MUSTABORT_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool must_abort(void (*fn)(int a, int b), int a, int b)
{
	int status = 0, null;
	pid_t pid = fork();

	if (pid == 0) {
		null = open("/dev/null", O_WRONLY);
		if (null >= 0)
			(void)dup2(null, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		fn(a, b);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif

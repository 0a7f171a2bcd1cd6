/*
 * main.c - sim SEED [COUNT] [-v] [-m MODE] [-j JOBS] [-k] [-2]
 *
 * Runs COUNT seeds from SEED on; a seed that fails prints itself and its last
 * events.  Seeds run in child processes, so that one failure does not hide others.
 */
#include "world.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FAILURES 20
#define MAX_JOBS 16

struct shared {
	_Atomic unsigned long next;
	_Atomic unsigned long done;
	struct world_counts counts[MAX_JOBS];
	_Atomic unsigned long running[MAX_JOBS];
};

static struct shared *shared;
static unsigned long first_seed, seed_count = 1;
static enum world_mode mode = WORLD_ANY;
static bool is_verbose, runs_twice;
static unsigned jobs = 1;

static void on_abort(int sig)
{
	signal(sig, SIG_DFL);
	sim_print_trace();
	fflush(stderr);
	raise(sig);
}

/* the same seed must tell the same story */
static void run_again(unsigned long seed)
{
	struct world_counts counts = {0};
	uint64_t digest = sim.digest;

	world_run(seed, mode, false, &counts);
	if (sim.digest != digest) {
		fprintf(stderr, "sim: seed %lu told two stories\n", seed);
		exit(1);
	}
}

static void run_child(unsigned job)
{
	signal(SIGABRT, on_abort);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	signal(SIGSEGV, on_abort);
	signal(SIGBUS, on_abort);
	signal(SIGFPE, on_abort);
#endif
	for (;;) {
		unsigned long i = atomic_fetch_add(&shared->next, 1);

		if (i >= seed_count)
			break;
		atomic_store(&shared->running[job], first_seed + i);
		/* a seed that never ends is a failure, too */
		alarm(is_verbose ? 0 : 60);
		world_run(first_seed + i, mode, is_verbose, &shared->counts[job]);
		if (runs_twice)
			run_again(first_seed + i);
		atomic_fetch_add(&shared->done, 1);
	}
	alarm(0);
	exit(0);
}

static pid_t start_child(unsigned job)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run_child(job);
	CHECK(pid > 0);
	return pid;
}

static unsigned run_all(bool keep_going)
{
	pid_t pid[MAX_JOBS];
	unsigned alive = jobs, failures = 0;

	for (unsigned j = 0; j < jobs; j++)
		pid[j] = start_child(j);
	while (alive > 0) {
		int status;
		pid_t dead = wait(&status);

		for (unsigned j = 0; j < jobs; j++) {
			if (pid[j] != dead)
				continue;
			pid[j] = 0;
			alive--;
			if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
				continue;
			failures++;
			printf("FAIL: seed %lu (%s %d)\n", atomic_load(&shared->running[j]),
			       WIFSIGNALED(status) ? "signal" : "status",
			       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			if (!keep_going || failures >= MAX_FAILURES)
				atomic_store(&shared->next, seed_count);
			pid[j] = start_child(j);
			alive++;
		}
	}
	return failures;
}

static void print_counts(unsigned failures)
{
	struct world_counts sum = {0};
	unsigned long *to = (unsigned long *)&sum;

	for (unsigned j = 0; j < jobs; j++) {
		const unsigned long *from = (const unsigned long *)&shared->counts[j];

		for (size_t i = 0; i < sizeof(sum) / sizeof(*to); i++)
			to[i] += from[i];
	}
	printf("sim: %lu seeds passed, %u failed\n", atomic_load(&shared->done), failures);
#define WORLD_COUNT(name, text) printf("sim: %12lu " text "\n", sum.name);
	WORLD_COUNTS
#undef WORLD_COUNT
}

static int usage(void)
{
	fprintf(stderr, "usage: sim SEED [COUNT] [-v] [-k] [-2] [-j JOBS] [-m direct|toy|sabotage|pooler|pipeline|cancels]\n");
	return 2;
}

int main(int argc, char **argv)
{
	bool keep_going = false;
	unsigned n = 0, failures;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0)
			is_verbose = true;
		else if (strcmp(argv[i], "-k") == 0)
			keep_going = true;
		else if (strcmp(argv[i], "-2") == 0)
			runs_twice = true;
		else if (strcmp(argv[i], "-j") == 0 && i + 1 < argc)
			jobs = (unsigned)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "-m") == 0 && i + 1 < argc) {
			if (!world_mode_parse(argv[++i], &mode))
				return usage();
		} else if (n++ < 2)
			*(n == 1 ? &first_seed : &seed_count) = strtoul(argv[i], NULL, 10);
		else
			return usage();
	}
	if (n == 0 || jobs == 0 || jobs > MAX_JOBS)
		return usage();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	failures = run_all(keep_going);
	print_counts(failures);
	return failures > 0 ? 1 : 0;
}

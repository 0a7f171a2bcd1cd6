/*
 * folder.h - places for the files of unit tests, gone when the program ends, whatever became of its tests.
 *
 * main() calls folder_begin once; each test, which is a process of its own and may die, takes a folder in it.
 */
#ifndef TEST_UNIT_BASE_FOLDER_H
#define TEST_UNIT_BASE_FOLDER_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MAX 80 /* a socket's name must fit behind it */

static char folder_top[FOLDER_MAX];
static pid_t folder_owner;

static inline int folder_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static inline void folder_end(void)
{
	if (getpid() == folder_owner)
		(void)nftw(folder_top, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void folder_begin(void)
{
	const char *under = getenv("TMPDIR");
	int n = snprintf(folder_top, sizeof(folder_top) - 8, "%s/fx-unit-XXXXXX", under ? under : "/tmp");

	if (n >= (int)sizeof(folder_top) - 8 || mkdtemp(folder_top) == NULL) {
		fprintf(stderr, "cannot make a folder in TMPDIR, or its name is too long\n");
		exit(99);
	}
	folder_owner = getpid();
	atexit(folder_end);
}

/* A new one; FOLDER_MAX bytes at path. */
static inline void folder_make(char *path)
{
	ck_assert_int_gt(snprintf(path, FOLDER_MAX, "%s/XXXXXX", folder_top), 7);
	ck_assert_ptr_nonnull(mkdtemp(path));
}

#endif

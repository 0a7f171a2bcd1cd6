/*
 * rulefile.h - lines of fields of words, as PostgreSQL writes its rules of access.
 *
 * Control thread, at start and RELOAD.  A line ends at the newline unless a backslash
 * stands right before it; # outside quotes starts a comment; blanks separate fields,
 * commas the words of one field; "double quotes" hold blanks, commas, # and, doubled,
 * quotes.  An unquoted @file stands for the words in that file; a line "include file",
 * "include_if_exists file" or "include_dir dir" for the lines there (.conf files in the
 * order of their names).  Names are relative to the folder of the file they stand in.
 */
#ifndef CONF_RULEFILE_H
#define CONF_RULEFILE_H

#include "conf/strpool.h"

#define RULEFILE_BYTES_MAX ((size_t)4 << 20)  /* of all files together */
#define RULEFILE_LINE_MAX  ((size_t)64 << 10) /* continued lines count as one */
#define RULEFILE_DEPTH_MAX 10		      /* files inside each other */
#define RULEFILE_FILES_MAX 256		      /* opened in all */

struct rulefile_word {
	const char *text;
	bool is_quoted; /* it begins with a quote: no keyword, and not @file or +role */
};

struct rulefile_field {
	const struct rulefile_word *word;
	size_t words; /* 1 or more */
};

/* file and the words' texts live in the pool, the arrays until the callback returns. */
struct rulefile_line {
	const char *file;
	int line;
	const struct rulefile_field *field;
	size_t fields;	   /* with an error: those before it; 0: the line may say anything */
	const char *error; /* NULL, or a sentence */
};

struct rulefile_ask {
	struct strpool *texts; /* borrows; what is added stays there */
	/* Once for each line that is not empty, in order. */
	void (*on_line)(void *arg, const struct rulefile_line *line);
	void *arg;
	bool may_open_files; /* for tests over bytes: false makes @file and include errors of their line */
};

/* -1 with a sentence when the file itself cannot be read. */
int rulefile_read(const struct rulefile_ask *ask, const char *path, char *error, size_t size) FX_MUST_USE;
void rulefile_read_bytes(const struct rulefile_ask *ask, const void *p, size_t n, const char *name);

#endif

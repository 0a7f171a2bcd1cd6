/*
 * textfile.h - a whole text file in memory, then line by line.
 *
 * Control thread, at start and RELOAD: it may wait for the disk.  Bounded: files
 * of more than TEXTFILE_MAX bytes, lines of more than TEXTFILE_LINE_MAX, NUL
 * bytes, directories, pipes and devices other than character ones are refused.
 * The bytes are wiped when freed, for they may hold passwords.
 */
#ifndef CONF_TEXTFILE_H
#define CONF_TEXTFILE_H

#include "base/buf.h"

#include <sys/stat.h>

#define TEXTFILE_MAX      ((size_t)64 << 20)
#define TEXTFILE_LINE_MAX ((size_t)128 << 10)

struct textfile {
	struct buf bytes;
	size_t at; /* of the next line */
	int line;  /* number of the line last given */
	struct stat st;
};

enum textfile_result { TEXTFILE_LINE, TEXTFILE_END, TEXTFILE_TOO_LONG, TEXTFILE_HAS_NUL };

/* -1 with a sentence in error. textfile_fini in either case. */
int textfile_open(struct textfile *f, const char *path, char *error, size_t size) FX_MUST_USE;
/* The same over bytes in memory (copied). */
void textfile_open_bytes(struct textfile *f, const void *p, size_t n);
void textfile_fini(struct textfile *f);

/* The next line: NUL-terminated, without \n and \r, blanks trimmed at both ends; lent until the next
 * call and may be changed. A bad line is reported by the result and has been stepped over; n is its
 * length. */
enum textfile_result textfile_next(struct textfile *f, char **line, size_t *n);

/* ' ', \t, \r, \v, \f */
bool textfile_is_blank(char c);

#endif

/*
 * textfile.c - a whole text file in memory, then line by line.
 */
#include "conf/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int textfile_read(struct textfile *f, int fd, const char *path, char *error, size_t size)
{
	char chunk[16384];
	ssize_t n;

	if (fstat(fd, &f->st) < 0) {
		snprintf(error, size, "cannot read \"%s\": %s", path, strerrordesc_np(errno));
		return -1;
	}
	if (!S_ISREG(f->st.st_mode) && !S_ISCHR(f->st.st_mode)) {
		snprintf(error, size, "cannot read \"%s\": it is not a regular file", path);
		return -1;
	}
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			snprintf(error, size, "cannot read \"%s\": %s", path, strerrordesc_np(errno));
			return -1;
		}
		if (buf_append(&f->bytes, chunk, (size_t)n) < 0) {
			snprintf(error, size, "cannot read \"%s\": it is larger than %zu MB", path,
				TEXTFILE_MAX >> 20);
			return -1;
		}
	}
	explicit_bzero(chunk, sizeof(chunk));
	return 0;
}

static void textfile_skip_mark(struct textfile *f)
{
	/* the mark that some editors put before UTF-8 text */
	if (f->bytes.len >= 3 && memcmp(f->bytes.data, "\xef\xbb\xbf", 3) == 0)
		f->at = 3;
}

int textfile_open(struct textfile *f, const char *path, char *error, size_t size)
{
	int fd, rc;

	*f = (struct textfile){.line = 0};
	buf_init(&f->bytes, TEXTFILE_MAX);
	/* not blocking: opening a pipe must not hang the control thread */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		snprintf(error, size, "cannot open \"%s\": %s", path, strerrordesc_np(errno));
		return -1;
	}
	rc = textfile_read(f, fd, path, error, size);
	close(fd);
	textfile_skip_mark(f);
	return rc;
}

void textfile_open_bytes(struct textfile *f, const void *p, size_t n)
{
	*f = (struct textfile){.line = 0};
	buf_init(&f->bytes, TEXTFILE_MAX);
	(void)buf_append(&f->bytes, p, n);
	textfile_skip_mark(f);
}

void textfile_fini(struct textfile *f)
{
	buf_wipe(&f->bytes);
}

bool textfile_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

enum textfile_result textfile_next(struct textfile *f, char **line, size_t *n)
{
	char *all = (char *)f->bytes.data, *a, *b, *nl;
	size_t left = f->bytes.len - f->at;

	if (left == 0)
		return TEXTFILE_END;
	(void)buf_text(&f->bytes); /* a NUL behind the last line */
	a = all + f->at;
	nl = memchr(a, '\n', left);
	b = nl != NULL ? nl : a + left;
	f->at = nl != NULL ? (size_t)(nl + 1 - all) : f->bytes.len;
	f->line++;
	*n = (size_t)(b - a);
	*line = a;
	if (*n > TEXTFILE_LINE_MAX)
		return TEXTFILE_TOO_LONG;
	if (memchr(a, '\0', *n) != NULL)
		return TEXTFILE_HAS_NUL;
	while (a < b && textfile_is_blank(*a))
		a++;
	while (b > a && textfile_is_blank(b[-1]))
		b--;
	*b = '\0';
	*line = a;
	*n = (size_t)(b - a);
	return TEXTFILE_LINE;
}

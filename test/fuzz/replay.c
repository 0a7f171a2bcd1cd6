/*
 * replay.c - runs a fuzz target over its corpus with any compiler, for make check.
 *
 * Each file is given as it is, cut at every length up to 256 and damaged in a fixed
 * number of ways (seeded by the file's bytes, so every run is the same).  Fails when the
 * corpus is missing or empty.  The fuzzers themselves: test/fuzz/run.
 */
#include "base/buf.h"
#include "base/hash.h"
#include "base/rnd.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAMAGES 400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static unsigned long runs;

/* A heap block of the exact size, so that a sanitizer sees one byte too far. */
static void run(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (copy == NULL)
		abort();
	if (n > 0)
		memcpy(copy, p, n);
	(void)LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	runs++;
}

static void damage(struct rnd *r, uint8_t *p, size_t n)
{
	static const uint8_t likely[] = {0, 1, 0x7f, 0x80, 0xff, ',', '=', '\\', ' ', '-'};

	for (uint64_t left = 1 + rnd_below(r, 4); n > 0 && left > 0; left--) {
		size_t at = (size_t)rnd_below(r, n);

		switch (rnd_below(r, 3)) {
		case 0:
			p[at] = (uint8_t)(p[at] ^ (1u << rnd_below(r, 8)));
			break;
		case 1:
			p[at] = likely[rnd_below(r, sizeof(likely))];
			break;
		default: /* swaps two halves */
			for (size_t i = 0; at + i < n && i < at; i++) {
				uint8_t t = p[i];

				p[i] = p[at + i];
				p[at + i] = t;
			}
		}
	}
}

static void run_all(const struct buf *b)
{
	static const uint64_t key[2] = {1, 2};
	struct rnd r;
	uint8_t *p = malloc(b->len ? b->len : 1);

	if (p == NULL)
		abort();
	run(b->data, b->len);
	for (size_t n = 0; n < b->len && n <= 256; n++)
		run(b->data, n);
	rnd_seed(&r, hash_bytes(key, b->data, b->len));
	for (int i = 0; i < DAMAGES && b->len > 0; i++) {
		memcpy(p, b->data, b->len);
		damage(&r, p, b->len);
		run(p, (size_t)rnd_below(&r, 4) ? b->len : (size_t)rnd_below(&r, b->len));
	}
	free(p);
}

static void read_file(const char *dir, const char *name, struct buf *out)
{
	char part[4096], *path = NULL;
	size_t n;
	FILE *f;

	if (asprintf(&path, "%s/%s", dir, name) < 0 || (f = fopen(path, "rb")) == NULL) {
		fprintf(stderr, "%s/%s: can't be read\n", dir, name);
		exit(1);
	}
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		if (buf_append(out, part, n) < 0)
			abort();
	fclose(f);
	free(path);
}

int main(void)
{
	const char *top = getenv("top_srcdir");
	char *dir = NULL;
	unsigned long files = 0;
	struct dirent *e;
	struct buf b;
	DIR *d;

	if (asprintf(&dir, "%s/%s", top ? top : ".", CORPUS) < 0)
		abort();
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		buf_init(&b, 0);
		read_file(dir, e->d_name, &b);
		run_all(&b);
		buf_fini(&b);
		files++;
	}
	if (d != NULL)
		closedir(d);
	printf("%s: %lu files, %lu runs\n", dir, files, runs);
	free(dir);
	return files > 0 ? 0 : 1;
}

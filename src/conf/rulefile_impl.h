/*
 * rulefile_impl.h - what rulefile.c (files and lines) and rulewords.c (words) share.
 */
#ifndef CONF_RULEFILE_IMPL_H
#define CONF_RULEFILE_IMPL_H

#include "base/buf.h"
#include "conf/rulefile.h"

struct rulefile_reader {
	const struct rulefile_ask *ask;
	size_t files, bytes;
	unsigned depth;
	char error[512]; /* of the line that is being read */
};

/* The words of one line, field after field. */
struct rulewords {
	struct rulefile_word *word;
	size_t words, words_cap;
	size_t *end; /* of each field: index of the word behind it */
	size_t ends, ends_cap;
	struct rulefile_field *field; /* made by rulewords_give */
};

void rulewords_init(struct rulewords *w);
void rulewords_fini(struct rulewords *w);
/* NULL, or what is wrong; the fields before it are there then. */
const char *rulewords_read(struct rulefile_reader *r, struct rulewords *w, const char *text, const char *file);
/* Adds all words of text to the field that is being read. */
const char *rulewords_read_list(struct rulefile_reader *r, struct rulewords *w, const char *text, const char *file);
/* Sets the fields of at; they live as long as w. */
void rulewords_give(struct rulewords *w, struct rulefile_line *at);

/* Adds all words of the file @name; NULL or what is wrong. */
const char *rulefile_words_of(struct rulefile_reader *r, struct rulewords *words, const char *name, const char *from);

#endif

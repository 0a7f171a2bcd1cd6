/*
 * pattern_impl.h - the program of a pattern; shared by pattern.c, which runs it, and pattern_parse.c, which writes it.
 */
#ifndef BASE_PATTERN_IMPL_H
#define BASE_PATTERN_IMPL_H

#include "base/pattern.h"

#define PATTERN_CLASSES_MAX 128

enum pattern_op {
	PATTERN_CLASS, /* a byte of class x */
	PATTERN_SPLIT, /* go on at x, or else at y */
	PATTERN_JUMP,  /* go on at x */
	PATTERN_OPEN,  /* the first group begins here */
	PATTERN_CLOSE, /* ... and ends */
	PATTERN_BEGIN, /* only at the begin of the subject */
	PATTERN_END,   /* only at its end */
	PATTERN_FOUND,
};

/* x and y of SPLIT and JUMP count from this instruction, so that code can be moved and copied */
struct pattern_code {
	uint8_t op;
	int16_t x, y;
};

struct pattern_class {
	uint8_t bit[32];
};

struct pattern {
	struct pattern_code *code;
	struct pattern_class *class;
	size_t codes, classes;
	bool has_group;
};

static inline bool pattern_class_has(const struct pattern_class *c, uint8_t byte)
{
	return (c->bit[byte >> 3] >> (byte & 7) & 1) != 0;
}

/* pattern_parse.c: fills p, whose arrays have room for the maxima.  -1 with a sentence. */
int pattern_parse_text(struct pattern *p, const char *text, const char **error) FX_MUST_USE;

#endif

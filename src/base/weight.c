/*
 * weight.c - memory by purpose.
 */
#include "base/weight.h"

#include "base/mem.h"

static const char *const weight_words[WEIGHT_COUNT] = {
#define WEIGHT(id, word) [WEIGHT_##id] = word,
#include "base/weight.def"
#undef WEIGHT
};

const char *weight_word(enum weight_purpose purpose)
{
	CHECK(purpose < WEIGHT_COUNT);
	return weight_words[purpose];
}

void weight_bytes(struct weight *w, enum weight_purpose purpose, size_t objects, size_t bytes)
{
	w->of[purpose].objects += objects;
	w->of[purpose].bytes += bytes;
}

void weight_object(struct weight *w, enum weight_purpose purpose, const void *p)
{
	weight_bytes(w, purpose, p != NULL, mem_cost(p));
}

void weight_block(struct weight *w, enum weight_purpose purpose, const void *p)
{
	weight_bytes(w, purpose, 0, mem_cost(p));
}

void weight_add(struct weight *to, const struct weight *from)
{
	for (int i = 0; i < WEIGHT_COUNT; i++)
		weight_bytes(to, (enum weight_purpose)i, from->of[i].objects, from->of[i].bytes);
}

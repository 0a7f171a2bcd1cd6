/*
 * weight.h - memory by purpose, added up from the objects that exist.
 *
 * Nothing is counted while work is done: whoever wants to know goes to each thread and
 * has it weigh what it owns.  A block's weight is what it costs the heap.  One owner.
 */
#ifndef BASE_WEIGHT_H
#define BASE_WEIGHT_H

#include "base/buf.h"

enum weight_purpose {
#define WEIGHT(id, word) WEIGHT_##id,
#include "base/weight.def"
#undef WEIGHT
	WEIGHT_COUNT
};

struct weight {
	struct {
		size_t objects, bytes;
	} of[WEIGHT_COUNT];
};

const char *weight_word(enum weight_purpose purpose);
/* A block of the heap that is an object; NULL: none. */
void weight_object(struct weight *w, enum weight_purpose purpose, const void *p);
/* A block that belongs to an object that is counted already. */
void weight_block(struct weight *w, enum weight_purpose purpose, const void *p);
static inline void weight_buf(struct weight *w, enum weight_purpose purpose, const struct buf *b)
{
	weight_block(w, purpose, b->data);
}
void weight_bytes(struct weight *w, enum weight_purpose purpose, size_t objects, size_t bytes);
void weight_add(struct weight *to, const struct weight *from);

#endif

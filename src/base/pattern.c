/*
 * pattern.c - runs a pattern's program over a subject.
 *
 * All ways to match are followed at once, byte by byte, each instruction at most
 * once for each byte (Thompson 1968, with the first group's place carried along as
 * Pike did), so that nothing can take exponential time.
 */
#include "base/pattern.h"

#include "base/mem.h"
#include "base/pattern_impl.h"

#include <string.h>

#define PATTERN_NOWHERE UINT16_MAX

struct pattern_way {
	uint16_t at, open, close;
};

struct pattern_ways {
	struct pattern_way way[PATTERN_CODE_MAX];
	size_t n;
};

struct pattern_run {
	const struct pattern *p;
	const uint8_t *subject;
	size_t len, pos;
	uint16_t seen[PATTERN_CODE_MAX]; /* position + 1 at which the instruction was last added */
	struct pattern_way stack[2 * PATTERN_CODE_MAX];
};

/* Adds what can be reached from first without taking a byte, in the order of preference. */
static void pattern_add(struct pattern_run *run, struct pattern_ways *ways, struct pattern_way first)
{
	size_t depth = 0;

	run->stack[depth++] = first;
	while (depth > 0) {
		struct pattern_way w = run->stack[--depth];
		const struct pattern_code *code = &run->p->code[w.at];

		if (run->seen[w.at] == run->pos + 1)
			continue;
		run->seen[w.at] = (uint16_t)(run->pos + 1);
		switch ((enum pattern_op)code->op) {
		case PATTERN_CLASS:
		case PATTERN_FOUND:
			ways->way[ways->n++] = w;
			continue;
		case PATTERN_SPLIT:
			run->stack[depth] = w;
			run->stack[depth++].at = (uint16_t)(w.at + code->y);
			w.at = (uint16_t)(w.at + code->x);
			break;
		case PATTERN_JUMP:
			w.at = (uint16_t)(w.at + code->x);
			break;
		case PATTERN_OPEN:
			w.open = (uint16_t)run->pos;
			w.close = PATTERN_NOWHERE;
			w.at++;
			break;
		case PATTERN_CLOSE:
			w.close = (uint16_t)run->pos;
			w.at++;
			break;
		case PATTERN_BEGIN:
			if (run->pos != 0)
				continue;
			w.at++;
			break;
		case PATTERN_END:
			if (run->pos != run->len)
				continue;
			w.at++;
			break;
		}
		run->stack[depth++] = w;
	}
}

/* One byte for all ways.  true: *best is a match that nothing before it in the order of preference can beat any more. */
static bool pattern_step(struct pattern_run *run, const struct pattern_ways *now, struct pattern_ways *next,
			 struct pattern_way *best)
{
	size_t pos = run->pos;
	bool found = false;

	next->n = 0;
	run->pos = pos + 1;
	for (size_t i = 0; i < now->n && !found; i++) {
		struct pattern_way w = now->way[i];
		const struct pattern_code *code = &run->p->code[w.at];

		if (code->op == PATTERN_FOUND) {
			*best = w;
			found = true; /* what stands behind it is preferred less */
		} else if (pos < run->len && pattern_class_has(&run->p->class[code->x], run->subject[pos])) {
			w.at++;
			pattern_add(run, next, w);
		}
	}
	return found;
}

enum pattern_result pattern_match(const struct pattern *p, const char *subject, struct pattern_group *group)
{
	struct pattern_ways ways[2];
	struct pattern_run run = {.p = p, .subject = (const uint8_t *)subject, .len = strlen(subject)};
	struct pattern_way best = {.at = PATTERN_NOWHERE};
	const struct pattern_way start = {.at = 0, .open = PATTERN_NOWHERE, .close = PATTERN_NOWHERE};
	bool found = false;

	if (run.len > PATTERN_SUBJECT_MAX)
		return PATTERN_TOO_LONG;
	ways[0].n = 0;
	for (size_t pos = 0; pos <= run.len; pos++) {
		/* a later start counts less than all earlier ones */
		run.pos = pos;
		if (!found)
			pattern_add(&run, &ways[pos & 1], start);
		found = pattern_step(&run, &ways[pos & 1], &ways[~pos & 1], &best) || found;
		if (found && ways[~pos & 1].n == 0)
			break;
	}
	if (!found)
		return PATTERN_NO;
	if (group != NULL) {
		bool took_part = best.open != PATTERN_NOWHERE && best.close != PATTERN_NOWHERE;

		group->from = took_part ? subject + best.open : NULL;
		group->n = took_part ? (size_t)(best.close - best.open) : 0;
	}
	return PATTERN_YES;
}

struct pattern *pattern_new(const char *text, const char **error)
{
	struct pattern *p = mem_zalloc(sizeof(*p));

	p->code = mem_alloc(PATTERN_CODE_MAX * sizeof(*p->code));
	p->class = mem_alloc(PATTERN_CLASSES_MAX * sizeof(*p->class));
	if (pattern_parse_text(p, text, error) < 0) {
		pattern_free(p);
		return NULL;
	}
	p->code = mem_realloc(p->code, p->codes * sizeof(*p->code));
	p->class = mem_realloc(p->class, (p->classes + 1) * sizeof(*p->class));
	return p;
}

void pattern_free(struct pattern *p)
{
	if (p == NULL)
		return;
	mem_free(p->code);
	mem_free(p->class);
	mem_free(p);
}

bool pattern_has_group(const struct pattern *p)
{
	return p->has_group;
}

size_t pattern_cost(const struct pattern *p)
{
	return p->codes;
}

/*
 * sim.c - the queue of events, fake time, chance and the trace.
 *
 * The clocks and the kernel's chance are taken from the code under test with the
 * linker's --wrap, so that a seed decides everything.
 */
#include "sim.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACE_LINES 400
#define TRACE_WIDTH 200

struct sim sim;
void (*sim_describe)(void);

static char trace[TRACE_LINES][TRACE_WIDTH];
static unsigned trace_next;

uint64_t __wrap_clock_mono_us(void);
uint64_t __wrap_clock_wall_us(void);
void __wrap_rnd_secure(void *out, size_t n);

uint64_t __wrap_clock_mono_us(void)
{
	return sim.now;
}

uint64_t __wrap_clock_wall_us(void)
{
	return UINT64_C(1767225600000000) + sim.now;
}

void __wrap_rnd_secure(void *out, size_t n)
{
	uint8_t *p = out;

	while (n-- > 0)
		*p++ = (uint8_t)rnd_next(&sim.rnd);
}

/* memory that a peer's doings need may be refused */
void *__real_mem_try_alloc(size_t size);
void *__real_mem_try_zalloc(size_t size);
void *__real_mem_try_realloc(void *p, size_t size);
void *__real_mem_object_new(int kind, size_t size);
void *__wrap_mem_try_alloc(size_t size);
void *__wrap_mem_try_zalloc(size_t size);
void *__wrap_mem_try_realloc(void *p, size_t size);
void *__wrap_mem_object_new(int kind, size_t size);

static bool sim_is_starved(size_t size)
{
	/* no chunk for I/O is the end of the process, as chunk.h says */
	return sim.starve_one_in > 0 && size < 32768 && sim_one_in(sim.starve_one_in);
}

void *__wrap_mem_try_alloc(size_t size)
{
	return sim_is_starved(size) ? NULL : __real_mem_try_alloc(size);
}

void *__wrap_mem_try_zalloc(size_t size)
{
	return sim_is_starved(size) ? NULL : __real_mem_try_zalloc(size);
}

void *__wrap_mem_try_realloc(void *p, size_t size)
{
	return sim_is_starved(size) ? NULL : __real_mem_try_realloc(p, size);
}

void *__wrap_mem_object_new(int kind, size_t size)
{
	return sim_is_starved(size) ? NULL : __real_mem_object_new(kind, size);
}

/* what the pooler logs is part of the story */
void __wrap_log_vwrite(int level, const char *context, bool may_wait, const char *fmt, va_list ap) FX_PRINTF(4, 0);
void __wrap_log_write(int level, const char *context, const char *fmt, ...) FX_PRINTF(3, 4);

void __wrap_log_vwrite(int level, const char *context, bool may_wait FX_UNUSED, const char *fmt, va_list ap)
{
	char text[TRACE_WIDTH];

	vsnprintf(text, sizeof(text), fmt, ap);
	sim_trace("log %d: %s: %s", level, context != NULL ? context : "", text);
}

void __wrap_log_write(int level, const char *context, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	__wrap_log_vwrite(level, context, false, fmt, ap);
	va_end(ap);
}

void sim_start(uint64_t seed, bool verbose)
{
	struct sim_event **heap = sim.heap;
	uint32_t cap = sim.cap;

	sim = (struct sim){.seed = seed, .is_verbose = verbose, .heap = heap, .cap = cap};
	rnd_seed(&sim.rnd, seed);
	sim.now = 1000000 + sim_rnd(1000000);
	for (unsigned i = 0; i < TRACE_LINES; i++)
		trace[i][0] = '\0';
	trace_next = 0;
}

void sim_finish(void)
{
	for (uint32_t i = 0; i < sim.count; i++)
		sim.heap[i]->index = 0;
	sim.count = 0;
	sim.foreground = 0;
}

static bool sim_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void sim_put(uint32_t i, struct sim_event *e)
{
	sim.heap[i] = e;
	e->index = i + 1;
}

static void sim_up(uint32_t i, struct sim_event *e)
{
	while (i > 0 && sim_before(e, sim.heap[(i - 1) / 2])) {
		sim_put(i, sim.heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	sim_put(i, e);
}

static void sim_down(uint32_t i, struct sim_event *e)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= sim.count)
			break;
		if (child + 1 < sim.count && sim_before(sim.heap[child + 1], sim.heap[child]))
			child++;
		if (!sim_before(sim.heap[child], e))
			break;
		sim_put(i, sim.heap[child]);
		i = child;
	}
	sim_put(i, e);
}

void sim_cancel(struct sim_event *e)
{
	uint32_t i = e->index - 1;
	struct sim_event *last;

	if (e->index == 0)
		return;
	e->index = 0;
	if (!e->is_background)
		sim.foreground--;
	last = sim.heap[--sim.count];
	if (last == e)
		return;
	if (i > 0 && sim_before(last, sim.heap[(i - 1) / 2]))
		sim_up(i, last);
	else
		sim_down(i, last);
}

void sim_at(struct sim_event *e, uint64_t at)
{
	sim_cancel(e);
	e->at = at < sim.now ? sim.now : at;
	e->order = (uint32_t)rnd_next(&sim.rnd);
	if (sim.count == sim.cap) {
		sim.cap = sim.cap ? sim.cap * 2 : 256;
		sim.heap = realloc(sim.heap, sim.cap * sizeof(struct sim_event *));
		CHECK(sim.heap != NULL);
	}
	if (!e->is_background)
		sim.foreground++;
	sim_up(sim.count++, e);
}

void sim_after(struct sim_event *e, uint64_t delay)
{
	sim_at(e, sim.now + delay);
}

bool sim_step(void)
{
	struct sim_event *e;

	if (sim.count == 0)
		return false;
	e = sim.heap[0];
	sim_cancel(e);
	sim.now = e->at;
	sim.steps++;
	e->fire(e);
	return true;
}

static void sim_digest(const char *s)
{
	for (; *s != '\0'; s++)
		sim.digest = (sim.digest ^ (uint8_t)*s) * UINT64_C(1099511628211);
}

void sim_trace(const char *fmt, ...)
{
	char *line = trace[trace_next++ % TRACE_LINES];
	va_list ap;
	int n;

	n = snprintf(line, TRACE_WIDTH, "%10.6f ", (double)sim.now / 1e6);
	va_start(ap, fmt);
	vsnprintf(line + n, TRACE_WIDTH - (size_t)n, fmt, ap);
	va_end(ap);
	sim_digest(line);
	if (sim.is_verbose)
		fprintf(stderr, "%s\n", line);
}

void sim_print_trace(void)
{
	unsigned first = trace_next > TRACE_LINES ? trace_next - TRACE_LINES : 0;

	if (!sim.is_verbose)
		for (unsigned i = first; i < trace_next; i++)
			fprintf(stderr, "%s\n", trace[i % TRACE_LINES]);
	if (sim_describe != NULL)
		sim_describe();
	fprintf(stderr, "sim: seed %llu failed after %llu steps; run it alone with: sim %llu -v\n",
		(unsigned long long)sim.seed, (unsigned long long)sim.steps, (unsigned long long)sim.seed);
}

void sim_fail(const char *fmt, ...)
{
	va_list ap;

	sim_print_trace();
	fprintf(stderr, "sim: FAILED at %.6f: ", (double)sim.now / 1e6);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	fflush(stderr);
	_exit(1);
}

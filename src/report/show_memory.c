/*
 * show_memory.c - SHOW MEM_EXTENDED: what memory is used for.
 *
 * Each worker weighs what it owns (session/weigh.h); the control thread adds what the
 * process has once, and what malloc and the system say.
 */
#include "auth/identity.h"
#include "base/mem.h"
#include "report/memory.h"
#include "report/show.h"
#include "server/stmt.h"
#include "session/weigh.h"

#include <malloc.h>

#include "config.h"

static const struct reply_column show_memory_columns[] = {
	{"purpose", REPLY_TEXT},
	{"objects", REPLY_INT8},
	{"bytes", REPLY_INT8},
	{"bytes_per_idle_client", REPLY_INT8}, /* on average; null: does not depend on their number, or there is none */
	{"bytes_per_idle_server", REPLY_INT8},
};

/* what a worker gives: for each purpose a row of objects and bytes of all, bytes of idle clients and of idle servers; then one
 * with how many of these there are */
#define SHOW_MEMORY_PART 4

static void show_memory_rows(struct worker *w, const struct report_ask *ask FX_UNUSED, struct rowset *out)
{
	struct weigh sum = {.clients = 0};

	weigh_worker(w, &sum);
	for (unsigned i = 0; i < WEIGHT_COUNT; i++) {
		rowset_uint(out, sum.all.of[i].objects);
		rowset_uint(out, sum.all.of[i].bytes);
		rowset_uint(out, sum.idle_clients.of[i].bytes);
		rowset_uint(out, sum.idle_servers.of[i].bytes);
	}
	rowset_uint(out, sum.clients);
	rowset_uint(out, sum.servers);
	rowset_uint(out, 0);
	rowset_uint(out, 0);
}

static size_t show_memory_cell(const struct rowset *parts, size_t *at)
{
	struct rowset_cell cell;

	CHECK(rowset_next(parts, at, &cell) && cell.kind == ROWSET_UINT);
	return (size_t)cell.natural;
}

static void show_memory_join(const struct rowset *parts, struct weigh *sum)
{
	size_t at = 0, rows = rowset_rows(parts);

	CHECK(rows % (WEIGHT_COUNT + 1) == 0);
	for (size_t part = 0; part < rows / (WEIGHT_COUNT + 1); part++) {
		for (unsigned i = 0; i < WEIGHT_COUNT; i++) {
			sum->all.of[i].objects += show_memory_cell(parts, &at);
			sum->all.of[i].bytes += show_memory_cell(parts, &at);
			sum->idle_clients.of[i].bytes += show_memory_cell(parts, &at);
			sum->idle_servers.of[i].bytes += show_memory_cell(parts, &at);
		}
		sum->clients += show_memory_cell(parts, &at);
		sum->servers += show_memory_cell(parts, &at);
		(void)show_memory_cell(parts, &at);
		(void)show_memory_cell(parts, &at);
	}
}

/* what no worker owns */
static void show_memory_process(const struct report_view *view, struct weigh *sum)
{
	struct weight *all = &sum->all;
	struct mem_totals totals;
	struct mem_usage chunks;
	size_t kept = all->of[WEIGHT_BUFFERS_KEPT].objects + all->of[WEIGHT_BUFFER_RINGS].objects;
	size_t kept_bytes = all->of[WEIGHT_BUFFERS_KEPT].bytes + all->of[WEIGHT_BUFFER_RINGS].bytes;

	weight_bytes(all, WEIGHT_CONFIGURATION, 1, view->conf->bytes);
	stmt_store_weigh(view->hub->statements, all);
	monitor_weigh(view->monitor, all);
	mem_totals_get(&totals);
	/* contexts, algorithms and sessions under way are OpenSSL's as well */
	all->of[WEIGHT_TLS].objects = totals.library_blocks;
	all->of[WEIGHT_TLS].bytes = totals.library_bytes;
	weight_bytes(all, WEIGHT_TLS_KEPT, totals.kept_blocks, totals.kept_bytes);
	mem_usage_get(MEM_IOBUF, &chunks);
	if (chunks.used > kept && chunks.bytes > kept_bytes)
		weight_bytes(all, WEIGHT_BUFFERS, chunks.used - kept, chunks.bytes - kept_bytes);
}

static void show_memory_mean(size_t bytes, size_t count, struct rowset *out)
{
	if (count == 0)
		rowset_null(out);
	else
		rowset_uint(out, (bytes + count / 2) / count);
}

static void show_memory_line(const char *name, size_t bytes, struct rowset *out)
{
	rowset_text(out, name);
	rowset_null(out);
	rowset_uint(out, bytes);
	rowset_null(out);
	rowset_null(out);
}

static size_t show_memory_purposes(const struct weigh *sum, struct rowset *out)
{
	size_t all = 0;

	for (unsigned i = 0; i < WEIGHT_COUNT; i++) {
		rowset_text(out, weight_word((enum weight_purpose)i));
		rowset_uint(out, sum->all.of[i].objects);
		rowset_uint(out, sum->all.of[i].bytes);
		show_memory_mean(sum->idle_clients.of[i].bytes, sum->clients, out);
		show_memory_mean(sum->idle_servers.of[i].bytes, sum->servers, out);
		all += sum->all.of[i].bytes;
	}
	return all;
}

static size_t show_memory_sum(const struct weight *w)
{
	size_t sum = 0;

	for (unsigned i = 0; i < WEIGHT_COUNT; i++)
		sum += w->of[i].bytes;
	return sum;
}

/* what malloc has, and what the system has given; not every C library tells */
static void show_memory_heap(size_t known, struct rowset *out)
{
#ifdef HAVE_MALLINFO2
	struct mallinfo2 heap = mallinfo2();
	size_t used = heap.uordblks + heap.hblkhd;

	/* blocks that a thread holds back for itself are used as malloc sees it */
	show_memory_line("other", used > known ? used - known : 0, out);
	show_memory_line("malloc_free", heap.fordblks, out);
#else
	(void)known;
	show_memory_line("other", 0, out);
	show_memory_line("malloc_free", 0, out);
#endif
	show_memory_line("resident", (size_t)memory_used(), out);
}

static void show_memory_finish(const struct report_view *view, const struct rowset *parts, struct rowset *out)
{
	struct weigh sum = {.clients = 0};
	struct mem_totals totals;
	size_t known;

	show_memory_join(parts, &sum);
	show_memory_process(view, &sum);
	known = show_memory_purposes(&sum, out);
	show_memory_heap(known, out);
	rowset_text(out, "idle");
	rowset_uint(out, sum.clients + sum.servers);
	rowset_uint(out, show_memory_sum(&sum.idle_clients) + show_memory_sum(&sum.idle_servers));
	show_memory_mean(show_memory_sum(&sum.idle_clients), sum.clients, out);
	show_memory_mean(show_memory_sum(&sum.idle_servers), sum.servers, out);
	mem_totals_get(&totals);
	rowset_text(out, "allocations"); /* ever */
	rowset_uint(out, totals.calls);
	rowset_null(out);
	rowset_null(out);
	rowset_null(out);
}

const struct report_table show_memory_table = {
	.name = "MEM_EXTENDED",
	.role = IDENTITY_STATS,
	.column = show_memory_columns,
	.columns = ARRAY_LEN(show_memory_columns),
	.rows = show_memory_rows,
	.finish = show_memory_finish,
	.part_columns = SHOW_MEMORY_PART,
};

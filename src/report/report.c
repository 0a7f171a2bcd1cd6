/*
 * report.c - the list of tables, and how one is collected.
 */
#include "report/report.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/gather.h"
#include "report/show.h"

#include <string.h>

static const struct report_table *const report_tables[] = {
#define TABLE(table) &table,
#include "report/tables.def"
#undef TABLE
};

const struct report_table *report_next(size_t *at)
{
	return *at < ARRAY_LEN(report_tables) ? report_tables[(*at)++] : NULL;
}

const struct report_table *report_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(report_tables); i++)
		if (str_is_equal_nocase(report_tables[i]->name, name))
			return report_tables[i];
	return NULL;
}

struct report_part {
	struct sample sample;
	struct rowset rows;
};

struct report_run {
	const struct report_table *table;
	struct loop *control;
	struct report_view view;
	void (*done)(void *arg, const struct rowset *rows);
	void *arg;
	unsigned n;
	struct report_part part[];
};

static void report_part(struct worker *w, unsigned i, void *arg)
{
	struct report_run *run = arg;

	if (run->table->rows != NULL)
		run->table->rows(w, &run->view.ask, &run->part[i].rows);
	else
		sample_worker(w, &run->part[i].sample, false);
}

static void report_fill(struct report_run *run, struct rowset *out)
{
	struct sample now, *parts = mem_zalloc((run->n + 1) * sizeof(struct sample));

	sample_init(&now);
	for (unsigned i = 0; i < run->n; i++)
		parts[i] = run->part[i].sample;
	run->view.now = loop_now(run->control);
	sample_join(&now, parts, run->n, run->view.now);
	run->view.sample = &now;
	run->table->fill(&run->view, out);
	sample_fini(&now);
	mem_free(parts);
}

static size_t report_part_columns(const struct report_table *table)
{
	return table->finish != NULL ? table->part_columns : table->columns;
}

static void report_joined(void *arg)
{
	struct report_run *run = arg;
	struct rowset parts, all;

	rowset_init(&parts, report_part_columns(run->table));
	rowset_init(&all, run->table->columns);
	if (run->table->fill != NULL)
		report_fill(run, &all);
	for (unsigned i = 0; i < run->n; i++) {
		rowset_append(&parts, &run->part[i].rows);
		rowset_fini(&run->part[i].rows);
		sample_fini(&run->part[i].sample);
	}
	if (run->table->finish != NULL)
		run->table->finish(&run->view, &parts, &all);
	run->done(run->arg, run->table->rows != NULL && run->table->finish == NULL ? &parts : &all);
	rowset_fini(&parts);
	rowset_fini(&all);
	conf_unref(run->view.conf);
	mem_free(run);
}

static const struct gather_ops report_gather = {.part = report_part, .joined = report_joined};

void report_start(struct loop *control, struct worker **workers, unsigned n, const struct report_table *table,
	const struct report_view *view, void (*done)(void *arg, const struct rowset *rows), void *arg)
{
	struct report_run *run;

	if (table->is_local)
		n = 0;
	run = mem_zalloc(sizeof(*run) + n * sizeof(run->part[0]));
	run->table = table;
	run->control = control;
	run->view = *view;
	run->view.conf = conf_ref(view->conf);
	run->done = done;
	run->arg = arg;
	run->n = n;
	for (unsigned i = 0; i < n; i++) {
		sample_init(&run->part[i].sample);
		rowset_init(&run->part[i].rows, report_part_columns(table));
	}
	gather_start(control, workers, n, &report_gather, run);
}

/*
 * show.h - the tables, for each other and for report.c.
 *
 * The control thread, but for the tables with rows (the workers).
 */
#ifndef REPORT_SHOW_H
#define REPORT_SHOW_H

#include "report/report.h"

#define TABLE(table) extern const struct report_table table;
#include "report/tables.def"
#undef TABLE

/* load_balance_hosts as PgBouncer shows it: NULL unless the host is a list.  db may be NULL. */
const char *show_pools_hosts(const struct conf_database *db);
/* The users that SHOW USERS lists. */
size_t show_names_users_count(const struct report_view *view);

#endif

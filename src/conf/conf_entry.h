/*
 * conf_entry.h - a line of [databases], [users] or [peers] into its struct.
 *
 * Control thread, called while a snapshot is made.
 */
#ifndef CONF_CONF_ENTRY_H
#define CONF_CONF_ENTRY_H

#include "conf/conf_state.h"

/* Add the entry of the item, or replace the one of the same name; problems go to the report. */
void conf_entry_add_database(struct conf *c, const struct item *it, struct conf_report *report);
void conf_entry_add_user(struct conf *c, const struct item *it, struct conf_report *report);
void conf_entry_add_peer(struct conf *c, const struct item *it, struct conf_report *report);

#endif

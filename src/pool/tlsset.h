/*
 * tlsset.h - the TLS of a configuration: for clients, and for the servers of each database.
 *
 * Made by the control thread before a snapshot is given to anybody, and let go
 * of with it; what it holds is counted, so that connections outlive it.
 */
#ifndef POOL_TLSSET_H
#define POOL_TLSSET_H

#include "conf/conf.h"
#include "net/tlsctx.h"

/* Control thread.  Reads every file that conf's TLS settings name and puts the result into conf; what has not changed is
 * taken over from old (NULL: nothing).  -1: report says what is wrong, and where. */
int tlsset_make(struct conf *conf, const struct conf *old, struct conf_report *report) FX_MUST_USE;
/* Any thread; lent with conf.  NULL: clients are not offered TLS. */
struct tlsctx *tlsset_client(const struct conf *conf);
/* Of the servers of an entry of [databases]; NULL: server_tls_sslmode is disable there. */
struct tlsctx *tlsset_server(const struct conf *conf, const struct conf_database *db);
/* enum conf_tls_mode and enum conf_negotiation that hold for an entry */
int tlsset_mode(const struct conf *conf, const struct conf_database *db);
int tlsset_negotiation(const struct conf *conf, const struct conf_database *db);

#endif

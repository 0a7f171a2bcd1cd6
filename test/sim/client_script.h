/*
 * client_script.h - what fake clients say: steps and messages, for the scripts.
 */
#ifndef SIM_CLIENT_SCRIPT_H
#define SIM_CLIENT_SCRIPT_H

#include "fakeclient.h"

/* The next step; its messages go into the bytes. */
struct bytes *script_step(struct fclient *c, bool waits);
/* A word that nobody else says, valid for a few calls. */
const char *script_token(struct fclient *c);
void script_q(struct bytes *b, const char *fmt, ...) FX_PRINTF(2, 3);
void script_named(struct bytes *b, char type, char what, const char *name);
void script_e(struct bytes *b, const char *portal, uint32_t rows);

/* A request with prepared statements (statement_script.c). */
void script_prepared(struct fclient *c);
/* Prepares, says PIPELINE messages with an error at error_at of the manners, and uses every name (statement_script.c). */
#define PIPELINE 200
void script_pipeline(struct fclient *c);

#endif

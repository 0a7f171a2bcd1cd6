/*
 * hba_impl.h - what hba.c (files, life) and hbaline.c, hbaaddr.c (one line) share.
 */
#ifndef CONF_HBA_IMPL_H
#define CONF_HBA_IMPL_H

#include "conf/hba.h"
#include "conf/rulefile.h"

#define HBA_ERROR_MAX 320

/* A line that is being read. */
struct hbaline {
	struct hba *hba;
	const struct rulefile_line *at;
	size_t next; /* field */
	struct hba_rule rule;
	struct ldapopts_draft *ldap; /* NULL: no option of ldap yet */
	char error[HBA_ERROR_MAX];   /* "": none */
	char warning[HBA_ERROR_MAX]; /* "": none */
};

/* Fills l->rule; what it could not read stays open, l->error says why. */
void hbaline_parse(struct hbaline *l);
bool hbaline_bad(struct hbaline *l, const char *fmt, ...) FX_PRINTF(2, 3); /* gives false */
/* The next field, which must be one word; NULL after hbaline_bad. */
const struct rulefile_word *hbaline_word(struct hbaline *l, const char *what);
bool hbaaddr_parse(struct hbaline *l);
void hbaline_drop(struct hba_rule *rule); /* frees what a rule owns */

#endif

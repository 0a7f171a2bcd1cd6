/*
 * reckon.c - a login that waits until its keys have been computed.
 */
#include "session/reckon.h"

#include "base/mem.h"
#include "base/secret.h"
#include "server/derive.h"
#include "session/admit.h"
#include "session/entry_impl.h"
#include "session/worker.h"

struct reckon {
	struct derive_wait wait;
	struct client *client;
	struct secret body;
};

static void reckon_free(struct reckon *r)
{
	derive_forget(&r->wait);
	secret_drop(&r->body);
	mem_free(r);
}

/* The client may be gone afterwards. */
static void reckon_on_derived(struct derive_wait *w)
{
	struct reckon *r = container_of(w, struct reckon, wait);
	struct client *c = r->client;

	c->login->reckon = NULL;
	if (c->state == CLIENT_AUTH) {
		conn_resume(&c->conn);
		admit_proof(c, r->body.data, r->body.len);
	}
	reckon_free(r);
}

bool reckon_ask(struct client *c, const void *body, size_t n)
{
	struct reckon *r = mem_try_zalloc(sizeof(*r));

	CHECK(c->login->reckon == NULL);
	if (r == NULL) {
		scramjob_free(scram_cache_take_job(&c->worker->home.scram_cache));
		return false;
	}
	r->client = c;
	secret_set(&r->body, body, n);
	derive_wait_init(&r->wait, reckon_on_derived);
	if (!derive_ask(&c->worker->home.scram_cache, &r->wait)) {
		reckon_free(r);
		return false;
	}
	c->login->reckon = r;
	conn_pause(&c->conn, ENTRY_KEEP);
	return true;
}

void reckon_forget(struct login *l)
{
	struct reckon *r = l->reckon;

	l->reckon = NULL;
	if (r != NULL)
		reckon_free(r);
}

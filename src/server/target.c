/*
 * target.c - where a server connection goes.
 */
#include "server/target.h"

#include "base/mem.h"
#include "base/vault.h"

struct target *target_new(void)
{
	struct target *t = vault_alloc(sizeof(*t));

	atomic_init(&t->refs, 1);
	t->max_packet_size = UINT64_MAX;
	return t;
}

struct target *target_ref(struct target *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

const struct target_host *target_next_host(struct target *t)
{
	unsigned n = atomic_fetch_add_explicit(&t->next_host, 1, memory_order_relaxed);

	CHECK(t->hosts > 0);
	if (t->is_firm)
		n = atomic_load_explicit(&t->firm_host, memory_order_relaxed);
	return &t->host[n % t->hosts];
}

void target_host_failed(struct target *t, unsigned n)
{
	/* several may have been on their way to it: the next host is not skipped for that */
	(void)atomic_compare_exchange_strong(&t->firm_host, &n, n + 1 < t->hosts ? n + 1 : 0);
}

void target_share_source(struct target *t, const struct target *old)
{
	if (t->source == NULL || !passsource_is_same(t->source, old->source))
		return;
	passsource_unref(t->source);
	t->source = passsource_ref(old->source);
}

void target_inherit(struct target *t, const struct target *old)
{
	t->keys = old->keys;
	t->second_keys = old->second_keys;
	target_share_source(t, old);
	atomic_store(&t->next_host, atomic_load(&old->next_host));
	atomic_store(&t->firm_host, atomic_load(&old->firm_host));
	atomic_store(&t->works, atomic_load(&old->works));
	atomic_store(&t->speaks_3_0_only, atomic_load(&old->speaks_3_0_only));
}

void target_unref(struct target *t)
{
	if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	tlsctx_unref(t->tls);
	credential_fini(&t->credential);
	credential_keys_wipe(&t->keys);
	credential_fini(&t->second);
	passsource_unref(t->source);
	credential_keys_wipe(&t->second_keys);
	for (unsigned i = 0; i < t->hosts; i++) {
		mem_free(t->host[i].name);
		mem_free(t->host[i].path);
	}
	mem_free(t->dbname);
	mem_free(t->user);
	mem_free(t->name);
	mem_free(t->client_encoding);
	mem_free(t->datestyle);
	mem_free(t->timezone);
	mem_free(t->application_name);
	mem_free(t->connect_query);
	mem_free(t->check_query);
	mem_free(t->reset_query);
	mem_free(t->replication);
	mem_free(t->require_auth);
	if (t->extra != NULL)
		params_fini(t->extra);
	mem_free(t->extra);
	vault_free(t, sizeof(*t));
}

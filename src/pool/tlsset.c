/*
 * tlsset.c - the TLS of a configuration: for clients, and for the servers of each database.
 */
#include "pool/tlsset.h"

#include "base/mem.h"
#include "conf/hba.h"
#include "net/tlskernel.h"

#include <string.h>

struct tlsset {
	struct tlsctx *client;
	bool uses_kernel;
	size_t databases;
	struct tlsctx *server[]; /* beside conf->database */
};

static void tlsset_free(void *p)
{
	struct tlsset *t = p;

	tlsctx_unref(t->client);
	for (size_t i = 0; i < t->databases; i++)
		tlsctx_unref(t->server[i]);
	mem_free(t);
}

int tlsset_mode(const struct conf *conf, const struct conf_database *db)
{
	return db->server_tls_sslmode != CONF_UNSET ? (int)db->server_tls_sslmode : conf->set.server_tls_sslmode;
}

int tlsset_negotiation(const struct conf *conf, const struct conf_database *db)
{
	return db->server_tls_negotiation != CONF_UNSET ? (int)db->server_tls_negotiation
							: conf->set.server_tls_negotiation;
}

static const char *tlsset_pick(const char *own, const char *global)
{
	return own != NULL ? own : global;
}

/* A certificate that nobody would look at is not asked for: a client may have one that is for somebody else. */
static enum tlsctx_peer tlsset_client_peer(const struct conf *conf)
{
	const struct conf_settings *set = &conf->set;

	if (set->client_tls_sslmode >= CONF_TLS_VERIFY_CA)
		return TLSCTX_PEER_REQUIRED;
	if (set->client_tls_ca_file[0] == '\0')
		return TLSCTX_PEER_FREE;
	return set->auth_type == CONF_AUTH_CERT ||
			       (set->auth_type == CONF_AUTH_HBA && conf->hba != NULL && conf->hba->needs_certificates)
		       ? TLSCTX_PEER_MAY
		       : TLSCTX_PEER_FREE;
}

static int tlsset_client_make(struct tlsset *t, const struct conf *conf, struct tlsset *old, struct conf_report *report)
{
	const struct conf_settings *set = &conf->set;
	const struct tlsctx_spec spec = {
		.is_server = true,
		.uses_kernel = t->uses_kernel,
		.peer = tlsset_client_peer(conf),
		.cert_file = set->client_tls_cert_file,
		.key_file = set->client_tls_key_file,
		.ca_file = set->client_tls_ca_file,
		.crl_file = set->client_tls_crl_file,
		.protocols = set->client_tls_protocols,
		.ciphers = set->client_tls_ciphers,
		.suites = set->client_tls13_ciphers,
		.curve = set->client_tls_ecdhcurve,
		.dh = set->client_tls_dheparams,
	};
	char error[TLSCTX_ERROR_MAX];
	const char *file;
	int line;

	if (set->client_tls_sslmode == CONF_TLS_DISABLE)
		return 0;
	t->client = tlsctx_load(&spec, old != NULL ? old->client : NULL, NULL, error);
	if (t->client != NULL)
		return 0;
	file = conf_place(conf, "client_tls_cert_file", &line);
	conf_report_error(report, file, line, "TLS setup failed: %s", error);
	return -1;
}

struct tlsctx *tlsset_client(const struct conf *conf)
{
	const struct tlsset *t = conf->tls;

	return t != NULL ? t->client : NULL;
}

struct tlsctx *tlsset_server(const struct conf *conf, const struct conf_database *db)
{
	const struct tlsset *t = conf->tls;

	return t != NULL ? t->server[db - conf->database] : NULL;
}

/* the entry of that name in the configuration before this one */
static struct tlsctx *tlsset_before(const struct conf *old, const char *name)
{
	const struct conf_database *db = old != NULL ? conf_find_database(old, name) : NULL;

	return db != NULL && strcmp(db->name, name) == 0 ? tlsset_server(old, db) : NULL;
}

static int tlsset_server_make(struct tlsset *t, size_t i, const struct conf *conf, const struct conf *old,
			      struct conf_report *report)
{
	const struct conf_settings *set = &conf->set;
	const struct conf_database *db = &conf->database[i];
	int mode = tlsset_mode(conf, db);
	const struct tlsctx_spec spec = {
		.uses_kernel = t->uses_kernel,
		.peer = mode >= CONF_TLS_VERIFY_CA ? TLSCTX_PEER_REQUIRED : TLSCTX_PEER_FREE,
		.cert_file = tlsset_pick(db->server_tls_cert_file, set->server_tls_cert_file),
		.key_file = tlsset_pick(db->server_tls_key_file, set->server_tls_key_file),
		.ca_file = tlsset_pick(db->server_tls_ca_file, set->server_tls_ca_file),
		.crl_file = tlsset_pick(db->server_tls_crl_file, set->server_tls_crl_file),
		.protocols = tlsset_pick(db->server_tls_protocols, set->server_tls_protocols),
		.ciphers = tlsset_pick(db->server_tls_ciphers, set->server_tls_ciphers),
		.suites = tlsset_pick(db->server_tls13_ciphers, set->server_tls13_ciphers),
	};
	char error[TLSCTX_ERROR_MAX];

	if (mode == CONF_TLS_DISABLE)
		return 0;
	if (tlsset_negotiation(conf, db) == CONF_NEGOTIATION_DIRECT && mode < CONF_TLS_REQUIRE) {
		conf_report_error(report, db->file, db->line,
				  "database %s: server_tls_negotiation = direct needs server_tls_sslmode = require, "
				  "verify-ca or verify-full", db->name);
		return -1;
	}
	/* most entries have the settings of the one above */
	t->server[i] = tlsctx_load(&spec, tlsset_before(old, db->name), i > 0 ? t->server[i - 1] : NULL, error);
	if (t->server[i] != NULL)
		return 0;
	conf_report_error(report, db->file, db->line, "database %s: TLS setup failed: %s", db->name, error);
	return -1;
}

int tlsset_make(struct conf *conf, const struct conf *old, struct conf_report *report)
{
	struct tlsset *t = mem_zalloc(sizeof(*t) + conf->databases * sizeof(t->server[0]));
	int rc;

	t->databases = conf->databases;
	t->uses_kernel = conf->set.kernel_tls && tlskernel_is_offered();
	rc = tlsset_client_make(t, conf, old != NULL ? old->tls : NULL, report);
	for (size_t i = 0; i < conf->databases; i++)
		if (tlsset_server_make(t, i, conf, old, report) < 0)
			rc = -1;
	conf->tls = t;
	conf->tls_free = tlsset_free;
	return rc;
}

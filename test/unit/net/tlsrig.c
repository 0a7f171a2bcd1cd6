/*
 * tlsrig.c - certificates made on the spot, and two conns that speak TLS through a pair of hands.
 */
#include "tlsrig.h"
#include "test/unit/base/folder.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

void tlsrig_place(void)
{
	folder_begin();
}

static void tlsrig_extend(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

const char *tlsrig_file(const char *text)
{
	static char path[FOLDER_MAX + 8];
	char folder[FOLDER_MAX];
	FILE *f;

	folder_make(folder);
	snprintf(path, sizeof(path), "%s/f", folder);
	f = fopen(path, "w");
	ck_assert(f != NULL && fputs(text, f) >= 0);
	fclose(f);
	return path;
}

void tlsrig_make(struct tlsrig_cert *c, const char *cn, size_t cn_len, const char *san)
{
	char folder[FOLDER_MAX];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	static long serial;
	FILE *f;

	folder_make(folder);
	snprintf(c->cert, sizeof(c->cert), "%s/cert.pem", folder);
	snprintf(c->key, sizeof(c->key), "%s/key.pem", folder);
	ck_assert(key != NULL && x != NULL);
	(void)X509_set_version(x, 2);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	(void)X509_gmtime_adj(X509_getm_notBefore(x), -86400);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), 10 * 86400);
	(void)X509_set_pubkey(x, key);
	ck_assert_int_eq(X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, MBSTRING_UTF8,
						    (const unsigned char *)cn, (int)cn_len, -1, 0), 1);
	(void)X509_set_issuer_name(x, X509_get_subject_name(x));
	tlsrig_extend(x, NID_basic_constraints, "critical,CA:TRUE");
	if (san != NULL)
		tlsrig_extend(x, NID_subject_alt_name, san);
	ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
	f = fopen(c->cert, "w");
	ck_assert(f != NULL && PEM_write_X509(f, x) == 1);
	fclose(f);
	f = fopen(c->key, "w");
	ck_assert(f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
}

static struct tlsctx *tlsrig_load(const struct tlsctx_spec *spec)
{
	char error[TLSCTX_ERROR_MAX] = "";
	struct tlsctx *t = tlsctx_load(spec, NULL, NULL, error);

	ck_assert_msg(t != NULL, "%s", error);
	return t;
}

struct tlsctx *tlsrig_server(const struct tlsrig_cert *c, const char *protocols)
{
	return tlsrig_load(&(struct tlsctx_spec){
		.is_server = true, .cert_file = c->cert, .key_file = c->key, .protocols = protocols});
}

struct tlsctx *tlsrig_client(const struct tlsrig_cert *ca, const char *protocols)
{
	return tlsrig_load(&(struct tlsctx_spec){.peer = ca != NULL ? TLSCTX_PEER_REQUIRED : TLSCTX_PEER_FREE,
						 .ca_file = ca != NULL ? ca->cert : NULL,
						 .protocols = protocols});
}

void tlsrig_begin(struct tlsrig_pipe *p, struct loop *loop, struct tlsctx *server, struct tlsctx *client, const char *host)
{
	rig_init(&p->server);
	rig_init(&p->client);
	p->server_fd = rig_pair(&p->server, loop);
	p->client_fd = rig_pair(&p->client, loop);
	p->step = 65536;
	ck_assert_int_eq(tls_start(&p->server.conn, &(struct tls_ask){.ctx = server}), 0);
	ck_assert_int_eq(tls_start(&p->client.conn, &(struct tls_ask){.ctx = client, .host = host,
								      .verifies_host = host != NULL}), 0);
}

/* true: something has moved */
static bool tlsrig_shift(struct loop *loop, int from, int to, size_t step)
{
	uint8_t room[65536];
	ssize_t n;

	if (from < 0)
		return false;
	n = recv(from, room, step, MSG_DONTWAIT);
	if (n <= 0)
		return false;
	for (ssize_t at = 0; to >= 0 && at < n;) {
		ssize_t k = send(to, room + at, (size_t)(n - at), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (k < 0 && errno != EAGAIN)
			break;
		at += k > 0 ? k : 0;
		if (k < 0)
			rig_turn(loop);
	}
	return true;
}

bool tlsrig_move(struct tlsrig_pipe *p, bool to_server)
{
	return to_server ? tlsrig_shift(p->server.conn.loop, p->client_fd, p->server_fd, 65536)
			 : tlsrig_shift(p->server.conn.loop, p->server_fd, p->client_fd, 65536);
}

void tlsrig_carry(struct tlsrig_pipe *p, struct loop *loop)
{
	for (unsigned quiet = 0; quiet < 3;) {
		bool a = tlsrig_shift(loop, p->client_fd, p->server_fd, p->step);
		bool b = tlsrig_shift(loop, p->server_fd, p->client_fd, p->step);

		if (a)
			rig_turn(loop);
		if (a || b)
			quiet = 0;
		else
			quiet++;
		rig_turn(loop);
	}
}

bool tlsrig_is_secured(const struct rig_conn *r)
{
	return r->conn.is_open && r->conn.tls != NULL && !r->conn.is_securing && r->closed == 0;
}

void tlsrig_end(struct tlsrig_pipe *p)
{
	rig_fini(&p->server);
	rig_fini(&p->client);
	close(p->server_fd);
	close(p->client_fd);
}

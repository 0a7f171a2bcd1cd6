/*
 * tlsctx.h - what a TLS connection needs to begin: files and rules, read and checked once, counted.
 *
 * Loaded by the control thread, shared by all; each loop has an SSL_CTX of its
 * own, made from the bytes that were checked when they were loaded, so that
 * workers share no lock and a file that changes on disk changes nothing until
 * the next load.
 */
#ifndef NET_TLSCTX_H
#define NET_TLSCTX_H

#include "base/check.h"

#define TLSCTX_LOOPS 64	       /* workers */
#define TLSCTX_ERROR_MAX 512

enum tlsctx_peer {
	TLSCTX_PEER_FREE,     /* a certificate of the other side's is not asked for (we accept) or not checked (we dial) */
	TLSCTX_PEER_MAY,      /* we accept: asked for, and checked when there is one */
	TLSCTX_PEER_REQUIRED, /* must be there and be good */
};

struct tlsctx_spec {
	bool is_server; /* we accept; else we dial */
	bool uses_kernel; /* where it can, the kernel encrypts what goes out: tlskernel.h */
	enum tlsctx_peer peer;
	/* "" or NULL: none; for ca_file of one that dials and checks: the system's certificates */
	const char *cert_file, *key_file, *ca_file, *crl_file;
	const char *protocols; /* secure, all, legacy, or a list of tlsv1.0 to tlsv1.3; nothing below TLS 1.2 is spoken */
	const char *ciphers;   /* of TLS 1.2: default, secure, normal, fast, all, or OpenSSL's syntax */
	const char *suites;    /* of TLS 1.3; NULL or "": OpenSSL's */
	const char *curve;     /* auto, none or a list of groups */
	const char *dh;	       /* auto, none or legacy */
};

struct tlsctx;
struct ssl_ctx_st;

/* Control thread.  Gives a reference; old's when nothing has changed, else like's when that has the same rules and
 * bytes (NULL is fine for both).  NULL: error holds a sentence with the setting's file in it. */
struct tlsctx *tlsctx_load(const struct tlsctx_spec *spec, struct tlsctx *old, struct tlsctx *like,
			   char error[TLSCTX_ERROR_MAX]) FX_MUST_USE;
/* Any thread. */
struct tlsctx *tlsctx_ref(struct tlsctx *t);
void tlsctx_unref(struct tlsctx *t); /* NULL is fine */

/* For net's other files: the thread of loop number index.  Lent; NULL: no memory. */
struct ssl_ctx_st *tlsctx_of(struct tlsctx *t, unsigned index);
struct bio_method_st *tlsctx_method(const struct tlsctx *t);
bool tlsctx_is_server(const struct tlsctx *t);
/* A sentence for the newest error of OpenSSL on this thread, and none are left. */
void tlsctx_error(char *out, size_t size);

#endif

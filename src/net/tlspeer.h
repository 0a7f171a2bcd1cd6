/*
 * tlspeer.h - who is at the other end of a TLS connection, by its certificate.
 *
 * The conn's thread, after on_secured.
 */
#ifndef NET_TLSPEER_H
#define NET_TLSPEER_H

#include "net/conn.h"

/* Has the other side shown a certificate that was checked? */
bool tlspeer_is_known(const struct conn *c);
/* The common name of its subject.  false: no certificate, no name, more than one, a NUL in it, or longer than size - 1. */
bool tlspeer_common_name(const struct conn *c, char *out, size_t size) FX_MUST_USE;
/* The whole subject as RFC 2253 writes it. */
bool tlspeer_subject(const struct conn *c, char *out, size_t size) FX_MUST_USE;

#define TLSPEER_BINDING_MAX 64
/* RFC 5929 tls-server-end-point: the hash of the server's certificate (ours where we accept), for SCRAM-SHA-256-PLUS.
 * Its length; 0: there is none for this kind of certificate. */
size_t tlspeer_binding(const struct conn *c, uint8_t out[TLSPEER_BINDING_MAX]) FX_MUST_USE;

#endif

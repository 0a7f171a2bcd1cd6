/*
 * tlsrig.h - certificates made on the spot, and two conns that speak TLS through a pair of hands.
 */
#ifndef TEST_NET_TLSRIG_H
#define TEST_NET_TLSRIG_H

#include "rig.h"

#include "net/tls.h"

struct tlsrig_cert {
	char cert[256], key[256]; /* files; the certificate is its own authority */
};

/* Once, before the tests: files have a place. */
void tlsrig_place(void);
/* A file with that text; its name until the next one is asked for. */
const char *tlsrig_file(const char *text);
/* cn_len may count a NUL; san: "DNS:a,IP:1.2.3.4" or NULL. */
void tlsrig_make(struct tlsrig_cert *c, const char *cn, size_t cn_len, const char *san);
struct tlsctx *tlsrig_server(const struct tlsrig_cert *c, const char *protocols);
/* ca NULL: nothing is checked */
struct tlsctx *tlsrig_client(const struct tlsrig_cert *ca, const char *protocols);

/* What goes between two conns of one loop, in pieces. */
struct tlsrig_pipe {
	struct rig_conn server, client;
	int server_fd, client_fd; /* the other ends */
	size_t step;
};

/* Begins TLS on both; host: what the client checks, or NULL. */
void tlsrig_begin(struct tlsrig_pipe *p, struct loop *loop, struct tlsctx *server, struct tlsctx *client, const char *host);
/* Carries what is there now one way; false: nothing is.  No turn. */
bool tlsrig_move(struct tlsrig_pipe *p, bool to_server);
/* Carries everything there is, step bytes at a time, until nothing moves any more. */
void tlsrig_carry(struct tlsrig_pipe *p, struct loop *loop);
bool tlsrig_is_secured(const struct rig_conn *r);
void tlsrig_end(struct tlsrig_pipe *p);

#endif

/*
 * tlskernel.c - the way out of a TLS stream, encrypted by the kernel.
 *
 * See tlskernel.h.
 */
#include "config.h"

#include "net/tlskernel.h"

#include "base/mem.h"
#include "net/loop.h"
#include "net/tls_impl.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#if defined(HAVE_LINUX_TLS_H) && !defined(OPENSSL_NO_KTLS)

#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* "internal BIO" in openssl/bio.h: not for those who use a BIO, but for those who make one */
#define TLSKERNEL_SET_KEYS 72
#define TLSKERNEL_SET_TYPE 74
#define TLSKERNEL_CLEAR_TYPE 75

/* RFC 8446, appendix B */
#define TLSKERNEL_ALERT 21
#define TLSKERNEL_HANDSHAKE 22
#define TLSKERNEL_KEY_UPDATE 24 /* first byte of a handshake message */

/* in /proc/crypto: C alone has 100, what makes use of the processor has more */
#define TLSKERNEL_FAST 200

/* Encrypting in the kernel costs five times what it costs here when it does it without the processor's help. */
static bool tlskernel_is_fast(void)
{
	FILE *in = fopen("/proc/crypto", "re");
	bool is_gcm = false, is_fast = false;
	char line[256];
	int priority;

	while (in != NULL && !is_fast && fgets(line, sizeof(line), in) != NULL)
		if (strncmp(line, "name ", 5) == 0)
			is_gcm = strstr(line, ": gcm(aes)\n") != NULL;
		else if (is_gcm && sscanf(line, "priority : %d", &priority) == 1)
			is_fast = priority >= TLSKERNEL_FAST;
	if (in != NULL)
		fclose(in);
	return is_fast;
}

static bool tlskernel_has_module(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return false;
	/* who has the module wants a connection; who has not says so first */
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0)
		err = errno;
	close(fd);
	return err == 0 || err == ENOTCONN;
}

bool tlskernel_is_offered(void)
{
	return tlskernel_has_module() && tlskernel_is_fast();
}

/* What is at info depends on its cipher; 0 for one that the kernel's header does not have. */
static size_t tlskernel_length(const struct tls_crypto_info *info)
{
	switch (info->cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
		return sizeof(struct tls12_crypto_info_aes_gcm_128);
	case TLS_CIPHER_AES_GCM_256:
		return sizeof(struct tls12_crypto_info_aes_gcm_256);
	case TLS_CIPHER_CHACHA20_POLY1305:
		return sizeof(struct tls12_crypto_info_chacha20_poly1305);
	default:
		return 0;
	}
}

/* All that was said before must be with the kernel: what it gets after the keys, it encrypts. */
static bool tlskernel_is_clear(struct tls *t)
{
	size_t *former = mem_charge(NULL);

	conn_flush(t->conn);
	(void)mem_charge(former);
	return t->conn->out_bytes == 0;
}

static bool tlskernel_take(struct tls *t, const struct tls_crypto_info *info)
{
	struct conn *c = t->conn;
	size_t n = tlskernel_length(info);

	if (n == 0 || !tlskernel_is_clear(t) ||
	    setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0 ||
	    setsockopt(c->fd, SOL_TLS, TLS_TX, info, (socklen_t)n) < 0)
		return false;
	c->loop->kernel_tls++;
	return true;
}

long tlskernel_control(struct tls *t, int what, long n, const void *p)
{
	switch (what) {
	case TLSKERNEL_SET_KEYS:
		/* n: the way out, not in */
		if (n != 0 && !t->is_kernels)
			t->is_kernels = tlskernel_take(t, p);
		return n != 0 && t->is_kernels;
	case BIO_CTRL_GET_KTLS_SEND:
		return t->is_kernels;
	case TLSKERNEL_SET_TYPE:
		t->record_type = (uint8_t)n;
		return 0;
	case TLSKERNEL_CLEAR_TYPE:
		t->record_type = 0;
		return 0;
	default:
		return 0;
	}
}

bool tlskernel_write(struct tls *t, const void *data, size_t n)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(t->record_type))];
	} control;
	struct iovec vec = {.iov_base = (void *)(uintptr_t)data, .iov_len = n};
	struct msghdr msg = {.msg_iov = &vec, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.room)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	uint8_t type = t->record_type;
	ssize_t sent;

	/* An answer to the peer's new keys, with new ones of ours.  The kernel keeps the keys that it has, so the peer is
	 * told nothing, and goes on with these. */
	if (type == TLSKERNEL_HANDSHAKE && n > 0 && *(const uint8_t *)data == TLSKERNEL_KEY_UPDATE)
		return true;
	memset(&control, 0, sizeof(control));
	head->cmsg_level = SOL_TLS;
	head->cmsg_type = TLS_SET_RECORD_TYPE;
	head->cmsg_len = CMSG_LEN(sizeof(type));
	memcpy(CMSG_DATA(head), &type, sizeof(type));
	do
		sent = sendmsg(t->conn->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	/* whoever does not read misses no more than a farewell */
	return sent == (ssize_t)n || type == TLSKERNEL_ALERT;
}

#else

bool tlskernel_is_offered(void)
{
	return false;
}

long tlskernel_control(struct tls *t FX_UNUSED, int what FX_UNUSED, long n FX_UNUSED, const void *p FX_UNUSED)
{
	return 0;
}

bool tlskernel_write(struct tls *t FX_UNUSED, const void *data FX_UNUSED, size_t n FX_UNUSED)
{
	return false;
}

#endif

/*
 * stray.c - what had arrived for a conn when it leaves its loop.
 *
 * See stray.h.  Calls nobody back.
 */
#include "net/stray.h"

#include "net/loop.h"
#include "net/tlsout.h"

#include <errno.h>
#include <sys/socket.h>

void stray_bytes(struct conn *c, struct chunk *chunk, uint8_t *data, size_t n)
{
	struct conn *active = c->loop->active;
	bool was_paused = c->is_paused;

	if (c->must_end)
		return;
	/* a paused conn keeps what comes */
	c->is_paused = true;
	conn_input(c, chunk, data, n);
	c->is_paused = was_paused;
	c->loop->active = active;
	if (c->tls == NULL || c->out_bytes == 0)
		return;
	/* TLS wants to answer, but the memory of that answer is this loop's */
	tlsout_drop(c);
	c->out_bytes = 0;
	stray_end(c, CONN_END_RESET, ECONNABORTED);
}

void stray_rest(struct conn *c)
{
	/* not the loop's reading place, where bytes may lie that c is just being told of */
	struct chunk *chunk = chunk_new(&c->loop->chunks);
	ssize_t n;

	do
		n = recv(c->fd, chunk->data, CHUNK_SIZE, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		stray_bytes(c, chunk, chunk->data, (size_t)n);
	else if (n == 0)
		stray_end(c, CONN_END_EOF, 0);
	else if (errno != EAGAIN && errno != EWOULDBLOCK)
		stray_end(c, CONN_END_RESET, errno);
	chunk_unref(chunk);
}

void stray_end(struct conn *c, enum conn_end end, int err)
{
	if (c->must_end)
		return;
	c->must_end = true;
	c->end_kind = (uint8_t)end;
	c->end_err = err;
}

/*
 * desk.c - a client of the console.
 *
 * Simple queries only, whole, bounded, one at a time.
 */
#include "session/desk.h"

#include "proto/wire.h"
#include "session/entry_impl.h"
#include "session/worker.h"

#include <string.h>

static void desk_command(struct client *c, const uint8_t *body, size_t n)
{
	const uint8_t *nul = memchr(body, 0, n);

	if (nul == NULL || nul != body + n - 1) {
		client_fail(c, CLIENT_END_PROTOCOL, "malformed query message");
		return;
	}
	client_enter(c, CLIENT_COMMAND);
	conn_pause(&c->conn, DESK_COMMAND_MAX);
	c->worker->console->on_command(c->worker, c->handle, c->identity, (const char *)body, n - 1);
}

static void desk_message(struct client *c, uint8_t type, const uint8_t *body, size_t n)
{
	switch (type) {
	case FE_QUERY:
		desk_command(c, body, n);
		break;
	case FE_TERMINATE:
		client_close(c, CLIENT_END_QUIT);
		break;
	case FE_SYNC:
	case FE_FLUSH:
		break;
	default:
		client_fail(c, CLIENT_END_CONSOLE, NULL);
		break;
	}
}

/* one whole command at the front of the collected bytes is handled; false: more bytes are needed */
static bool desk_step(struct client *c, struct buf *in)
{
	struct buf message;
	size_t length;

	if (in->len < WIRE_HEADER_LEN)
		return false;
	length = (size_t)in->data[1] << 24 | (size_t)in->data[2] << 16 | (size_t)in->data[3] << 8 | in->data[4];
	if (length < 4 || length > DESK_COMMAND_MAX) {
		client_fail(c, CLIENT_END_PROTOCOL, "console command is too long");
		return false;
	}
	if (in->len < length + 1)
		return false;
	/* handling may free the login with its buffer: work on a copy */
	buf_init(&message, DESK_COMMAND_MAX + WIRE_HEADER_LEN);
	if (buf_append(&message, in->data, length + 1) == 0) {
		buf_consume(in, length + 1);
		desk_message(c, message.data[0], message.data + WIRE_HEADER_LEN, length - 4);
	}
	buf_fini(&message);
	return c->state == CLIENT_CONSOLE;
}

static bool desk_is_open(const struct client *c)
{
	return c->state == CLIENT_CONSOLE || c->state == CLIENT_COMMAND;
}

size_t desk_on_bytes(struct client *c, const uint8_t *data, size_t n)
{
	if (buf_append(&c->login->in, data, n) < 0) {
		client_fail(c, CLIENT_END_PROTOCOL, "console command is too long");
		return n;
	}
	desk_pump(c);
	return n;
}

void desk_pump(struct client *c)
{
	while (desk_is_open(c) && c->state == CLIENT_CONSOLE && desk_step(c, &c->login->in))
		;
}

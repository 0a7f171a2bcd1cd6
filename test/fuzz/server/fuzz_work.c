/*
 * fuzz_work.c - F-06: what a server says when it is idle, at work and being cleaned, against a scripted client.
 *
 * Input: a string of orders.  Some let the client send a message, some let the server send
 * one (well framed, or raw bytes, or in pieces), some end the ride, ping, clean, block the
 * socket, or let time pass.  Whatever comes: the rider gets whole messages of the server's,
 * in their order, each at most once, and where it is told of an end its stream stands at the
 * end of a message, or server_is_mid_reply has said that it does not.
 */
#include "base/cursor.h"
#include "base/mem.h"
#include "proto/wire.h"
#include "server/cancel.h"
#include "server/clean.h"
#include "server/reader.h"
#include "server/dial.h"
#include "server/server.h"
#include "test/fuzz/server/fakeloop.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define SAID_MAX (1024 * 1024)

static struct {
	struct loop loop;
	struct server *s;
	struct buf said;	/* by the server, since its login */
	struct buf got;		/* by the rider, in this ride */
	bool is_riding, is_ready, is_gone;
	unsigned quiet;
} w;

static size_t message_length(const struct buf *b, size_t at)
{
	if (b->len - at < WIRE_HEADER_LEN)
		return SIZE_MAX;
	return 1 + ((size_t)b->data[at + 1] << 24 | (size_t)b->data[at + 2] << 16 | (size_t)b->data[at + 3] << 8 |
		    b->data[at + 4]);
}

/* Where the last whole message of a stream ends. */
static size_t whole_end(const struct buf *b)
{
	size_t at = 0, n;

	while ((n = message_length(b, at)) != SIZE_MAX && n <= b->len - at)
		at += n;
	return at;
}

/* What the rider got: whole messages in the order in which the server has said them, then maybe a part of one. */
static void check_order(void)
{
	size_t got = 0, said = 0, n;

	while (got < w.got.len) {
		size_t have = w.got.len - got;

		n = message_length(&w.got, got);
		if (n <= have)
			have = n;
		for (;;) {
			size_t len = message_length(&w.said, said);
			size_t there = w.said.len - said;

			CHECK(there > 0); /* the rider got what the server never said */
			if (len == SIZE_MAX || len > there)
				len = there;
			if (len >= have && memcmp(w.said.data + said, w.got.data + got, have) == 0 &&
			    (have < n || len == have)) {
				said += len;
				break;
			}
			said += len;
		}
		got += have;
	}
}

static void owner_ready(struct server *s FX_UNUSED)
{
	w.is_ready = true;
}

static void owner_failed(struct server *s FX_UNUSED, const struct server_failure *why FX_UNUSED)
{
	CHECK(!"a good login has failed");
}

static void owner_rested(struct server *s)
{
	CHECK(s->state == SERVER_IDLE && s->status == TRANSACTION_IDLE && expect_is_quiet(&s->expect));
}

static void owner_ending(struct server *s FX_UNUSED, enum server_end why FX_UNUSED)
{
	CHECK(!w.is_riding); /* the rider has been told */
}

static void owner_gone(struct server *s)
{
	w.is_gone = true;
	server_free(s);
}

static const struct server_owner_ops owner = {
	.on_ready = owner_ready,
	.on_failed = owner_failed,
	.on_rested = owner_rested,
	.on_ending = owner_ending,
	.on_gone = owner_gone,
};

static void rider_reply(struct server *s FX_UNUSED, struct chunk *chunk, const uint8_t *data, size_t n)
{
	CHECK(w.is_riding && n > 0);
	CHECK(chunk == NULL || (data >= chunk->data && data + n <= chunk->data + CHUNK_SIZE));
	CHECK(buf_append(&w.got, data, n) == 0);
}

static void rider_ready(struct server *s, char status)
{
	CHECK(w.is_riding && (status == 'I' || status == 'T' || status == 'E') && s->status == status);
}

static void rider_settled(struct server *s)
{
	CHECK(w.is_riding && !server_is_quiet(s));
}

static void rider_quiet(struct server *s)
{
	CHECK(w.is_riding && server_is_quiet(s) && !server_is_mid_reply(s));
	CHECK(whole_end(&w.got) == w.got.len);
	w.quiet++;
}

static void rider_parameter(struct server *s FX_UNUSED, const char *name, const char *value)
{
	CHECK(w.is_riding && name != NULL && value != NULL);
}

static void rider_shape(struct server *s FX_UNUSED, uint64_t shape)
{
	CHECK(w.is_riding && shape != 0);
}

static void rider_tag(struct server *s FX_UNUSED, const char *tag)
{
	CHECK(w.is_riding && tag[0] != '\0');
}

static bool rider_special(struct server *s FX_UNUSED, uint8_t type, const uint8_t *body, size_t n)
{
	CHECK(w.is_riding && (type == BE_ERROR_RESPONSE || type == BE_NOTIFICATION_RESPONSE || type == BE_PARAMETER_STATUS ||
			       type == BE_PARAMETER_DESCRIPTION) &&
	      (body != NULL || n == 0));
	return false;
}

static void rider_failed(struct server *s FX_UNUSED, const char *sqlstate, const char *message)
{
	CHECK(w.is_riding && strlen(sqlstate) == 5 && message[0] != '\0');
}

static void rider_room(struct server *s FX_UNUSED)
{
	CHECK(w.is_riding);
}

static void rider_lost(struct server *s, enum server_end why, bool has_told)
{
	CHECK(w.is_riding && why != SERVER_END_NONE);
	/* an error of ours may follow what was forwarded only where a message ends */
	if (!server_is_mid_reply(s))
		CHECK(whole_end(&w.got) == w.got.len);
	CHECK(!has_told || (w.got.len > 0 && s->has_spoken));
	check_order();
	w.is_riding = false;
}

static void rider_parsed(struct server *s FX_UNUSED)
{
	CHECK(!"nothing was sent in place of a Parse");
}

static const struct server_rider_ops rider = {
	.on_reply = rider_reply,
	.on_parsed = rider_parsed,
	.on_ready = rider_ready,
	.on_settled = rider_settled,
	.on_quiet = rider_quiet,
	.on_parameter = rider_parameter,
	.on_shape = rider_shape,
	.on_tag = rider_tag,
	.on_special = rider_special,
	.on_ours_failed = rider_failed,
	.on_room = rider_room,
	.on_lost = rider_lost,
};

static void say(const uint8_t *p, size_t n)
{
	if (w.is_gone || w.said.len + n > SAID_MAX || !conn_wants_read(&w.s->conn))
		return;
	CHECK(buf_append(&w.said, p, n) == 0);
	fakeloop_bytes(&w.s->conn, p, n);
	if (!w.is_gone)
		CHECK(w.s->reader.whole.len <= READER_WHOLE_MAX && w.s->params.pairs.len <= PARAMS_MAX);
}

static void say_message(uint8_t type, const uint8_t *body, size_t n, uint8_t cut)
{
	static uint8_t message[WIRE_HEADER_LEN + 65536];
	size_t len = n + WIRE_HEADER_LEN, at = cut < len ? cut : 0;

	message[0] = type;
	message[1] = message[2] = 0;
	message[3] = (uint8_t)((n + 4) >> 8);
	message[4] = (uint8_t)(n + 4);
	if (n > 0)
		memcpy(message + WIRE_HEADER_LEN, body, n);
	if (at > 0) {
		say(message, at);
		fakeloop_turn(&w.loop, 10);
	}
	say(message + at, len - at);
}

static void mount(void)
{
	if (w.is_riding || w.is_gone || w.s->state != SERVER_IDLE || !server_is_quiet(w.s))
		return;
	w.got.len = 0;
	w.is_riding = true;
	server_ride(w.s, &rider, NULL);
}

static void client_says(uint8_t order)
{
	static const uint8_t types[16] = "QPBDECHSFdcfQSPE";
	static const uint8_t body[64];
	uint8_t header[5] = {types[order & 15], 0, 0, 0, 4};

	mount();
	if (!w.is_riding)
		return;
	header[4] = (uint8_t)(4 + (order & 32));
	if ((order & 16) ? !server_note_ours(w.s, header[0]) : !server_note(w.s, header[0]))
		return;
	server_send(w.s, header, sizeof(header), NULL);
	server_send(w.s, body, order & 32, NULL);
	(void)server_is_full(w.s);
}

static void leave(uint8_t how)
{
	if (!w.is_riding)
		return;
	check_order();
	if (server_is_quiet(w.s)) {
		CHECK(whole_end(&w.got) == w.got.len);
		w.is_riding = false;
		server_dismount(w.s);
	} else if (conn_out_pending(&w.s->conn) == 0) {
		w.is_riding = false;
		clean_begin(w.s, how & 1);
	}
}

static void order(uint8_t o, struct cursor *c)
{
	size_t n;

	switch (o >> 6) {
	case 0:
		client_says(o);
		return;
	case 1: { /* a message of the server's: type, where it is cut, length, body */
		uint8_t type = cursor_u8(c), cut = o & 32 ? cursor_u8(c) : 0;

		n = o & 16 ? cursor_u16(c) : cursor_u8(c);
		if (n > cursor_left(c))
			n = cursor_left(c);
		if (!c->bad)
			say_message(type, cursor_bytes(c, n), n, cut);
		return;
	}
	case 2: /* raw bytes */
		n = o & 63;
		if (n > cursor_left(c))
			n = cursor_left(c);
		if (n > 0)
			say(cursor_bytes(c, n), n);
		return;
	default:
		break;
	}
	switch (o & 7) {
	case 0:
		fakeloop_turn(&w.loop, 10);
		break;
	case 1:
		fakeloop_turn(&w.loop, 6000000);
		break;
	case 2:
		leave(o >> 3);
		break;
	case 3:
		if (!w.is_riding && w.s->state == SERVER_IDLE)
			clean_ping(w.s, 1000000);
		break;
	case 4:
		fakeloop_eof(&w.s->conn);
		break;
	case 5:
		fakeloop_block(&w.loop, o & 8);
		break;
	case 6:
		if (w.is_riding)
			(void)cancel_start(w.s, NULL, NULL);
		break;
	default:
		mount();
		break;
	}
}

static struct target *make_target(void)
{
	struct target *t = target_new();

	t->hosts = 1;
	t->host[0].name = mem_strdup("fake");
	t->host[0].path = mem_strdup("/fake");
	t->dbname = mem_strdup("db");
	t->user = mem_strdup("user");
	t->name = mem_strdup("db/user");
	t->check_query = mem_strdup("");
	t->reset_query = mem_strdup("DISCARD ALL");
	t->connect_timeout = 15000000;
	t->clean_timeout = 5000000;
	return t;
}

static void begin(void)
{
	static const uint8_t greeting[] = "R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I";
	struct target *t = make_target();

	memset(&w, 0, sizeof(w));
	buf_init(&w.said, 0);
	buf_init(&w.got, 0);
	fakeloop_init(&w.loop);
	w.s = server_new(&w.loop, t, NULL, &owner, NULL);
	target_unref(t);
	CHECK(w.s != NULL);
	dial_start(w.s, NULL, NULL);
	fakeloop_turn(&w.loop, 10);
	fakeloop_bytes(&w.s->conn, greeting, sizeof(greeting) - 1);
	fakeloop_turn(&w.loop, 10);
	CHECK(w.is_ready);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cursor c = cursor_over(data, n);

	begin();
	while (!c.bad && cursor_left(&c) > 0 && !w.is_gone)
		order(cursor_u8(&c), &c);
	if (!w.is_gone) {
		fakeloop_block(&w.loop, false);
		if (w.s->state != SERVER_CLOSING)
			server_close(w.s, SERVER_END_SHUTDOWN);
		for (unsigned i = 0; i < 4 && !w.is_gone; i++)
			fakeloop_turn(&w.loop, 20000000);
	}
	CHECK(w.is_gone && !w.is_riding);
	fakeloop_fini(&w.loop);
	buf_fini(&w.said);
	buf_fini(&w.got);
	return 0;
}

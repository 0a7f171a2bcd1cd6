/*
 * fuzz_login.c - F-05: what a server says while we log in to it.
 *
 * Input: a byte that says which secret we have and whether there is a connect_query, then
 * pieces of the server's stream, each with two bytes of length before it.  Whatever comes:
 * the owner hears of exactly one outcome, and who has a proof to ask for is never logged in
 * without it.
 */
#include "auth/scram_cache.h"
#include "base/cursor.h"
#include "base/mem.h"
#include "proto/wire.h"
#include "server/dial.h"
#include "server/server.h"
#include "test/fuzz/server/fakeloop.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct scram_cache cache;
static unsigned ready, failed, ending, gone;
static bool has_sasl;

static void on_ready(struct server *s)
{
	CHECK(s->state == SERVER_IDLE && s->auth == NULL && server_is_quiet(s));
	ready++;
}

static void on_failed(struct server *s FX_UNUSED, const struct server_failure *why)
{
	/* a client will be told this */
	CHECK(why->message[0] != '\0' && why->end != SERVER_END_NONE);
	CHECK(why->sqlstate[0] == '\0' || strlen(why->sqlstate) == 5);
	failed++;
}

static void on_ending(struct server *s FX_UNUSED, enum server_end why)
{
	CHECK(why != SERVER_END_NONE);
	ending++;
}

static void on_rested(struct server *s FX_UNUSED)
{
	CHECK(!"rested, and was never asked to");
}

static void on_gone(struct server *s)
{
	gone++;
	server_free(s);
}

static const struct server_owner_ops ops = {
	.on_ready = on_ready,
	.on_failed = on_failed,
	.on_rested = on_rested,
	.on_ending = on_ending,
	.on_gone = on_gone,
};

static struct target *make_target(uint8_t choice)
{
	struct target *t = target_new();

	t->hosts = 1;
	t->host[0].name = mem_strdup("fake");
	t->host[0].path = mem_strdup("/fake");
	t->dbname = mem_strdup("db");
	t->user = mem_strdup("user");
	t->name = mem_strdup("db/user");
	t->connect_query = choice & 4 ? mem_strdup("SET x = 1") : NULL;
	t->check_query = mem_strdup("");
	t->reset_query = mem_strdup("DISCARD ALL");
	t->connect_timeout = 15000000;
	t->clean_timeout = 5000000;
	if (choice & 1)
		CHECK(credential_parse(&t->credential, "md50123456789abcdef0123456789abcdef", 35, NULL) == 0);
	if (choice & 2) {
		t->keys.is_set = true;
		memset(t->keys.client_key, 7, sizeof(t->keys.client_key));
		memset(t->keys.server_key, 9, sizeof(t->keys.server_key));
	}
	return t;
}

/* did the stream ask for SCRAM before all else? */
static bool asks_sasl(const uint8_t *p, size_t n)
{
	return n >= 9 && p[0] == BE_AUTHENTICATION && p[5] == 0 && p[6] == 0 && p[7] == 0 && p[8] == AUTH_SASL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t key[32] = {1};
	static struct loop loop;
	struct cursor c = cursor_over(data, n);
	uint8_t choice = cursor_u8(&c);
	struct target *target;
	struct server *s;
	bool first = true;

	if (cache.capacity == 0)
		scram_cache_init(&cache, 16, key);
	ready = failed = ending = gone = 0;
	has_sasl = false;
	fakeloop_init(&loop);
	target = make_target(choice);
	s = server_new(&loop, target, &cache, &ops, NULL);
	target_unref(target);
	CHECK(s != NULL);
	dial_start(s, NULL, NULL);
	fakeloop_turn(&loop, 10);
	while (cursor_left(&c) > 0 && gone == 0) {
		size_t len = cursor_u16(&c);
		const uint8_t *piece;

		if (c.bad)
			break;
		if (len == 0xffff) { /* time passes */
			fakeloop_turn(&loop, 1000000);
			continue;
		}
		if (len > cursor_left(&c))
			len = cursor_left(&c);
		piece = cursor_bytes(&c, len);
		if (first)
			has_sasl = asks_sasl(piece, len);
		first = false;
		fakeloop_bytes(&s->conn, piece, len);
		if (gone == 0)
			fakeloop_turn(&loop, 10);
		CHECK(gone > 0 || (s->reader.whole.len <= 128 * 1024 && s->params.pairs.len <= PARAMS_MAX));
	}
	CHECK(ready == 0 || !has_sasl); /* nobody knows keys by chance */
	if (gone == 0) {
		/* silence: the deadline of the login ends it, or what is ready is closed */
		if (ready > 0 && s->state != SERVER_CLOSING)
			server_close(s, SERVER_END_SHUTDOWN);
		for (unsigned i = 0; i < 4 && gone == 0; i++)
			fakeloop_turn(&loop, 20000000);
	}
	CHECK(gone == 1 && ready + failed == 1 && ending == ready);
	fakeloop_fini(&loop);
	return 0;
}

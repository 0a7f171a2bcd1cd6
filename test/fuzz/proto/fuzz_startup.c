/*
 * fuzz_startup.c - F-01: the first packet and its options.
 *
 * Input: the bytes of a connection.  Whatever comes, the answers must agree with each
 * other, every text must end inside the packet, and every walk must end.
 */
#include "base/buf.h"
#include "proto/reply.h"
#include "proto/startopt.h"
#include "proto/startup.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void walk_options(const char *options)
{
	size_t most = strlen(options) + 1, count = 0;
	const char *name, *value;
	struct startopt o;
	int rc;

	startopt_init(&o, options);
	while ((rc = startopt_next(&o, &name, &value)) == 1) {
		CHECK(name[0] != '\0' && strchr(name, '-') == NULL);
		CHECK(strlen(name) + strlen(value) < STARTOPT_SIZE);
		CHECK(++count < most);
	}
	CHECK((rc < 0) == (o.error != NULL));
	CHECK(startopt_next(&o, &name, &value) == rc);
}

static void walk_login(const struct startup *s, size_t n)
{
	const char *name, *value;
	size_t it = 0, bytes = 0, extensions = 0;
	struct buf out;

	CHECK(s->user[0] != '\0' && s->database[0] != '\0');
	while (startup_next(s, &it, &name, &value))
		bytes += strlen(name) + strlen(value) + 2;
	CHECK(bytes <= n);
	it = 0;
	while (startup_next_extension(s, &it, &name))
		extensions++;
	CHECK(extensions == s->extensions);
	(void)startup_replication(s);
	if (s->options != NULL)
		walk_options(s->options);
	buf_init(&out, 0);
	CHECK(s->protocol == WIRE_PROTOCOL_3_0 || s->protocol == WIRE_PROTOCOL_3_2);
	CHECK(s->protocol <= WIRE_PROTOCOL(s->major, s->minor));
	CHECK(s->needs_negotiation || (s->protocol == WIRE_PROTOCOL(s->major, s->minor) && extensions == 0));
	CHECK(reply_negotiate(&out, s->protocol, s) == 0 && out.len <= n + 13);
	buf_fini(&out);
}

static void check_packet(const uint8_t *data, size_t n)
{
	struct startup s;

	if (startup_parse(data, n, &s) < 0) {
		CHECK(s.error != NULL && strlen(s.sqlstate) == 5);
		return;
	}
	if (s.kind == STARTUP_LOGIN)
		walk_login(&s, n);
	if (s.kind == STARTUP_CANCEL)
		CHECK(s.cancel_key_len >= 4 && s.cancel_key_len <= 256 &&
			s.cancel_key + s.cancel_key_len == data + n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	enum startup_peek answer;
	struct buf text;
	size_t need;

	answer = startup_peek(data, n, &need);
	CHECK(need >= 4 && need <= STARTUP_LENGTH_MAX);
	for (size_t part = 0; part < n && part < 16; part++) {
		size_t part_need;
		enum startup_peek early = startup_peek(data, part, &part_need);

		/* what a part of the bytes said may not be taken back */
		CHECK(early != STARTUP_BAD || answer == STARTUP_BAD);
		CHECK(early != STARTUP_WHOLE || answer == STARTUP_WHOLE);
	}
	if (answer == STARTUP_WHOLE)
		check_packet(data, need);
	/* the same bytes with the length made right, and as an options string */
	buf_init(&text, 0);
	if (n >= 4 && n <= STARTUP_LENGTH_MAX) {
		(void)buf_append(&text, data, n);
		buf_put_u32_at(&text, 0, (uint32_t)n);
		check_packet(text.data, text.len);
		buf_reset(&text);
	}
	(void)buf_append(&text, data, n);
	walk_options(buf_text(&text));
	buf_fini(&text);
	return 0;
}

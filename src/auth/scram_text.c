/*
 * scram_text.c - SCRAM's messages, attribute by attribute.
 */
#include "auth/scram_text.h"

#include "auth/b64.h"
#include "auth/scramkey.h"

#include <string.h>

#include "base/poison.h"

/* Reads "x=value,y=value".  has_more: a comma was read, so another attribute must follow. */
struct scan {
	const char *p, *end;
	bool has_more;
	const char **error;
};

struct attr {
	char name;
	struct scram_part value;
};

static int fail(const char **error, const char *why)
{
	*error = why;
	return -1;
}

static int scan_init(struct scan *s, const void *msg, size_t n, const char **error)
{
	*s = (struct scan){.p = msg, .end = (const char *)msg + n, .has_more = true, .error = error};
	if (n == 0)
		return fail(error, "malformed SCRAM message (empty message)");
	if (n > SCRAM_TEXT_MAX)
		return fail(error, "malformed SCRAM message (too long)");
	if (memchr(msg, 0, n) != NULL)
		return fail(error, "malformed SCRAM message (NUL byte)");
	return 0;
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The text up to the next comma or the end; moves past the comma. */
static struct scram_part scan_word(struct scan *s)
{
	const char *comma = memchr(s->p, ',', (size_t)(s->end - s->p));
	struct scram_part part = {.p = s->p, .n = (size_t)((comma ? comma : s->end) - s->p)};

	s->has_more = comma != NULL;
	s->p = comma ? comma + 1 : s->end;
	return part;
}

static int scan_attr(struct scan *s, struct attr *a)
{
	struct scram_part word;

	if (!s->has_more)
		return fail(s->error, "malformed SCRAM message (attribute missing)");
	word = scan_word(s);
	if (word.n < 2 || !is_alpha(word.p[0]) || word.p[1] != '=')
		return fail(s->error, "malformed SCRAM message (attribute expected)");
	a->name = word.p[0];
	a->value = (struct scram_part){.p = word.p + 2, .n = word.n - 2};
	return 0;
}

/* The attribute that must come now. */
static int scan_wanted(struct scan *s, char name, struct scram_part *value)
{
	struct attr a;

	if (scan_attr(s, &a) < 0)
		return -1;
	if (a.name == 'm')
		return fail(s->error, "client or server requires an unsupported SCRAM extension");
	if (a.name != name)
		return fail(s->error, "malformed SCRAM message (another attribute expected)");
	*value = a.value;
	return 0;
}

/* printable = %x21-2B / %x2D-7E: no blanks, no commas, no control characters */
static int check_nonce(struct scan *s, const struct scram_part *nonce)
{
	if (nonce->n == 0 || nonce->n > SCRAM_TEXT_NONCE)
		return fail(s->error, "malformed SCRAM message (nonce of a wrong length)");
	for (size_t i = 0; i < nonce->n; i++)
		if (nonce->p[i] < 0x21 || nonce->p[i] > 0x7e)
			return fail(s->error, "malformed SCRAM message (non-printable characters in nonce)");
	return 0;
}

/* saslname: "=" only as "=2C" and "=3D" */
static int check_user(struct scan *s, const struct scram_part *user)
{
	for (size_t i = 0; i < user->n; i++) {
		if (user->p[i] != '=')
			continue;
		if (user->n - i < 3 ||
			(memcmp(user->p + i, "=2C", 3) != 0 && memcmp(user->p + i, "=3D", 3) != 0))
			return fail(s->error, "malformed SCRAM message (invalid user name)");
		i += 2;
	}
	return 0;
}

/* Optional extensions are skipped; one of the names that have a meaning is out of its place. */
static int skip_extension(struct scan *s, struct attr *a)
{
	if (scan_attr(s, a) < 0)
		return -1;
	if (strchr("anmrcsive", a->name) != NULL)
		return fail(s->error, "malformed SCRAM message (attribute repeated or out of order)");
	return 0;
}

/* gs2-cbind-flag "," [ authzid ] "," */
static int read_gs2(struct scan *s, struct scram_client_first *out)
{
	struct scram_part flag = scan_word(s), authzid;

	out->flag = flag.n > 0 ? flag.p[0] : '\0';
	if (flag.n > 2 && flag.p[0] == 'p' && flag.p[1] == '=')
		out->cbind = (struct scram_part){.p = flag.p + 2, .n = flag.n - 2};
	else if (flag.n != 1 || (out->flag != 'n' && out->flag != 'y'))
		return fail(s->error, "malformed SCRAM message (unexpected channel-binding flag)");
	if (!s->has_more)
		return fail(s->error, "malformed SCRAM message (comma expected)");
	authzid = scan_word(s);
	if (authzid.n > 0)
		return fail(s->error, "client uses authorization identity, but it is not supported");
	if (!s->has_more)
		return fail(s->error, "malformed SCRAM message (comma expected)");
	out->gs2 = (struct scram_part){.p = flag.p, .n = (size_t)(s->p - flag.p)};
	return 0;
}

int scram_text_client_first(const void *msg, size_t n, struct scram_client_first *out, const char **error)
{
	struct scan s;
	struct attr a;

	*out = (struct scram_client_first){0};
	if (scan_init(&s, msg, n, error) < 0 || read_gs2(&s, out) < 0)
		return -1;
	out->bare = (struct scram_part){.p = s.p, .n = (size_t)(s.end - s.p)};
	if (scan_wanted(&s, 'n', &out->user) < 0 || check_user(&s, &out->user) < 0)
		return -1;
	if (scan_wanted(&s, 'r', &out->nonce) < 0 || check_nonce(&s, &out->nonce) < 0)
		return -1;
	while (s.has_more) {
		if (skip_extension(&s, &a) < 0)
			return -1;
		if (a.name == 'p')
			return fail(error, "malformed SCRAM message (proof in the first message)");
	}
	return 0;
}

static int read_iterations(struct scan *s, uint32_t *out)
{
	struct scram_part text;
	uint32_t v = 0;

	if (scan_wanted(s, 'i', &text) < 0)
		return -1;
	for (size_t i = 0; i < text.n; i++) {
		/* more digits than the limit has can't be within it */
		if (text.p[i] < '0' || text.p[i] > '9' || i > 9)
			return fail(s->error, "malformed SCRAM message (invalid iteration count)");
		if (v > SCRAMKEY_ITERATIONS_MAX)
			break;
		v = v * 10 + (uint32_t)(text.p[i] - '0');
	}
	if (v < 1)
		return fail(s->error, "malformed SCRAM message (invalid iteration count)");
	if (v > SCRAMKEY_ITERATIONS_MAX)
		return fail(s->error, "SCRAM iteration count is above 100000");
	*out = v;
	return 0;
}

int scram_text_server_first(const void *msg, size_t n, struct scram_server_first *out, const char **error)
{
	struct scram_part salt;
	struct scan s;

	*out = (struct scram_server_first){0};
	if (scan_init(&s, msg, n, error) < 0)
		return -1;
	if (scan_wanted(&s, 'r', &out->nonce) < 0 || check_nonce(&s, &out->nonce) < 0)
		return -1;
	if (scan_wanted(&s, 's', &salt) < 0)
		return -1;
	if (salt.n == 0 || b64_decode(salt.p, salt.n, out->salt, sizeof(out->salt), &out->salt_len) < 0)
		return fail(error, "malformed SCRAM message (invalid salt)");
	if (read_iterations(&s, &out->iterations) < 0)
		return -1;
	return s.has_more ? fail(error, "malformed SCRAM message (garbage at end of server-first-message)")
			  : 0;
}

/* 32 bytes in base64 */
static int read_key(
	struct scan *s, const struct scram_part *text, uint8_t key[CREDENTIAL_KEY_LEN], const char *why)
{
	size_t len;

	if (b64_decode(text->p, text->n, key, CREDENTIAL_KEY_LEN, &len) < 0 || len != CREDENTIAL_KEY_LEN)
		return fail(s->error, why);
	return 0;
}

int scram_text_client_final(const void *msg, size_t n, struct scram_client_final *out, const char **error)
{
	const char *before;
	struct scan s;
	struct attr a;

	*out = (struct scram_client_final){0};
	if (scan_init(&s, msg, n, error) < 0 || scan_wanted(&s, 'c', &out->channel) < 0)
		return -1;
	if (scan_wanted(&s, 'r', &out->nonce) < 0 || check_nonce(&s, &out->nonce) < 0)
		return -1;
	do {
		before = s.p;
		if (skip_extension(&s, &a) < 0)
			return -1;
	} while (a.name != 'p');
	if (s.has_more)
		return fail(error, "malformed SCRAM message (garbage at the end of client-final-message)");
	out->without_proof = (struct scram_part){.p = msg, .n = (size_t)(before - 1 - (const char *)msg)};
	return read_key(&s, &a.value, out->proof, "malformed SCRAM message (malformed proof)");
}

int scram_text_server_final(const void *msg, size_t n, struct scram_server_final *out, const char **error)
{
	struct scan s;
	struct attr a;

	*out = (struct scram_server_final){0};
	if (scan_init(&s, msg, n, error) < 0 || scan_attr(&s, &a) < 0)
		return -1;
	if (s.has_more)
		return fail(error, "malformed SCRAM message (garbage at end of server-final-message)");
	if (a.name == 'e') {
		out->error = a.value;
		return 0;
	}
	if (a.name != 'v')
		return fail(error, "malformed SCRAM message (server signature expected)");
	return read_key(&s, &a.value, out->signature, "malformed SCRAM message (malformed server signature)");
}

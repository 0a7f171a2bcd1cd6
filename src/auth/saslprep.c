/*
 * saslprep.c - maps, normalises and checks a password with the tables of libidn.
 *
 * Not with its SASLprep: that looks for what is prohibited after the normalisation, as
 * RFC 3454 has it, PostgreSQL before, and it is PostgreSQL's keys that ours must fit.
 */
#include "auth/saslprep.h"

#include <string.h>

#include "config.h"

#ifdef HAVE_LIBIDN

#include <idn-free.h>
#include <stringprep.h>

#define LETTER_BYTES 6 /* what the library may write for one */
#define GROWTH	     12 /* times; Unicode promises 11 for form KC in UTF-8 */

struct bytes {
	size_t n;
	uint8_t p[SASLPREP_MAX * GROWTH];
};

struct text {
	uint32_t letter[SASLPREP_MAX];
	size_t n;
};

static bool is_ascii(const uint8_t *p, size_t n)
{
	uint8_t all = 0;

	for (size_t i = 0; i < n; i++)
		all |= p[i];
	return all < 0x80;
}

/* One letter of UTF-8: its bytes, or 0 where it is none (too long, half of a pair, beyond the end of Unicode). */
static size_t read_letter(const uint8_t *p, size_t n, uint32_t *out)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
	uint32_t v = len == 1 ? p[0] : p[0] & (0x7Fu >> len);

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3Fu);
	}
	*out = v;
	return v < least[len] || v > 0x10FFFF || (v >= 0xD800 && v < 0xE000) || v == 0 ? 0 : len;
}

static bool read_text(const uint8_t *p, size_t n, struct text *t)
{
	size_t used;

	for (t->n = 0; n > 0; p += used, n -= used) {
		used = read_letter(p, n, &t->letter[t->n++]);
		if (used == 0)
			return false;
	}
	return true;
}

/* The tables are in the order of their letters and end with a row of zeros; an end of zero is a row of one letter. */
static bool is_in(uint32_t letter, const Stringprep_table_element *row)
{
	for (; (row->start || row->end) && row->start <= letter; row++)
		if (letter <= (row->end ? row->end : row->start))
			return true;
	return false;
}

/* Unicode has put five of its normal forms right after version 3.2, which is the library's (Corrigendum 4). */
static uint32_t corrected(uint32_t letter)
{
	static const uint32_t wrong[][2] = {
		{0x2F868, 0x36FC}, {0x2F874, 0x5F53}, {0x2F91F, 0x243AB}, {0x2F95F, 0x7AEE}, {0x2F9BF, 0x45D7}};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (letter == wrong[i][0])
			return wrong[i][1];
	return letter;
}

/* Blanks of all kinds become one, and what is "commonly mapped to nothing" goes. */
static void map(struct text *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (is_in(t->letter[i], stringprep_rfc3454_C_1_2))
			t->letter[kept++] = ' ';
		else if (!is_in(t->letter[i], stringprep_rfc3454_B_1))
			t->letter[kept++] = corrected(t->letter[i]);
	}
	t->n = kept;
}

static bool is_allowed(uint32_t letter)
{
	static const Stringprep_table_element *const without[] = {
		stringprep_rfc3454_C_1_2,
		stringprep_rfc3454_C_2_1,
		stringprep_rfc3454_C_2_2,
		stringprep_rfc3454_C_3,
		stringprep_rfc3454_C_4,
		stringprep_rfc3454_C_5,
		stringprep_rfc3454_C_6,
		stringprep_rfc3454_C_7,
		stringprep_rfc3454_C_8,
		stringprep_rfc3454_C_9,
		stringprep_rfc3454_A_1,
	};

	for (size_t i = 0; i < ARRAY_LEN(without); i++)
		if (is_in(letter, without[i]))
			return false;
	return true;
}

/* RFC 3454, section 6: letters that are written from right to left stand at both ends, and among no others. */
static bool is_one_way(const struct text *t)
{
	bool has_right = false, has_left = false;

	for (size_t i = 0; i < t->n; i++) {
		has_right |= is_in(t->letter[i], stringprep_rfc3454_D_1);
		has_left |= is_in(t->letter[i], stringprep_rfc3454_D_2);
	}
	return !has_right || (!has_left && is_in(t->letter[0], stringprep_rfc3454_D_1) &&
				     is_in(t->letter[t->n - 1], stringprep_rfc3454_D_1));
}

static bool has_direction(uint32_t letter)
{
	return is_in(letter, stringprep_rfc3454_D_2) || is_in(letter, stringprep_rfc3454_D_1);
}

/* Can what stands in front of it, and what begins with it, be normalised by themselves?  Marks have no direction of their own, but
 * for a few.  Some letters, of India and Korea, become one with the letter before; not with one that has a mark, which the library
 * does not know (Unicode's Public Review Issue 29). */
static bool is_first(uint32_t letter, uint32_t before)
{
	static const Stringprep_table_element marks[] = {{0xFF9E, 0xFF9F, {0}}, {0x1D165, 0x1D172, {0}}, {0, 0, {0}}};
	static const Stringprep_table_element joining[] = {
		{0x0980, 0x0DFF, {0}}, {0x1160, 0x11FF, {0}}, {0x3130, 0x318F, {0}}, {0xFFA0, 0xFFDF, {0}}, {0, 0, {0}}};

	if (letter < 0x80)
		return true;
	if (!has_direction(letter) || is_in(letter, marks))
		return false;
	if (!is_in(letter, joining) || is_in(before, marks))
		return true;
	return !has_direction(before) && before != 0x0CBF && before != 0x0CC6; /* these two stand for letters all the same */
}

static bool normalise_piece(const uint32_t *letter, size_t n, struct bytes *out)
{
	uint32_t *normal = stringprep_ucs4_nfkc_normalize(letter, (ssize_t)n);
	bool fits = normal != NULL;
	size_t len = 0;

	for (; fits && normal[len] != 0; len++) {
		fits = out->n + LETTER_BYTES <= sizeof(out->p);
		if (fits)
			out->n += (size_t)stringprep_unichar_to_utf8(normal[len], (char *)out->p + out->n);
	}
	if (normal != NULL)
		secret_wipe(normal, len * sizeof(*normal));
	idn_free(normal);
	return fits;
}

/* The library makes copies that it does not wipe, so it never gets to see more of a password than it must. */
static bool normalise(const struct text *t, struct bytes *out)
{
	size_t end;

	for (size_t at = 0; at < t->n; at = end) {
		for (end = at + 1; end < t->n && !is_first(t->letter[end], t->letter[end - 1]); end++)
			;
		if (!normalise_piece(t->letter + at, end - at, out))
			return false;
	}
	return true;
}

static bool prepare(struct text *t, struct bytes *out)
{
	map(t);
	for (size_t i = 0; i < t->n; i++)
		if (!is_allowed(t->letter[i]))
			return false;
	return t->n > 0 && is_one_way(t) && normalise(t, out);
}

static bool prepare_bytes(const uint8_t *password, size_t n, struct secret *out)
{
	struct bytes normal;
	struct text t;
	bool is_done;

	normal.n = 0;
	is_done = read_text(password, n, &t) && prepare(&t, &normal);
	if (is_done)
		secret_set(out, normal.p, normal.n);
	secret_wipe(&normal, sizeof(normal));
	secret_wipe(&t, sizeof(t));
	return is_done;
}

bool saslprep_prepare(const void *password, size_t n, struct secret *out)
{
	return n <= SASLPREP_MAX && !is_ascii(password, n) && prepare_bytes(password, n, out);
}

#else

bool saslprep_prepare(const void *password, size_t n, struct secret *out)
{
	(void)password;
	(void)n;
	(void)out;
	return false;
}

#endif

/*
 * msgname.c - names in extended-query messages, from the first bytes of the body.
 */
#include "proto/msgname.h"

#include "base/cursor.h"
#include "proto/wire.h"

#include "base/poison.h"

/* The bytes that are there, and whether more of the body will come. */
struct part {
	struct cursor c;
	bool has_more;
};

static enum msgname_answer short_of(const struct part *part)
{
	return part->has_more ? MSGNAME_MORE : MSGNAME_BAD;
}

static enum msgname_answer read_name(struct part *part, const char **name)
{
	const uint8_t *first = part->c.p;

	if (cursor_left(&part->c) == 0)
		return short_of(part);
	if (name == NULL)
		return *first == 0 ? MSGNAME_UNNAMED : MSGNAME_NAMED;
	*name = cursor_cstr(&part->c);
	if (*name == NULL)
		return short_of(part);
	return (*name)[0] == '\0' ? MSGNAME_UNNAMED : MSGNAME_NAMED;
}

/* Describe and Close: a kind byte, then a name of that kind. */
static enum msgname_answer read_kind(struct part *part, uint8_t wanted, const char **name)
{
	uint8_t kind;

	if (cursor_left(&part->c) == 0)
		return short_of(part);
	kind = cursor_u8(&part->c);
	if (kind != 'S' && kind != 'P')
		return MSGNAME_BAD;
	return kind == wanted ? read_name(part, name) : MSGNAME_NONE;
}

static struct part part_of(const void *body, size_t have, size_t len)
{
	CHECK(have <= len);
	return (struct part){.c = cursor_over(body, have), .has_more = have < len};
}

enum msgname_answer msgname_statement(
	uint8_t type, const void *body, size_t have, size_t len, const char **name)
{
	struct part part = part_of(body, have, len);

	switch (type) {
	case FE_PARSE:
		return read_name(&part, name);
	case FE_BIND: /* portal, statement */
		if (cursor_cstr(&part.c) == NULL)
			return short_of(&part);
		return read_name(&part, name);
	case FE_DESCRIBE:
	case FE_CLOSE:
		return read_kind(&part, 'S', name);
	default:
		return MSGNAME_NONE;
	}
}

enum msgname_answer msgname_portal(uint8_t type, const void *body, size_t have, size_t len, const char **name)
{
	struct part part = part_of(body, have, len);

	switch (type) {
	case FE_BIND:
	case FE_EXECUTE:
		return read_name(&part, name);
	case FE_DESCRIBE:
	case FE_CLOSE:
		return read_kind(&part, 'P', name);
	default:
		return MSGNAME_NONE;
	}
}

/*
 * owed.c - what an expectation queue says about the requests in it.
 */
#include "server/owed.h"

#include "proto/wire.h"

unsigned owed_ready(const struct expect *e)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < e->count && n < 2; i++) {
		uint8_t kind = expect_at(e, i) & (EXPECT_KIND | EXPECT_OURS);

		/* an entry of ours carries its flag and matches nothing here */
		if (kind == EXPECT_QUERY || kind == EXPECT_SYNC || kind == EXPECT_FUNCTION)
			n++;
	}
	return n;
}

bool owed_any_ready(const struct expect *e)
{
	for (uint32_t i = 0; i < e->count; i++) {
		uint8_t kind = expect_at(e, i) & EXPECT_KIND;

		if (kind == EXPECT_QUERY || kind == EXPECT_SYNC || kind == EXPECT_FUNCTION)
			return true;
	}
	return false;
}

bool owed_is_one_request(const struct expect *e)
{
	uint8_t last;

	if (e->count == 0 || !expect_is_sure(e) || owed_ready(e) != 1)
		return false;
	last = expect_at(e, e->count - 1);
	return last == EXPECT_SYNC || e->count == 1;
}

bool owed_may_cancel(const struct expect *e)
{
	unsigned ready = 0;

	if (e->doubt > 0)
		return false;
	for (uint32_t i = 0; i < e->count && ready < 2; i++) {
		uint8_t kind = expect_at(e, i) & EXPECT_KIND;

		if (kind == EXPECT_QUERY || kind == EXPECT_SYNC || kind == EXPECT_FUNCTION)
			ready++;
	}
	return ready == 1 || (ready == 0 && e->count > 0);
}

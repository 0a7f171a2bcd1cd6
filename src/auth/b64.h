/*
 * b64.h - base64 as SCRAM writes it: canonical, padded, no blanks.
 *
 * RFC 4648 section 4 with the rules of 3.5: each byte string has exactly one text.
 * Any thread, no state.
 */
#ifndef AUTH_B64_H
#define AUTH_B64_H

#include "base/buf.h"

/* Appends the text of n bytes; out->bad tells. */
void b64_encode(struct buf *out, const void *p, size_t n);
/* Decodes all n characters of text into out (cap bytes).  -1: not canonical base64, or longer than
 * cap.  *len is set on success. */
int b64_decode(const char *text, size_t n, uint8_t *out, size_t cap, size_t *len) FX_MUST_USE;

#endif

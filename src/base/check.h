/*
 * check.h - assertions that stay on in every build, and the attributes we use.
 *
 * CHECK is for bugs of ours only: a peer, an operator or the environment must
 * never be able to make one fail.  A failed CHECK logs file and line and aborts.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FX_MUST_USE __attribute__((warn_unused_result))
#define FX_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define FX_NORETURN __attribute__((noreturn))
#define FX_UNUSED __attribute__((unused))
#define FX_LIKELY(x) __builtin_expect(!!(x), 1)
#define FX_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* defined in builds with AddressSanitizer */
#ifdef __SANITIZE_ADDRESS__
#define FX_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FX_ADDRESS_SANITIZER
#endif
#endif

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define CHECK(cond)                                                                                          \
	do {                                                                                                 \
		if (FX_UNLIKELY(!(cond)))                                                                    \
			check_failed(__FILE__, __LINE__, #cond);                                             \
	} while (0)

/* Any thread.  Writes one line to stderr and aborts. */
void check_failed(const char *file, int line, const char *what) FX_NORETURN;

#endif

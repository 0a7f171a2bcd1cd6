/*
 * poison.h - functions nobody in this tree may call, enforced by the compiler.
 *
 * Included last by .c files (through config of the build: -include is not used,
 * because system headers must be read first).
 */
#ifndef BASE_POISON_H
#define BASE_POISON_H

/* Macros of the system's headers: alloca always, sprintf with FORTIFY under clang. */
#undef alloca
#undef sprintf
#pragma GCC poison strcpy strcat sprintf vsprintf strtok strncpy gets alloca strlcat

#endif

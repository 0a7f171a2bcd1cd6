/*
 * poison.h - functions nobody in this tree may call, enforced by the compiler.
 *
 * Included last by .c files (through config of the build: -include is not used,
 * because system headers must be read first).
 */
#ifndef BASE_POISON_H
#define BASE_POISON_H

#undef alloca /* a macro of stdlib.h */
#pragma GCC poison strcpy strcat sprintf vsprintf strtok strncpy gets alloca strlcat

#endif

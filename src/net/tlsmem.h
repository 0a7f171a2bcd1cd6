/*
 * tlsmem.h - OpenSSL's memory comes through base/mem, which counts it.
 */
#ifndef NET_TLSMEM_H
#define NET_TLSMEM_H

/* The main thread, before anything in the process has used OpenSSL; later it has no effect. */
void tlsmem_count(void);

#endif

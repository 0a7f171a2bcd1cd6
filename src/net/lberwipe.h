/*
 * lberwipe.h - what OpenLDAP's liblber frees is wiped first: passwords go through it.
 *
 * Control thread, once, before any helper asks a directory.  Without OpenLDAP nothing.
 */
#ifndef NET_LBERWIPE_H
#define NET_LBERWIPE_H

void lberwipe_begin(void);

#endif

#ifndef SKS__CPU_H
#define SKS__CPU_H

/* Bytes that a processor's caches move at once; on some machines twice as many
 * do. */
enum { SKS__CACHE_LINE = 64 };

/* How many processors this process may run on; at least 1. */
unsigned sks__cpu_count(void);

#endif /* SKS__CPU_H */

/* Small objects of one size, packed into pages of their own.
 *
 * A process that forks pays for each page that it writes to between two forks:
 * the system copies it.  What the parent writes down about its requests and
 * children therefore lies here, side by side, and not among the requests.  An
 * object stays where it is until it is given back.  Whoever owns the pool locks
 * it. */
#ifndef SKS__POOL_H
#define SKS__POOL_H

#include <stddef.h>

/* The owner ends it with sks__pool_close(). */
struct sks__pool {
    size_t size;
    struct sks__pool_run *runs; /* of pages; the newest first */
    void *free;                 /* objects, linked by their first word */
};

/* For objects of that size. */
void sks__pool_open(struct sks__pool *p, size_t size);

/* Adds memory of the caller's, aligned for any type, which may be used until
 * the pool is closed. */
void sks__pool_add(struct sks__pool *p, void *memory, size_t len);

/* Frees everything but what was added, objects in use too. */
void sks__pool_close(struct sks__pool *p);

/* An object with whatever it held before, aligned for any type; NULL when out
 * of memory. */
void *sks__pool_take(struct sks__pool *p);

/* The one given back last is taken next. */
void sks__pool_give(struct sks__pool *p, void *object);

#endif /* SKS__POOL_H */

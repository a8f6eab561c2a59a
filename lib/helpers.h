/* A crew of threads for calls that block: jobs wait in a queue until a helper
 * is free.  Helpers are started when there is more to do than idle ones could,
 * up to a number, and end when they idled for a while.
 *
 * Fails only where no thread can be had.  Any thread may call. */
#ifndef SKS__HELPERS_H
#define SKS__HELPERS_H

#include "list.h"

struct sks__helpers;

/* Embedded in what its owner keeps until run was called for it, which may free
 * it. */
struct sks__job {
    struct sks__list node; /* in the queue */
    void (*run)(struct sks__job *job);
};

/* A crew of up to most threads, none yet, with one hold on it; NULL when out of
 * memory. */
struct sks__helpers *sks__helpers_new(unsigned most);

/* Keeps the crew's memory until sks__helpers_release(). */
void sks__helpers_hold(struct sks__helpers *crew);
void sks__helpers_release(struct sks__helpers *crew);

/* Has a helper run the job, in its turn.  0; or, when there is not one helper
 * and none can be started, an error that leaves the job with the caller. */
int sks__helpers_do(struct sks__helpers *crew, struct sks__job *job);

/* From now on no helper idles: each ends once nothing is left to do, and those
 * that are started for later jobs, too.  Once.
 * join: waits until all have ended, for who has no jobs left; else they are let
 * go, and hold the crew themselves. */
void sks__helpers_dismiss(struct sks__helpers *crew, int join);

#endif /* SKS__HELPERS_H */

/* The worker processes of a prefork server, and their supervision.
 *
 * Each has a post, which is filled again when its process ends: at once if that
 * had served, so that a crash costs its client and no more; after a while that
 * doubles each time if it had not, because then the next will hardly fare
 * better.
 *
 * By the thread that serves or closes. */
#ifndef SKS__STRATEGY_STAFF_H
#define SKS__STRATEGY_STAFF_H

#include "children.h"

#include <sockserver/strategy.h>

#include <stdint.h>

/* The place of one process. */
struct sks__post {
    struct sks__child child;
    int running;
    int dismissed;              /* told to end */
    int filled;                 /* before, since serving began */
    int leash;                  /* the writing end: see sks_worker */
    int64_t since;              /* when the process was forked */
    unsigned long taken_before; /* requests, by the post's earlier processes */
};

/* Its owner opens and closes it. */
struct sks__staff {
    sks_server *server;
    sks_worker worker; /* what all are told */
    struct sks__children children;
    struct sks__post *posts;
    unsigned count;
    int hiring;            /* free posts are to be filled */
    unsigned failures;     /* in a row */
    unsigned max_failures; /* of these */
    int64_t rests_until;   /* nothing is forked before */
    unsigned long taken;   /* by all, when the last failure was */
};

/* 0 or an error, which leaves it closed. */
int sks__staff_open(struct sks__staff *s, sks_server *server, unsigned count);

/* Serving begins, and ends; the processes' last requests go on. */
void sks__staff_begin(struct sks__staff *s);
void sks__staff_dismiss(struct sks__staff *s);

/* Whenever a child may have ended: reaps, and fills the posts. */
void sks__staff_tend(struct sks__staff *s);

/* The i-th descriptor to wait for, -1 past the last. */
int sks__staff_fileno(const struct sks__staff *s, size_t i);

/* Ends all by force. */
void sks__staff_kill(struct sks__staff *s);

/* Waits for all that still run, if block, which should not take long; or else
 * lets them go. */
void sks__staff_close(struct sks__staff *s, int block);

#endif /* SKS__STRATEGY_STAFF_H */

/* A worker's wait for listeners that it shares with other workers, and for a
 * bell that calls it away.
 *
 * Two things make that cheap under load.  It tries before it waits
 * (optimism.h). And while a worker finds packets without waiting, its entry at
 * that socket is away: the system goes through all entries at each packet, also
 * at each one that leaves, and each costs a tenth of what an echo does.
 *
 * One thread at a time, but for the lookouts of different workers. */
#ifndef SKS__LOOKOUT_H
#define SKS__LOOKOUT_H

#include "optimism.h"
#include "poller.h"

#include <stddef.h>

/* What sks__lookout_wait() says beside a listener. */
enum { SKS__LOOKOUT_BELL = -1, SKS__LOOKOUT_NONE = -2 };

struct sks__lookout_listener {
    struct sks__poller_node node;
    int has_packets;
    int away; /* not in the poller just now */
};

/* Its owner ends it with sks__lookout_close(). */
struct sks__lookout {
    struct sks__poller poller;
    struct sks__poller_node bell;
    struct sks__lookout_listener *listeners;
    size_t count;
    size_t latest; /* the listener that was told of last */
    struct sks__optimism optimism;
};

/* For a bell, readable while it calls, and n listeners: 0 or an error. */
int sks__lookout_open(struct sks__lookout *l, int bell, const int *listeners,
                      size_t n);
void sks__lookout_close(struct sks__lookout *l);

/* Waits up to ms milliseconds (-1: for ever): 0 with the number of a listener
 * that may have something, #SKS__LOOKOUT_BELL, or #SKS__LOOKOUT_NONE when the
 * time is over or after a signal; or an error.  It may answer without having
 * looked at anything, so that the bell alone stops nobody. */
int sks__lookout_wait(struct sks__lookout *l, int *out, int ms);

/* To be said after each answer that was a listener: whether something was
 * there. */
void sks__lookout_note(struct sks__lookout *l, int found);

/* The worker will wait elsewhere for a while. */
void sks__lookout_leave(struct sks__lookout *l);

#endif /* SKS__LOOKOUT_H */

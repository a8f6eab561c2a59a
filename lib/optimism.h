/* Whether to try before waiting.  Who found something looks there once more
 * before it waits, which saves a system call as long as there is more; who
 * finds nothing that way looks ever more rarely. */
#ifndef SKS__OPTIMISM_H
#define SKS__OPTIMISM_H

/* All zero at first. */
struct sks__optimism {
    int found;      /* the last time */
    int trying;     /* just now, without a wait */
    unsigned tries; /* in a row that found something */
    unsigned pause; /* how many waits follow a try in vain */
    unsigned left;  /* of those */
};

/* The most tries before the others that are waited for have their turn, and
 * the most waits that follow a try in vain. */
enum { SKS__TRIES_IN_A_ROW = 64, SKS__PAUSE_MAX = 31 };

/* True if the caller is to try without a wait; others: it waits for something
 * else, too. */
static inline int sks__optimism_tries(struct sks__optimism *o, int others)
{
    o->trying =
        o->found && o->left == 0 && (!others || o->tries < SKS__TRIES_IN_A_ROW);
    if (!o->trying) {
        o->found = 0;
        o->tries = 0;
    }
    return o->trying;
}

/* To be said after each try, and after each wait: whether something was there.
 */
static inline void sks__optimism_note(struct sks__optimism *o, int found)
{
    o->found = found;
    if (!o->trying) {
        o->left -= o->left > 0 ? 1 : 0;
    } else if (found) {
        o->pause = 0;
        o->tries++;
    } else {
        o->pause =
            o->pause < SKS__PAUSE_MAX ? 2 * o->pause + 1 : SKS__PAUSE_MAX;
        o->left = o->pause;
    }
    o->trying = 0;
}

#endif /* SKS__OPTIMISM_H */

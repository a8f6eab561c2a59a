/* One thread puts bytes in, another digests them; positions count all bytes
 * since the start.  Each side wakes the other rarely: a sleeping thread costs
 * more than the digest of a small piece.
 *
 * Where no thread can be had the digest is made in digest_ring_add(). */
#include "digest_ring.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

enum {
    THREAD_MIN = 4 * 1024 * 1024, /* bytes in all that are worth a thread */
    SIZE = 1024 * 1024,
    PIECE = 128 * 1024 /* the most that is put in, and digested, at once */
};

struct digest_ring {
    struct digest *digest;
    char *bytes;
    int has_thread;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    uint64_t added, digested;
    int ends;
};

#ifdef CPU_COUNT
static int has_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 1;
}
#else
static int has_processors(void)
{
    return 0;
}
#endif

/* Digests what came next; the lock is held, but not meanwhile. */
static void digest_piece(struct digest_ring *ring)
{
    size_t start = ring->digested % SIZE;
    size_t n = (size_t)(ring->added - ring->digested);

    if (n > PIECE)
        n = PIECE;
    if (n > SIZE - start)
        n = SIZE - start;
    pthread_mutex_unlock(&ring->lock);
    digest_add(ring->digest, ring->bytes + start, n);
    pthread_mutex_lock(&ring->lock);
    ring->digested += n;
    if (ring->added - ring->digested <= SIZE / 2)
        pthread_cond_signal(&ring->changed);
}

static void *run(void *arg)
{
    struct digest_ring *ring = arg;

    pthread_mutex_lock(&ring->lock);
    while (ring->digested < ring->added || !ring->ends) {
        if (ring->digested < ring->added)
            digest_piece(ring);
        else
            pthread_cond_wait(&ring->changed, &ring->lock);
    }
    pthread_mutex_unlock(&ring->lock);
    return NULL;
}

/* Signals are for the program's own threads. */
static void start(struct digest_ring *ring)
{
    sigset_t all, before;

    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->changed, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ring->has_thread = pthread_create(&ring->thread, NULL, run, ring) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!ring->has_thread) {
        pthread_cond_destroy(&ring->changed);
        pthread_mutex_destroy(&ring->lock);
    }
}

struct digest_ring *digest_ring_new(struct digest *digest, int64_t bytes)
{
    struct digest_ring *ring = calloc(1, sizeof *ring);
    int pays = bytes >= THREAD_MIN && has_processors();

    if (!ring)
        return NULL;
    ring->digest = digest;
    ring->bytes = malloc(pays ? SIZE : PIECE);
    if (!ring->bytes) {
        free(ring);
        return NULL;
    }
    if (pays)
        start(ring);
    return ring;
}

/* Until a thread that cannot keep up has made half of the ring free. */
static size_t await_room(struct digest_ring *ring)
{
    uint64_t held;

    pthread_mutex_lock(&ring->lock);
    if (ring->added - ring->digested > SIZE - PIECE)
        while (ring->added - ring->digested > SIZE / 2)
            pthread_cond_wait(&ring->changed, &ring->lock);
    held = ring->added - ring->digested;
    pthread_mutex_unlock(&ring->lock);
    return (size_t)(SIZE - held);
}

char *digest_ring_room(struct digest_ring *ring, size_t *n)
{
    size_t start;

    *n = PIECE;
    if (!ring->has_thread)
        return ring->bytes;
    *n = await_room(ring);
    start = ring->added % SIZE;
    if (*n > SIZE - start)
        *n = SIZE - start;
    if (*n > PIECE)
        *n = PIECE;
    return ring->bytes + start;
}

void digest_ring_add(struct digest_ring *ring, size_t n)
{
    if (!ring->has_thread) {
        digest_add(ring->digest, ring->bytes, n);
        return;
    }
    pthread_mutex_lock(&ring->lock);
    /* Only if it had nothing to do does the thread wait. */
    if (ring->added == ring->digested)
        pthread_cond_signal(&ring->changed);
    ring->added += n;
    pthread_mutex_unlock(&ring->lock);
}

static void end_thread(struct digest_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->ends = 1;
    pthread_cond_signal(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
    pthread_join(ring->thread, NULL);
    pthread_cond_destroy(&ring->changed);
    pthread_mutex_destroy(&ring->lock);
}

void digest_ring_free(struct digest_ring *ring)
{
    if (!ring)
        return;
    if (ring->has_thread)
        end_thread(ring);
    free(ring->bytes);
    free(ring);
}

/* Keeps the latest listing for as long as inotify(7) is silent: a read that
 * finds nothing is far cheaper than reading the folder.  Without inotify every
 * listing is made anew.
 *
 * The watch is made by the first listing, so that forked children have one
 * each: events that one process reads are lost to others. */
#include "listing.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { AGE_MAX_S = 1 };

struct listing_cache {
    const struct library *library;
    atomic_int watch;     /* -1 before there is one, -2 if there can be none */
    pthread_mutex_t lock; /* guards what follows, and each listing's held */
    struct listing *latest;
    time_t made;
};

#ifdef __linux__
#include <stdio.h>
#include <sys/inotify.h>

static int open_watch(const struct library *library)
{
    const uint32_t events = IN_ATTRIB | IN_MODIFY | IN_CREATE | IN_DELETE |
                            IN_MOVED_FROM | IN_MOVED_TO;
    char path[64];
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    snprintf(path, sizeof path, "/proc/self/fd/%d", library->fd);
    if (fd >= 0 && inotify_add_watch(fd, path, events) < 0) {
        close(fd);
        fd = -1;
    }
    return fd < 0 ? -2 : fd;
}
#else
static int open_watch(const struct library *library)
{
    (void)library;
    return -2;
}
#endif

/* Whether events wait to be read.  Without the lock: whoever reads them makes a
 * new listing before it gives the lock back. */
static int is_silent(struct listing_cache *cache)
{
    int watch = atomic_load(&cache->watch), n = 0;

    return watch >= 0 && ioctl(watch, FIONREAD, &n) == 0 && n == 0;
}

/* Reads what happened up to now; the lock is held. */
static void forget_events(struct listing_cache *cache)
{
    char events[4096];
    int watch = atomic_load(&cache->watch);

    if (watch == -1) {
        watch = open_watch(cache->library);
        atomic_store(&cache->watch, watch);
    }
    while (watch >= 0 && read(watch, events, sizeof events) > 0)
        continue;
}

static time_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

struct listing_cache *listing_cache_new(const struct library *library)
{
    struct listing_cache *cache = calloc(1, sizeof *cache);

    if (!cache)
        return NULL;
    cache->library = library;
    atomic_init(&cache->watch, -1);
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void release(struct listing *listing)
{
    if (listing && --listing->held == 0)
        listing_free(listing);
}

void listing_cache_free(struct listing_cache *cache)
{
    if (!cache)
        return;
    release(cache->latest);
    if (atomic_load(&cache->watch) >= 0)
        close(atomic_load(&cache->watch));
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static int is_fresh(const struct listing_cache *cache)
{
    return cache->latest && now_s() - cache->made <= AGE_MAX_S;
}

/* Makes the latest listing that of now; the lock is held. */
static int refresh(struct listing_cache *cache)
{
    struct listing *listing;
    int rc;

    forget_events(cache);
    rc = listing_make(&listing, cache->library);
    if (rc < 0)
        return rc;
    release(cache->latest);
    listing->held = 1;
    cache->latest = listing;
    cache->made = now_s();
    return 0;
}

int listing_cache_get(struct listing_cache *cache, struct listing **out)
{
    int silent = is_silent(cache), rc = 0;

    pthread_mutex_lock(&cache->lock);
    if (!silent || !is_fresh(cache))
        rc = refresh(cache);
    if (rc == 0) {
        cache->latest->held++;
        *out = cache->latest;
    }
    pthread_mutex_unlock(&cache->lock);
    return rc;
}

void listing_cache_release(struct listing_cache *cache, struct listing *listing)
{
    pthread_mutex_lock(&cache->lock);
    release(listing);
    pthread_mutex_unlock(&cache->lock);
}

#include "cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024, FILES_MAX = 512 };

/* The lock guards all links between files, and .bytes and .count; the cache
 * holds a reference to each file in it.  Files are opened without the lock. */
struct http_cache {
    int root;
    const struct http_mime *mime;
    size_t bytes_max;
    pthread_mutex_t lock;
    size_t bytes;
    size_t count;
    struct http_file *newest, *oldest;
    struct http_file *buckets[BUCKETS];
};

struct http_cache *http_cache_new(int root, const struct http_mime *mime,
                                  size_t bytes_max)
{
    struct http_cache *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->root = root;
    c->mime = mime;
    c->bytes_max = bytes_max;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

/* What a file is found by. */
struct key {
    enum http_coding coding;
    const char *path;
    uint32_t hash;
};

static struct key key_of(enum http_coding coding, const char *path)
{
    struct key key = {coding, path, 2166136261U + (uint32_t)coding};

    for (; *path != '\0'; path++)
        key.hash = (key.hash ^ (unsigned char)*path) * 16777619U;
    return key;
}

static void link_newest(struct http_cache *c, struct http_file *f)
{
    f->older = c->newest;
    f->newer = NULL;
    if (c->newest != NULL)
        c->newest->newer = f;
    else
        c->oldest = f;
    c->newest = f;
}

static void unlink_age(struct http_cache *c, struct http_file *f)
{
    if (f->newer != NULL)
        f->newer->older = f->older;
    else
        c->newest = f->older;
    if (f->older != NULL)
        f->older->newer = f->newer;
    else
        c->oldest = f->newer;
}

static void drop(struct http_cache *c, struct http_file *f)
{
    struct http_file **at = &c->buckets[f->hash % BUCKETS];

    if (!f->is_listed)
        return;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    unlink_age(c, f);
    f->is_listed = 0;
    c->count--;
    c->bytes -= f->cost;
    http_file_release(f);
}

static struct http_file *find(struct http_cache *c, const struct key *key)
{
    struct http_file *f = c->buckets[key->hash % BUCKETS];

    while (f != NULL && (f->hash != key->hash || f->coding != key->coding ||
                         strcmp(f->path, key->path) != 0))
        f = f->next;
    return f;
}

/* Gives the caller a reference to what is there. */
static struct http_file *look_up(struct http_cache *c, const struct key *key)
{
    struct http_file *f;

    pthread_mutex_lock(&c->lock);
    f = find(c, key);
    if (f != NULL) {
        atomic_fetch_add(&f->refs, 1);
        if (f != c->newest) {
            unlink_age(c, f);
            link_newest(c, f);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return f;
}

static void insert(struct http_cache *c, struct http_file *f)
{
    struct key key = {f->coding, f->path, f->hash};
    struct http_file *old;

    if (f->cost > c->bytes_max / 4 || f->status == 503)
        return;
    pthread_mutex_lock(&c->lock);
    old = find(c, &key);
    if (old != NULL)
        drop(c, old);
    atomic_fetch_add(&f->refs, 1);
    f->next = c->buckets[f->hash % BUCKETS];
    c->buckets[f->hash % BUCKETS] = f;
    link_newest(c, f);
    f->is_listed = 1;
    c->count++;
    c->bytes += f->cost;
    while (c->count > FILES_MAX || c->bytes > c->bytes_max)
        drop(c, c->oldest);
    pthread_mutex_unlock(&c->lock);
}

static void forget(struct http_cache *c, struct http_file *f)
{
    pthread_mutex_lock(&c->lock);
    drop(c, f);
    pthread_mutex_unlock(&c->lock);
    http_file_release(f);
}

/* Of all who come in one second, the first looks whether it changed. */
static int is_current(const struct http_cache *c, struct http_file *f,
                      int64_t second)
{
    int64_t checked = atomic_load_explicit(&f->checked, memory_order_relaxed);

    if (checked == second ||
        !atomic_compare_exchange_strong(&f->checked, &checked, second))
        return 1;
    return http_file_is_current(f, c->root);
}

struct http_file *http_cache_get(struct http_cache *c, enum http_coding coding,
                                 const char *path, int64_t second)
{
    struct key key = key_of(coding, path);
    struct http_file *f = look_up(c, &key);

    if (f != NULL && is_current(c, f, second))
        return f;
    if (f != NULL)
        forget(c, f);
    f = http_file_open(c->root, c->mime, coding, path);
    if (f == NULL)
        return NULL;
    f->hash = key.hash;
    atomic_store(&f->checked, second);
    insert(c, f);
    return f;
}

void http_cache_free(struct http_cache *c)
{
    if (c == NULL)
        return;
    while (c->newest != NULL)
        drop(c, c->newest);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

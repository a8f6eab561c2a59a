#include "cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A second in which nothing is looked at. */
#define NEVER INT64_MIN

enum { BUCKETS = 1024, FILES_MAX = 512 };

/* What a thread keeps at hand: so many files, none larger than that. */
enum { SHELF = 4, SHELF_BYTES_MAX = 8 * 1024, STOCK = 4096 };

/* The lock guards all links between files, and .bytes and .count; the cache
 * holds a reference to each file in it.  Files are opened without the lock. */
struct http_cache {
    uint64_t id;
    int root;
    const struct http_mime *mime;
    size_t bytes_max;
    pthread_mutex_t lock;
    size_t bytes;
    size_t count;
    struct http_file *newest, *oldest;
    struct http_file *buckets[BUCKETS];
};

static _Atomic uint64_t last_id;

struct http_cache *http_cache_new(int root, const struct http_mime *mime,
                                  size_t bytes_max)
{
    struct http_cache *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->id = atomic_fetch_add(&last_id, 1) + 1;
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

static int has_key(const struct http_file *f, const struct key *key)
{
    return f->hash == key->hash && f->coding == key->coding &&
           strcmp(f->path, key->path) == 0;
}

/* --- what a thread keeps at hand --- */

/* A place has a stock of references to its file and counts itself how many of
 * them it has lent: that takes no lock, and nothing that other processors
 * write. References are all the same: one may come back to another thread's
 * place, or to the file itself. */
static _Thread_local struct place {
    uint64_t of; /* a cache, by its id; 0: it is empty */
    struct http_file *file;
    int lent;
    int64_t used; /* the second in which it lent one last */
} shelf[SHELF];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t end_of_thread;

static struct place *place_of(uint32_t hash)
{
    return &shelf[hash % SHELF];
}

static void clear_place(struct place *p)
{
    if (p->of == 0)
        return;
    http_file_release(p->file, STOCK - p->lent);
    *p = (struct place){.of = 0};
}

static void clear_shelf(void *arg)
{
    (void)arg;
    for (int i = 0; i < SHELF; i++)
        clear_place(&shelf[i]);
}

static void make_key(void)
{
    pthread_key_create(&end_of_thread, clear_shelf);
}

/* Lends what is at hand and was looked at in this second. */
static struct http_file *borrow(const struct http_cache *c,
                                const struct key *key, int64_t second)
{
    struct place *p = place_of(key->hash);

    if (p->of != c->id || p->lent == STOCK || !has_key(p->file, key) ||
        atomic_load_explicit(&p->file->checked, memory_order_relaxed) != second)
        return NULL;
    p->lent++;
    p->used = second;
    return p->file;
}

/* Puts a file where none was used in this second: files that take turns would
 * only cost more there. */
static void keep_at_hand(const struct http_cache *c, struct http_file *f,
                         int64_t second)
{
    struct place *p = place_of(f->hash);

    if (!f->is_small || (p->of == c->id && p->used == second))
        return;
    pthread_once(&once, make_key);
    pthread_setspecific(end_of_thread, shelf);
    clear_place(p);
    atomic_fetch_add(&f->refs, STOCK);
    *p = (struct place){.of = c->id, .file = f, .used = second};
}

void http_cache_release(struct http_file *f)
{
    struct place *p = place_of(f->hash);

    if (p->file == f && p->lent > 0)
        p->lent--;
    else
        http_file_release(f, 1);
}

/* --- what all threads share --- */

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
    http_file_release(f, 1);
}

static struct http_file *find(struct http_cache *c, const struct key *key)
{
    struct http_file *f = c->buckets[key->hash % BUCKETS];

    while (f != NULL && !has_key(f, key))
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

/* Of a file that changed; threads that have it at hand see that, too. */
static void forget(struct http_cache *c, struct http_file *f)
{
    atomic_store(&f->checked, NEVER);
    pthread_mutex_lock(&c->lock);
    drop(c, f);
    pthread_mutex_unlock(&c->lock);
    http_file_release(f, 1);
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

/* One that all threads share, or that is new. */
static struct http_file *find_or_open(struct http_cache *c,
                                      const struct key *key, int64_t second)
{
    struct http_file *f = look_up(c, key);

    if (f != NULL && is_current(c, f, second))
        return f;
    if (f != NULL)
        forget(c, f);
    f = http_file_open(c->root, c->mime, key->coding, key->path);
    if (f == NULL)
        return NULL;
    f->hash = key->hash;
    f->is_small = f->fd < 0 && f->cost <= SHELF_BYTES_MAX;
    atomic_store(&f->checked, second);
    insert(c, f);
    return f;
}

struct http_file *http_cache_get(struct http_cache *c, enum http_coding coding,
                                 const char *path, int64_t second)
{
    struct key key = key_of(coding, path);
    struct http_file *f = borrow(c, &key, second);

    if (f != NULL)
        return f;
    f = find_or_open(c, &key, second);
    if (f != NULL)
        keep_at_hand(c, f, second);
    return f;
}

void http_cache_free(struct http_cache *c)
{
    if (c == NULL)
        return;
    clear_shelf(NULL);
    while (c->newest != NULL)
        drop(c, c->newest);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

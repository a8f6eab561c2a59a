#include "sessions.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

/* A session is in one of WAYS places, which its identifier chooses. */
enum { WAYS = 8 };

struct place {
    int64_t used; /* 0: free */
    struct http_session session;
};

/* The lock guards all places.  Whoever dies with it leaves at worst one
 * session half changed, of which the strings stay ended. */
struct http_sessions {
    pthread_mutex_t lock;
    int lifetime;
    size_t sets;
    size_t bytes;
    struct place places[];
};

static int init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;
    int rc = pthread_mutexattr_init(&attr);

    if (rc != 0)
        return rc;
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    rc = pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
    return rc;
}

struct http_sessions *http_sessions_new(size_t count, int lifetime)
{
    size_t sets = (count + WAYS - 1) / WAYS;
    size_t bytes =
        sizeof(struct http_sessions) + sets * WAYS * sizeof(struct place);
    struct http_sessions *s = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (s == MAP_FAILED)
        return NULL;
    if (init_lock(&s->lock) != 0) {
        munmap(s, bytes);
        return NULL;
    }
    s->lifetime = lifetime;
    s->sets = sets;
    s->bytes = bytes;
    return s;
}

void http_sessions_free(struct http_sessions *s)
{
    if (s != NULL)
        munmap(s, s->bytes);
}

int http_sessions_lifetime(const struct http_sessions *s)
{
    return s->lifetime;
}

static void lock(struct http_sessions *s)
{
    if (pthread_mutex_lock(&s->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&s->lock);
}

static void unlock(struct http_sessions *s)
{
    pthread_mutex_unlock(&s->lock);
}

static int64_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec + 1;
}

/* The identifier is random, so its first bytes spread well. */
static struct place *set_of(struct http_sessions *s, const char *id)
{
    size_t sum = 0;

    for (size_t i = 0; i < 8; i++)
        sum = 31 * sum + (unsigned char)id[i];
    return &s->places[sum % s->sets * WAYS];
}

/* Compares all of it however early it differs: time tells nothing. */
static int same_id(const char *a, const char *b)
{
    unsigned char difference = 0;

    for (size_t i = 0; i < HTTP_SESSION_ID_LEN; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

/* With the lock held. */
static struct place *find(struct http_sessions *s, const char *id, size_t n)
{
    struct place *set;
    int64_t now = now_s();

    if (n != HTTP_SESSION_ID_LEN)
        return NULL;
    set = set_of(s, id);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].used != 0 && now - set[i].used < s->lifetime &&
            same_id(set[i].session.id, id))
            return &set[i];
    return NULL;
}

static int make_id(char id[HTTP_SESSION_ID_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[HTTP_SESSION_ID_LEN / 2];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -EIO;
    for (size_t i = 0; i < sizeof bytes; i++) {
        id[2 * i] = digits[bytes[i] >> 4];
        id[2 * i + 1] = digits[bytes[i] & 15];
    }
    id[HTTP_SESSION_ID_LEN] = '\0';
    return 0;
}

int http_session_begin(struct http_sessions *s, struct http_session *session)
{
    struct place *set, *oldest;

    *session = (struct http_session){0};
    if (make_id(session->id) < 0)
        return -EIO;
    lock(s);
    oldest = set = set_of(s, session->id);
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].used < oldest->used)
            oldest = &set[i];
    oldest->session = *session;
    oldest->used = now_s();
    unlock(s);
    return 0;
}

int http_session_use(struct http_sessions *s, const char *id, size_t n,
                     void (*change)(struct http_session *session, void *arg),
                     void *arg, struct http_session *copy)
{
    struct place *place;

    lock(s);
    place = find(s, id, n);
    if (place != NULL) {
        place->used = now_s();
        change(&place->session, arg);
        *copy = place->session;
    }
    unlock(s);
    return place != NULL;
}

void http_session_end(struct http_sessions *s, const char *id, size_t n)
{
    struct place *place;

    lock(s);
    place = find(s, id, n);
    if (place != NULL)
        place->used = 0;
    unlock(s);
}

#include "pool.h"

#include <stdalign.h>
#include <sys/mman.h>

/* How many bytes are mapped at first, or enough for a few objects; then each
 * time twice as many, up to a limit. */
enum { FIRST_LEN = 4096, LAST_LEN = 64 * 1024, FEW = 4 };

/* Pages in a row; objects follow. */
struct sks__pool_run {
    struct sks__pool_run *next;
    size_t len;
};

static size_t aligned(size_t n)
{
    size_t a = alignof(max_align_t);

    return (n + a - 1) / a * a;
}

void sks__pool_open(struct sks__pool *p, size_t size)
{
    *p = (struct sks__pool){
        .size = aligned(size > sizeof p->free ? size : sizeof p->free)};
}

void sks__pool_close(struct sks__pool *p)
{
    while (p->runs != NULL) {
        struct sks__pool_run *run = p->runs;

        p->runs = run->next;
        munmap(run, run->len);
    }
    p->free = NULL;
}

void sks__pool_give(struct sks__pool *p, void *object)
{
    *(void **)object = p->free;
    p->free = object;
}

static size_t next_len(const struct sks__pool *p)
{
    size_t len = p->runs != NULL ? p->runs->len * 2 : FIRST_LEN;
    size_t least = sizeof *p->runs + FEW * p->size;

    if (len > LAST_LEN)
        len = LAST_LEN;
    return len > least ? len : least;
}

void sks__pool_add(struct sks__pool *p, void *memory, size_t len)
{
    for (size_t i = 0; i + p->size <= len; i += p->size)
        sks__pool_give(p, (char *)memory + i);
}

/* One more run, all of it free. */
static void grow(struct sks__pool *p)
{
    size_t len = next_len(p);
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sks__pool_run *run = at;

    if (at == MAP_FAILED)
        return;
    *run = (struct sks__pool_run){.next = p->runs, .len = len};
    p->runs = run;
    sks__pool_add(p, (char *)at + aligned(sizeof *run),
                  len - aligned(sizeof *run));
}

void *sks__pool_take(struct sks__pool *p)
{
    void *object;

    if (p->free == NULL)
        grow(p);
    object = p->free;
    if (object != NULL)
        p->free = *(void **)object;
    return object;
}

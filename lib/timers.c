/* Where a node lies: a deadline and now, as numbers to the base of 64, first
 * differ at some digit.  Its place is the level of that digit and the slot of
 * the deadline's value there, which is thus greater than now's: slots before
 * now's are empty, all of a level's come before those of the next level, and
 * as now advances no node but those of the slots it reaches need move.  A
 * deadline of now itself lies in now's slot of the lowest level. */
#include "timers.h"

#include <assert.h>
#include <limits.h>

enum { SLOT_BITS = 6, DUE = SKS__TIMERS_LEVELS * SKS__TIMERS_SLOTS };

/* The wheel's end, and so time's. */
#define LAST ((INT64_C(1) << (SLOT_BITS * SKS__TIMERS_LEVELS)) - 1)

static unsigned place_of(int64_t now, int64_t deadline)
{
    uint64_t differ = (uint64_t)now ^ (uint64_t)deadline;
    unsigned level = 0;

    if (differ != 0)
        level = (63 - (unsigned)__builtin_clzll(differ)) / SLOT_BITS;
    return level * SKS__TIMERS_SLOTS +
           (unsigned)(deadline >> (level * SLOT_BITS)) % SKS__TIMERS_SLOTS;
}

static uint64_t *used_of(struct sks__timers *timers, unsigned place)
{
    return &timers->used[place / SKS__TIMERS_SLOTS];
}

static uint64_t bit_of(unsigned place)
{
    return UINT64_C(1) << place % SKS__TIMERS_SLOTS;
}

static void push(struct sks__timer **list, struct sks__timer *timer)
{
    timer->next = *list;
    if (timer->next != NULL)
        timer->next->link = &timer->next;
    timer->link = list;
    *list = timer;
}

static void detach(struct sks__timer *timer)
{
    assert(timer->link != NULL);
    *timer->link = timer->next;
    if (timer->next != NULL)
        timer->next->link = timer->link;
    timer->link = NULL;
}

/* Puts a node that is nowhere where its deadline belongs. */
static void file(struct sks__timers *timers, struct sks__timer *timer)
{
    int64_t deadline = timer->deadline;

    timer->filed = deadline;
    if (deadline > LAST)
        deadline = LAST;
    if (deadline < timers->now)
        deadline = timers->now;
    timer->place = place_of(timers->now, deadline);
    push(&timers->slots[timer->place], timer);
    *used_of(timers, timer->place) |= bit_of(timer->place);
}

void sks__timers_init(struct sks__timers *timers, int64_t now)
{
    assert(now >= 0 && now <= LAST);
    *timers = (struct sks__timers){.now = now};
}

void sks__timers_file(struct sks__timers *timers, struct sks__timer *timer,
                      int64_t deadline)
{
    sks__timers_remove(timers, timer);
    timer->deadline = deadline;
    if (deadline != SKS__NEVER)
        file(timers, timer);
}

void sks__timers_remove(struct sks__timers *timers, struct sks__timer *timer)
{
    timer->deadline = SKS__NEVER;
    if (timer->link == NULL)
        return;
    detach(timer);
    if (timer->place != DUE && timers->slots[timer->place] == NULL)
        *used_of(timers, timer->place) &= ~bit_of(timer->place);
}

/* When the place's slot begins. */
static int64_t time_of(int64_t now, unsigned place)
{
    unsigned shift = place / SKS__TIMERS_SLOTS * SLOT_BITS;
    int64_t whole = now >> (shift + SLOT_BITS) << (shift + SLOT_BITS);

    return whole | (int64_t)(place % SKS__TIMERS_SLOTS) << shift;
}

/* The first slot in time that has nodes; DUE if all are empty. */
static unsigned first_place(const struct sks__timers *timers)
{
    for (unsigned level = 0; level < SKS__TIMERS_LEVELS; level++)
        if (timers->used[level] != 0)
            return level * SKS__TIMERS_SLOTS +
                   (unsigned)__builtin_ctzll(timers->used[level]);
    return DUE;
}

/* Puts a node that was found where it belongs now: among the due, in a later
 * slot, or nowhere. */
static void sort(struct sks__timers *timers, struct sks__timer *timer)
{
    if (timer->deadline == SKS__NEVER)
        return;
    if (timer->deadline > timers->now) {
        file(timers, timer);
        return;
    }
    timer->place = DUE;
    push(&timers->due, timer);
}

static void empty(struct sks__timers *timers, unsigned place)
{
    struct sks__timer **slot = &timers->slots[place];

    *used_of(timers, place) &= ~bit_of(place);
    while (*slot != NULL) {
        struct sks__timer *timer = *slot;

        detach(timer);
        sort(timers, timer);
    }
}

/* Advances to the first time with due nodes, or to now if there is none.  Each
 * slot opened is in the past of those left, so that none is passed over. */
static void advance(struct sks__timers *timers, int64_t now)
{
    while (timers->due == NULL) {
        unsigned place = first_place(timers);

        if (place == DUE || time_of(timers->now, place) > now)
            break;
        timers->now = time_of(timers->now, place);
        empty(timers, place);
    }
    if (timers->due == NULL && timers->now < now)
        timers->now = now;
}

int sks__timers_left_ms(const struct sks__timers *timers, int64_t now)
{
    unsigned place = first_place(timers);
    int64_t left;

    if (timers->due != NULL)
        return 0;
    if (place == DUE)
        return -1;
    left = time_of(timers->now, place) - now;
    if (left <= 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

struct sks__timer *sks__timers_pop(struct sks__timers *timers, int64_t now)
{
    struct sks__timer *timer;

    assert(now >= 0 && now <= LAST);
    for (;;) {
        advance(timers, now);
        timer = timers->due;
        if (timer == NULL)
            return NULL;
        detach(timer);
        if (timer->deadline <= timers->now) {
            timer->deadline = SKS__NEVER;
            return timer;
        }
        /* It was armed anew since it fell due. */
        sort(timers, timer);
    }
}

/* What AddressSanitizer, ThreadSanitizer and Valgrind must be told about
 * switched stacks.  In a build for none of them all of this is empty.
 *
 * A coroutine's owner calls begin, and end when it is over.  Around each swap
 * into it come enter, by the side that resumes, and entered, by the coroutine;
 * around each swap out of it, leave and left.  For coro.c. */
#ifndef SKS__CORO_NOTES_H
#define SKS__CORO_NOTES_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SKS__NOTES_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define SKS__NOTES_TSAN
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SKS__NOTES_ASAN
#endif
#ifdef __SANITIZE_THREAD__
#define SKS__NOTES_TSAN
#endif

#ifdef SKS__NOTES_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SKS__NOTES_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef SKS_HAVE_VALGRIND
#include <valgrind/memcheck.h>
#endif

struct sks__notes {
#ifdef SKS__NOTES_ASAN
    const void *low, *outer_low;
    size_t size, outer_size;
    void *fake, *outer_fake; /* locals that are checked for use after return */
#endif
#ifdef SKS__NOTES_TSAN
    void *fiber, *outer_fiber;
#endif
#ifdef SKS_HAVE_VALGRIND
    unsigned valgrind_stack;
#endif
    char none;
};

/* The stack is from low up to top. */
static inline void sks__notes_begin(struct sks__notes *notes, char *low,
                                    char *top)
{
    (void)notes, (void)low, (void)top;
#ifdef SKS__NOTES_ASAN
    notes->low = low;
    notes->size = (size_t)(top - low);
    notes->fake = NULL;
#endif
#ifdef SKS__NOTES_TSAN
    notes->fiber = __tsan_create_fiber(0);
#endif
#ifdef SKS_HAVE_VALGRIND
    notes->valgrind_stack = VALGRIND_STACK_REGISTER(low, top);
    /* What the last coroutine left there means nothing to this one. */
    VALGRIND_MAKE_MEM_UNDEFINED(low, top - low);
#endif
}

static inline void sks__notes_end(struct sks__notes *notes)
{
    (void)notes;
#ifdef SKS__NOTES_TSAN
    __tsan_destroy_fiber(notes->fiber);
#endif
#ifdef SKS_HAVE_VALGRIND
    VALGRIND_STACK_DEREGISTER(notes->valgrind_stack);
#endif
}

static inline void sks__notes_enter(struct sks__notes *notes)
{
    (void)notes;
#ifdef SKS__NOTES_ASAN
    __sanitizer_start_switch_fiber(&notes->outer_fake, notes->low, notes->size);
#endif
#ifdef SKS__NOTES_TSAN
    notes->outer_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(notes->fiber, 0);
#endif
}

static inline void sks__notes_entered(struct sks__notes *notes)
{
    (void)notes;
#ifdef SKS__NOTES_ASAN
    __sanitizer_finish_switch_fiber(notes->fake, &notes->outer_low,
                                    &notes->outer_size);
#endif
}

/* for_good: the coroutine will not be entered again. */
static inline void sks__notes_leave(struct sks__notes *notes, int for_good)
{
    (void)notes, (void)for_good;
#ifdef SKS__NOTES_ASAN
    __sanitizer_start_switch_fiber(for_good ? NULL : &notes->fake,
                                   notes->outer_low, notes->outer_size);
#endif
#ifdef SKS__NOTES_TSAN
    __tsan_switch_to_fiber(notes->outer_fiber, 0);
#endif
}

static inline void sks__notes_left(struct sks__notes *notes)
{
    (void)notes;
#ifdef SKS__NOTES_ASAN
    __sanitizer_finish_switch_fiber(notes->outer_fake, NULL, NULL);
#endif
}

#endif /* SKS__CORO_NOTES_H */

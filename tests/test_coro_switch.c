/* The switch of stacks, whichever version is built: lib/coro_switch_*. */
#include "coro_switch.h"
#include "coro.h"
#include "support/check.h"
#include "support/instruments.h"
#include "support/leak.h"

#include <unwind.h>

static struct sks__stack_cache *cache;

static int begin(void **state)
{
    (void)state;
    leak_begin();
    cache = sks__stack_cache_new(SKS__STACK_SIZE, 2);
    return cache == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    sks__stack_cache_free(cache);
    return leak_end();
}

/* --- registers --- */

/* Swaps with a value of its own in each register that must survive, but for
 * the frame pointer, without which no test would get far.  Returns how many
 * were lost. */
#if defined(SKS_CORO_UCONTEXT) || SANITIZED
#define NO_REGISTERS
#elif defined(__x86_64__)
static int swap_registers(struct sks__context *context, long salt)
{
    struct sks__context *to = context;
    register long b __asm__("rbx") = salt + 1;
    register long c __asm__("r12") = salt + 2;
    register long d __asm__("r13") = salt + 3;
    register long e __asm__("r14") = salt + 4;
    register long f __asm__("r15") = salt + 5;

    /* What lies below the stack pointer may be in use: step over it. */
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
                     "call sks__context_swap\n\t"
                     "leaq 128(%%rsp), %%rsp"
                     : "+D"(to), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f)
                     :
                     : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "memory", "cc");
    return (b != salt + 1) + (c != salt + 2) + (d != salt + 3) +
           (e != salt + 4) + (f != salt + 5);
}
#elif defined(__aarch64__)
#define KEPT(name, type, number)                                               \
    register type name##number __asm__(#name #number) = (type)(salt + (number))
#define LOST(name, type, number) (name##number != (type)(salt + (number)))

static int swap_general(struct sks__context *context, long salt)
{
    register struct sks__context *to __asm__("x0") = context;
    KEPT(x, long, 19);
    KEPT(x, long, 20);
    KEPT(x, long, 21);
    KEPT(x, long, 22);
    KEPT(x, long, 23);
    KEPT(x, long, 24);
    KEPT(x, long, 25);
    KEPT(x, long, 26);
    KEPT(x, long, 27);
    KEPT(x, long, 28);

    __asm__ volatile("bl sks__context_swap"
                     : "+r"(to), "+r"(x19), "+r"(x20), "+r"(x21), "+r"(x22),
                       "+r"(x23), "+r"(x24), "+r"(x25), "+r"(x26), "+r"(x27),
                       "+r"(x28)
                     :
                     : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9",
                       "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
                       "x18", "x30", "memory", "cc");
    return LOST(x, long, 19) + LOST(x, long, 20) + LOST(x, long, 21) +
           LOST(x, long, 22) + LOST(x, long, 23) + LOST(x, long, 24) +
           LOST(x, long, 25) + LOST(x, long, 26) + LOST(x, long, 27) +
           LOST(x, long, 28);
}

static int swap_floating(struct sks__context *context, long salt)
{
    register struct sks__context *to __asm__("x0") = context;
    KEPT(d, double, 8);
    KEPT(d, double, 9);
    KEPT(d, double, 10);
    KEPT(d, double, 11);
    KEPT(d, double, 12);
    KEPT(d, double, 13);
    KEPT(d, double, 14);
    KEPT(d, double, 15);

    __asm__ volatile("bl sks__context_swap"
                     : "+r"(to), "+w"(d8), "+w"(d9), "+w"(d10), "+w"(d11),
                       "+w"(d12), "+w"(d13), "+w"(d14), "+w"(d15)
                     :
                     : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9",
                       "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
                       "x18", "x30", "d0", "d1", "d2", "d3", "d4", "d5", "d6",
                       "d7", "d16", "d17", "d18", "d19", "d20", "d21", "d22",
                       "d23", "d24", "d25", "d26", "d27", "d28", "d29", "d30",
                       "d31", "memory", "cc");
    return LOST(d, double, 8) + LOST(d, double, 9) + LOST(d, double, 10) +
           LOST(d, double, 11) + LOST(d, double, 12) + LOST(d, double, 13) +
           LOST(d, double, 14) + LOST(d, double, 15);
}

static int swap_registers(struct sks__context *context, long salt)
{
    return swap_general(context, salt) + swap_floating(context, salt);
}
#else
#define NO_REGISTERS
#endif

#ifdef NO_REGISTERS
static void every_register_survives_that_must(void **state)
{
    (void)state;
    skip();
}
#else
struct pair {
    struct sks__context context;
    int lost;
};

static void swap_for_ever(void *arg)
{
    struct pair *pair = arg;

    for (;;)
        pair->lost += swap_registers(&pair->context, 1000);
}

static void every_register_survives_that_must(void **state)
{
    struct sks__stack *stack;
    struct pair pair = {.lost = 0};

    (void)state;
    if (RUNNING_ON_VALGRIND)
        skip();
    stack = sks__stack_take(cache);
    assert_non_null(stack);
    sks__context_make(&pair.context, sks__stack_low(stack), stack,
                      swap_for_ever, &pair);
    for (int i = 0; i < 10; i++)
        pair.lost += swap_registers(&pair.context, 2000);
    assert_int_equal(pair.lost, 0);
    sks__stack_give(stack);
}
#endif

/* --- for those who look at the stack --- */

/* --- the floating-point control --- */

#ifdef __x86_64__
/* How each of the two units rounds. */
struct rounding {
    unsigned sse;
    unsigned short x87;
};

static struct rounding control(void)
{
    struct rounding r;

    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(r.sse), "=m"(r.x87));
    return r;
}

static struct rounding rounding(void)
{
    struct rounding r = control();

    r.sse = r.sse >> 13 & 3;
    r.x87 = r.x87 >> 10 & 3;
    return r;
}

static void set_rounding(unsigned way)
{
    struct rounding r = control();

    r.sse = (r.sse & ~0x6000u) | way << 13;
    r.x87 = (unsigned short)((r.x87 & ~0x0c00u) | way << 10);
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(r.sse), "m"(r.x87));
}

static void expect_rounding(struct rounding r, unsigned way)
{
    assert_int_equal(r.sse, way);
    assert_int_equal(r.x87, way);
}

enum { NEAREST, DOWNWARD, UPWARD };

static void round_upwards(void *arg)
{
    struct rounding *seen = arg;

    seen[0] = rounding();
    set_rounding(UPWARD);
    sks__coro_yield();
    seen[1] = rounding();
}

static void each_side_keeps_its_rounding(void **state)
{
    struct rounding seen[2];
    struct sks__coro *co = sks__coro_new(cache, round_upwards, seen);

    (void)state;
    assert_non_null(co);
    set_rounding(DOWNWARD);
    sks__coro_resume(co);
    expect_rounding(rounding(), DOWNWARD);
    sks__coro_resume(co);
    expect_rounding(rounding(), DOWNWARD);
    set_rounding(NEAREST);
    /* A new one has what its maker had. */
    expect_rounding(seen[0], NEAREST);
    expect_rounding(seen[1], UPWARD);
    sks__coro_free(co);
}
#else
static void each_side_keeps_its_rounding(void **state)
{
    (void)state;
    skip();
}
#endif

/* --- backtraces --- */

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context,
                                       void *arg)
{
    int *frames = arg;

    (void)context;
    return ++*frames > 100 ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

struct trace {
    int frames;
    _Unwind_Reason_Code end;
};

static void trace_back(void *arg)
{
    struct trace *trace = arg;

    trace->frames = 0;
    trace->end = _Unwind_Backtrace(count_frame, &trace->frames);
}

static void a_backtrace_ends_where_the_coroutine_begins(void **state)
{
    struct trace trace;
    struct sks__coro *co = sks__coro_new(cache, trace_back, &trace);

    (void)state;
    assert_non_null(co);
    sks__coro_resume(co);
    assert_int_equal(trace.end, _URC_END_OF_STACK);
    assert_in_range(trace.frames, 1, 20);
    sks__coro_free(co);
}

/* The unwinder may allocate when it is first used, and keep it. */
static int begin_all(void **state)
{
    struct trace trace;

    (void)state;
    trace_back(&trace);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_register_survives_that_must),
        TEST(each_side_keeps_its_rounding),
        TEST(a_backtrace_ends_where_the_coroutine_begins),
    };

    return cmocka_run_group_tests(tests, begin_all, NULL);
}

#include "trace.h"
#include "check.h"
#include "deadline.h"
#include "real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 1024 };

/* A pipe that is closed on exec, as everything of a server should be. */
static int open_pipe(int ends[2])
{
    if (__real_pipe(ends) != 0)
        return -1;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static void close_pipe(int ends[2])
{
    close(ends[0]);
    close(ends[1]);
    ends[0] = ends[1] = -1;
}

int trace_open(struct trace *trace)
{
    if (open_pipe(trace->told) != 0)
        return -1;
    if (open_pipe(trace->gate) == 0)
        return 0;
    close_pipe(trace->told);
    return -1;
}

void trace_close(struct trace *trace)
{
    close_pipe(trace->told);
    close_pipe(trace->gate);
}

/* Puts a few bytes into a pipe, in one piece. */
static void put(int fd, const char *bytes, size_t n)
{
    while (__real_write(fd, bytes, n) < 0 && errno == EINTR)
        continue;
}

/* Waits for the pipe's next byte; -1 after the deadline.  Another reader may
 * be faster, which is why no read may block. */
static int get(int fd, long long start, char *byte)
{
    ssize_t n;

    do {
        if (!deadline_poll(fd, POLLIN, deadline_left_ms(start)))
            return -1;
        n = __real_read(fd, byte, 1);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    return n == 1 ? 0 : -1;
}

void trace_put(const struct trace *trace, const char *format, ...)
{
    char event[256];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(event, sizeof event - 1, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n > sizeof event - 2)
        n = (int)sizeof event - 2;
    event[n] = ' ';
    put(trace->told[1], event, (size_t)n + 1);
}

int trace_wait(const struct trace *trace)
{
    char byte;

    return get(trace->gate[0], deadline_now_ms(), &byte);
}

void trace_let(const struct trace *trace, int n)
{
    while (n-- > 0)
        put(trace->gate[1], "", 1);
}

void trace_expect(const struct trace *trace, const char *events)
{
    long long start = deadline_now_ms();
    size_t wanted = strlen(events), n = 0;
    char came[LONGEST];

    assert_true(wanted < sizeof came);
    while (n < wanted && get(trace->told[0], start, came + n) == 0)
        n++;
    came[n] = '\0';
    assert_string_equal(came, events);
}

void trace_next(const struct trace *trace, char *word, size_t size)
{
    long long start = deadline_now_ms();
    size_t n = 0;

    while (n < size - 1 && get(trace->told[0], start, word + n) == 0 &&
           word[n] != ' ')
        n++;
    if (word[n] != ' ') {
        word[n] = '\0';
        fail_msg("no event came after \"%s\"", word);
    }
    word[n] = '\0';
}

void trace_expect_rest(const struct trace *trace, const char *events)
{
    char came[LONGEST];
    size_t n = 0;

    while (n < sizeof came - 1 && deadline_poll(trace->told[0], POLLIN, 0) &&
           get(trace->told[0], deadline_now_ms(), came + n) == 0)
        n++;
    came[n] = '\0';
    assert_string_equal(came, events);
}

void trace_until(const struct trace *trace, const char *event, int times)
{
    char word[256];

    while (times > 0) {
        trace_next(trace, word, sizeof word);
        times -= strcmp(word, event) == 0;
    }
}

/* The load generator's parts: what the modes share, and the modes.
 *
 * A mode opens what it needs, runs once to warm up and once for the record,
 * and closes.  One thread does all of it.  Whatever goes wrong ends the
 * program with a sentence on standard error: a benchmark with a fault in it
 * has no result. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "histogram.h"

/* The longest payload: it fits any socket buffer, so that sending never has
 * to be continued. */
#define LOAD_SIZE_MAX 4096

struct load_options {
    struct sockaddr_in server;
    uint32_t connections; /* or packets in flight */
    size_t size;          /* bytes of a payload */
    double seconds;       /* how long to run; 0: until count is reached */
    uint64_t count;       /* round trips to make; 0: until time is over */
    double warmup_seconds;
    double stall_seconds; /* without any reply for so long, give up */
    double spin_seconds;  /* poll for so long before sleeping */
    int steered;          /* talk with a harness: ready, go, result, end */
};

/* One run.  Zeroed but for the limits when it begins. */
struct load_run {
    uint64_t end_ns;    /* no request starts after that, */
    uint64_t count;     /* nor beyond that number */
    uint64_t started;   /* requests */
    uint64_t completed; /* of those */
    uint64_t lost;      /* datagrams sent again for want of a reply */
    struct histogram latency;
};

struct load_mode {
    const char *name;
    void (*open)(const struct load_options *options);
    void (*run)(const struct load_options *options, struct load_run *run);
    void (*close)(void);
};

extern const struct load_mode load_stream;   /* kept connections */
extern const struct load_mode load_connect;  /* one connection a request */
extern const struct load_mode load_datagram; /* packets in flight */

/* --- what the modes share: load_common.c --- */

/* Ends the program with the sentence, and the error if it is not 0. */
_Noreturn void load_fail(int error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

uint64_t load_now_ns(void);

/* Counts one more request as started if the run's limits allow it. */
int load_start(struct load_run *run, uint64_t now_ns);

/* Counts one request as completed now. */
void load_complete(struct load_run *run, uint64_t sent_ns, uint64_t now_ns);

/* True while the run has requests that wait for their reply. */
int load_under_way(const struct load_run *run);

/* Waits for events, at most so many milliseconds: polls first, as long as the
 * options say, and then sleeps.  0 if none came. */
int load_poll(const struct load_options *options, int epoll_fd,
              struct epoll_event *events, int max, int ms);

/* The same, but ends the program when the server stalls. */
int load_wait(const struct load_options *options, int epoll_fd,
              struct epoll_event *events, int max);

/* Sets how long a blocking call on the socket may take. */
void load_limit_waits(int fd, double seconds);

/* Writes or checks a payload that no other connection and no other round has,
 * so that a reply to somebody else is noticed. */
void load_fill(char *payload, size_t size, uint32_t index, uint32_t round);
void load_check(const char *payload, size_t size, uint32_t index,
                uint32_t round);

#endif

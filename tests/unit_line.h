/* A stream over one end of a pair of sockets, with what reads and writes it;
 * the test, or a thread of its own, has the other end. */
#ifndef UNIT_LINE_H
#define UNIT_LINE_H

#include "rfile.h"
#include "stream.h"
#include "wfile.h"

struct line {
    struct sks__stream stream;
    sks_rfile rfile;
    sks_wfile wfile;
    int peer; /* -1 once the test hung up */
};

/* Both kinds of streams are tested, where there are both: the ones that wait
 * in their own calls if this is set. */
extern int line_blocking;

void line_open(struct line *l, size_t rbufsize, size_t wbufsize);
void line_close(struct line *l);

/* What the peer says, all at once, and its end. */
void line_say(struct line *l, const char *text);
void line_hang_up(struct line *l);
void line_say_and_hang_up(struct line *l, const char *text);

/* Runs the tests over both kinds of streams.  Returns how many failed. */
#define LINE_RUN(name, tests)                                                  \
    (cmocka_run_group_tests_name(name, tests, NULL, NULL) +                    \
     (line_both()                                                              \
          ? cmocka_run_group_tests_name(name ", blocking", tests, NULL, NULL)  \
          : 0))

/* Goes on to streams that block; false if there are none. */
int line_both(void);

#endif

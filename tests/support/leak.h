/* Finds what a test left behind: open descriptors, threads, child processes
 * and the library's memory.
 *
 * Each test takes leak_begin() first and leak_end() last, after it has given
 * back everything of its own. */
#ifndef SUPPORT_LEAK_H
#define SUPPORT_LEAK_H

/* Starts a thread and joins it, before any test: a sanitizer may start one of
 * its own with the program's first, which is none of the library's. */
void leak_start_first_thread(void);

/* Remembers what the process has. */
void leak_begin(void);

/* Waits until the process is back where it was at leak_begin(): a thread that
 * was joined or a child that was killed may take a moment to vanish.
 * Returns 0, or -1 after the deadline, having named on standard error each
 * thing that outlived the test. */
int leak_end(void);

#endif

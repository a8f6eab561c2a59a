/* What the bare loops share: a listener whose port they print. */
#ifndef BENCH_FILELIB_BARE_H
#define BENCH_FILELIB_BARE_H

/** Listens at a free port of 127.0.0.1, says which on standard output, and
 * ends the program if it cannot.  @return the listener */
int bare_listen(void);

/** Prints what failed and ends the program. */
_Noreturn void bare_fail(const char *what);

#endif

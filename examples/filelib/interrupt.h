/* Ctrl-C, as something that a wait can wait for. */
#ifndef FILELIB_INTERRUPT_H
#define FILELIB_INTERRUPT_H

/** Catches SIGINT from now on, and ignores SIGPIPE.  @return 0, or -1 */
int interrupt_catch(void);

/** Readable once SIGINT came. */
int interrupt_fd(void);

/** Whether SIGINT came since the last interrupt_forget(). */
int interrupt_seen(void);

void interrupt_forget(void);

#endif

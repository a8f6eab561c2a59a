/* A flag that a thread can wait for with poll(2) and that a signal handler, or
 * a child process, can raise.  eventfd(2) or a pipe. */
#ifndef SKS__WAKEUP_H
#define SKS__WAKEUP_H

/* The owner of the struct ends it with sks__wakeup_close(). */
struct sks__wakeup {
    int read_fd;  /* readable while raised; -1: closed */
    int write_fd; /* the same as read_fd where one descriptor does */
};

/* 0, or an error, which leaves it closed. */
int sks__wakeup_open(struct sks__wakeup *w);

/* May be called again, and in a forked child. */
void sks__wakeup_close(struct sks__wakeup *w);

/* Any thread, any signal handler; errno is kept. */
void sks__wakeup_raise(const struct sks__wakeup *w);

/* Any thread. */
void sks__wakeup_clear(const struct sks__wakeup *w);

#endif /* SKS__WAKEUP_H */

/* The library: a folder whose regular, visible files are there for everybody.
 *
 * Every name is one component of the folder itself and is opened beneath it
 * without following any link, so that nothing outside can be reached.  Results
 * are 0 or a count, or an errno negated; fault.h says what each means to a
 * client. */
#ifndef FILELIB_LIBRARY_H
#define FILELIB_LIBRARY_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/** What a server allows.  Limits in bytes; 0: none. */
struct library_options {
    const char *root;
    int64_t max_file_size;
    int64_t quota;    /**< of all files together */
    int64_t min_free; /**< that uploads leave free on the disk */
    int read_only;
    int allow_delete;
    int allow_rename;
    int allow_replace;
};

/** An open library.  Threads and forked children share it without a lock: its
 * members do not change after library_open(). */
struct library {
    struct library_options options;
    int fd;          /**< of the folder */
    mode_t mode;     /**< of new files */
    int has_unnamed; /**< whether O_TMPFILE and linkat work here */
};

/** Opens the folder, and removes what a server that was killed left there.
 * @return 0 or an error; library_close() is for success only */
int library_open(struct library *library,
                 const struct library_options *options);

void library_close(struct library *library);

/** Whether a name may be a file of the library: 0, or -EPERM. */
int library_check_name(const char *name);

/** Opens a regular file for reading.
 * @param status receives what fstat(2) says of it
 * @return a descriptor, or an error: -EPERM if it is hidden or anything but a
 *         regular file */
int library_open_file(const struct library *library, const char *name,
                      struct stat *status);

/** Whether the file is still what status says. */
int library_is_unchanged(int fd, const struct stat *status);

int library_delete(const struct library *library, const char *name);

/** Never replaces: -EEXIST. */
int library_rename(const struct library *library, const char *from,
                   const char *to);

#endif

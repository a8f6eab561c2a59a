/* Files that uploads keep in the folder, hidden from everybody: temporaries,
 * and the beginnings of uploads that broke off and may be resumed.  A process
 * that uses one holds a lock on it. */
#ifndef FILELIB_LEFTOVERS_H
#define FILELIB_LEFTOVERS_H

#include <stddef.h>

enum { LEFTOVER_NAME = 80 }; /**< bytes of such a name with its NUL */

/** Removes the temporaries that no process uses, and the beginnings that are
 * older than a day. */
void leftovers_remove(int folder);

/** Whether files without a name can be made and named later in the folder. */
int leftovers_unnamed_work(int folder);

/** How many beginnings there are. */
size_t leftovers_count(int folder);

/** A name for a new temporary.  @return 0, or an errno negated */
int leftovers_temporary_name(char name[LEFTOVER_NAME]);

/** The name for the beginning of an upload. */
void leftovers_partial_name(char name[LEFTOVER_NAME],
                            const unsigned char key[16]);

#endif

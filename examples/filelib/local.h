/* The client's own folder. */
#ifndef FILELIB_LOCAL_H
#define FILELIB_LOCAL_H

#include "client.h"

/** Shows the current folder. */
enum status local_print_folder(void);

/** Goes to another folder, and shows it.  NULL: the user's own. */
enum status local_change_folder(const char *path);

/** Shows the names in a folder, without hidden ones. */
enum status local_list(const char *path);

#endif

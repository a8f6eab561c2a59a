/* What the tabulator key does. */
#ifndef FILELIB_COMPLETION_H
#define FILELIB_COMPLETION_H

#include <histedit.h>

/** For EL_ADDFN of an editor whose EL_CLIENTDATA is a struct client: completes
 * commands, local files, or files of the library, whatever belongs there. */
unsigned char completion_complete(EditLine *editor, int key);

#endif

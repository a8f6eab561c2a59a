/* What an error of the library is to a client. */
#ifndef FILELIB_FAULT_H
#define FILELIB_FAULT_H

/** The code and the sentence for an errno negated; static. */
int fault_code(int error);
const char *fault_sentence(int error);

#endif

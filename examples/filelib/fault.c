#include "fault.h"

#include "protocol.h"

#include <errno.h>
#include <stddef.h>

static const struct fault {
    int error;
    int code;
    const char *sentence;
} faults[] = {
    {-ENOENT, CODE_NOT_FOUND, "there is no such file"},
    {-EPERM, CODE_REFUSED, "only regular files that are not hidden are here"},
    {-ELOOP, CODE_REFUSED, "only regular files that are not hidden are here"},
    {-EXDEV, CODE_REFUSED, "only regular files that are not hidden are here"},
    {-EISDIR, CODE_REFUSED, "only regular files that are not hidden are here"},
    {-ENXIO, CODE_REFUSED, "only regular files that are not hidden are here"},
    {-EACCES, CODE_REFUSED, "the server does not allow that"},
    {-EROFS, CODE_REFUSED, "the server does not allow that"},
    {-ENAMETOOLONG, CODE_REFUSED, "the server's disk has no names so long"},
    {-EILSEQ, CODE_REFUSED, "the server's disk has no such names"},
    {-EINVAL, CODE_REFUSED, "the server's disk has no such names"},
    {-EEXIST, CODE_EXISTS, "there is a file of that name already"},
    {-EBUSY, CODE_EXISTS, "this very upload is under way already"},
    {-ESTALE, CODE_EXISTS, "the file changed meanwhile"},
    {-EFBIG, CODE_TOO_LARGE, "the file is larger than the server takes"},
    {-EMSGSIZE, CODE_MALFORMED, "more bytes came than were declared"},
    {-ENODATA, CODE_MALFORMED, "fewer bytes came than were declared"},
    {-EBADMSG, CODE_CORRUPTED, "the digest is not that of what came"},
    {-ENOSPC, CODE_NO_ROOM, "the server's disk is full"},
    {-EDQUOT, CODE_NO_ROOM, "the library is full"},
    {0, CODE_FAULT, "the server's system failed"}};

static const struct fault *find(int error)
{
    const struct fault *fault = faults;

    while (fault->error != 0 && fault->error != error)
        fault++;
    return fault;
}

int fault_code(int error)
{
    return find(error)->code;
}

const char *fault_sentence(int error)
{
    return find(error)->sentence;
}

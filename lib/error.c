/* What errors mean.  The texts are our own: strerror() is neither thread-safe
 * nor free of the locale. */
#include "error.h"

#include <sockserver.h>

#include <errno.h>

static const struct {
    int error;
    const char *text;
} texts[] = {
    {SKS_OK, "no error"},
    {SKS_ECLOSED, "the other side is gone"},
    {SKS_ETIMEDOUT, "nothing came in the time allowed"},
    {SKS_ETOOLONG, "longer than its limit"},
    {SKS_ERESOLVE, "no such host"},
    {SKS_ESTATE, "not allowed now"},
    {SKS_EVTABLE, "a table's size or required member is unset"},
    {SKS_ECRASHED, "the process that ran the request died"},
    {-E2BIG, "too many"},
    {-EACCES, "permission denied"},
    {-EADDRINUSE, "address already in use"},
    {-EADDRNOTAVAIL, "no such address on this machine"},
    {-EAFNOSUPPORT, "address family not supported"},
    {-EAGAIN, "not ready, or a resource limit was reached"},
    {-EBADF, "not an open descriptor"},
    {-ECONNABORTED, "connection aborted"},
    {-ECONNREFUSED, "connection refused"},
    {-ECONNRESET, "connection reset by peer"},
    {-EDESTADDRREQ, "no address"},
    {-EDQUOT, "disk quota exceeded"},
    {-EEXIST, "already exists"},
    {-EFAULT, "bad pointer"},
    {-EFBIG, "file too large"},
    {-EHOSTUNREACH, "host unreachable"},
    {-EINTR, "interrupted"},
    {-EINVAL, "invalid value"},
    {-EIO, "input/output error"},
    {-EISDIR, "is a directory"},
    {-ELOOP, "too many symbolic links"},
    {-EMFILE, "out of descriptors in this process"},
    {-EMSGSIZE, "message too long"},
    {-ENAMETOOLONG, "name too long"},
    {-ENETDOWN, "network down"},
    {-ENETUNREACH, "network unreachable"},
    {-ENFILE, "out of descriptors in the system"},
    {-ENOBUFS, "out of network buffers"},
    {-ENODEV, "no such device"},
    {-ENOENT, "no such file or directory"},
    {-ENOMEM, "out of memory"},
    {-ENOSPC, "no space left"},
    {-ENOSYS, "not implemented by this system"},
    {-ENOTCONN, "not connected"},
    {-ENOTDIR, "not a directory"},
    {-ENOTSOCK, "not a socket"},
    {-ENOTSUP, "not supported"},
    {-EPERM, "operation not permitted"},
    {-EPIPE, "the other side stopped reading"},
    {-EPROTO, "protocol error"},
    {-EPROTONOSUPPORT, "protocol not supported"},
    {-EPROTOTYPE, "wrong kind of socket"},
    {-EROFS, "read-only file system"},
    {-ESPIPE, "cannot seek there"},
    {-ESRCH, "no such process"},
    {-ETIMEDOUT, "connection timed out"},
};

const char *sks_strerror(int error)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].error == error)
            return texts[i].text;
    return "unknown error";
}

int sks__error_is_peer_gone(int error)
{
    switch (error) {
    case SKS_ECLOSED:
    case -EPIPE:
    case -ECONNRESET:
    case -ECONNABORTED:
    case -ECONNREFUSED:
    case -ENOTCONN:
    case -ETIMEDOUT:
    case -EHOSTUNREACH:
    case -ENETUNREACH:
        return 1;
    default:
        return 0;
    }
}

int sks__error_is_clients_end(int error)
{
    return error == SKS_ECLOSED || error == -EPIPE || error == -ECONNRESET;
}

int sks__error_is_shortage(int error)
{
    switch (error) {
    case -EMFILE:
    case -ENFILE:
    case -ENOBUFS:
    case -ENOMEM:
        return 1;
    default:
        return 0;
    }
}

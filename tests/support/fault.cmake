# The calls that support/fault.c stands in front of: each becomes a
# -Wl,--wrap=<call> for whatever links it.
set(FAULT_WRAPPED
    malloc calloc realloc free strdup strndup posix_memalign aligned_alloc
    vasprintf asprintf
    mmap mmap64
    socket socketpair bind listen accept accept4
    recv recvfrom recvmsg read readv
    send sendto sendmsg write writev
    sendfile sendfile64 splice
    eventfd pipe pipe2 epoll_create1 epoll_ctl
    poll ppoll epoll_wait epoll_pwait
    fork waitpid waitid
    pthread_create)

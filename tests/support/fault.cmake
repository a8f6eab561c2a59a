# The calls that support/fault.c stands in front of: each becomes a
# -Wl,--wrap=<call> for whatever links it.  A call that allocates and is missing
# here shows as memory blocks that are freed more often than allocated.
set(FAULT_WRAPPED
    malloc calloc aligned_alloc realloc free strdup
    mmap mmap64
    socket socketpair bind listen accept accept4
    recv recvfrom recvmsg recvmmsg read readv sks__ring_receive sks__ring_wait
    send sendto sendmsg sendmmsg write writev
    sendfile sendfile64 splice
    eventfd pipe pipe2 epoll_create1 epoll_ctl
    poll epoll_wait
    fork waitpid waitid
    pthread_create)

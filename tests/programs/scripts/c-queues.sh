# Message queues as the C libraries offer them.
# programs: ctests-glibc ctests-musl
ctests-glibc message_queues
ctests-musl message_queues

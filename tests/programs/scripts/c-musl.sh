# Our own C program: static, with musl.
# programs: ctests-musl
# limit: 120
ctests-musl -message_queues

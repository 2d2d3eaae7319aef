# Our own C program: static, with glibc.
# programs: ctests-glibc
# limit: 120
ctests-glibc -message_queues

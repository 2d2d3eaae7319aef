# Our own C program: position-independent and static, with glibc.
# programs: ctests-pie
# limit: 120
ctests-pie -message_queues

#!/usr/bin/python3
"""select, poll, epoll and selectors; signals and descriptors passed between processes."""
import array, os, select, selectors, signal, socket, threading, time

r, w = os.pipe()
print(select.select([r], [w], [], 0))
os.write(w, b"x")
print(select.select([r], [], [], 1)[0] == [r])

poll = select.poll()
poll.register(r, select.POLLIN)
print([(fd == r, event) for fd, event in poll.poll(0)])
os.read(r, 1)
before = time.monotonic()
print(poll.poll(60), time.monotonic() - before >= 0.059)

with select.epoll() as epoll:
    left, right = socket.socketpair()
    epoll.register(left, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    print(epoll.poll(1) == [(left.fileno(), select.EPOLLOUT)], epoll.poll(0.05))
    right.send(b"data")
    print(epoll.poll(1) == [(left.fileno(), select.EPOLLIN | select.EPOLLOUT)])
    right.close()
    events = dict(epoll.poll(1))[left.fileno()]
    print(bool(events & select.EPOLLHUP), bool(events & select.EPOLLRDHUP), left.recv(10), left.recv(10))
    left.close()
    print(epoll.poll(0))

with selectors.DefaultSelector() as selector:
    pairs = [socket.socketpair() for _ in range(50)]
    for number, (one, _) in enumerate(pairs):
        selector.register(one, selectors.EVENT_READ, number)
    for _, other in pairs[::7]:
        other.send(b"!")
    print(sorted(key.data for key, _ in selector.select(1)))

# A descriptor that another process opened.
one, other = socket.socketpair()
pid = os.fork()
if pid == 0:
    with open("passed", "w+") as file:
        file.write("from the child")
        file.flush()
        socket.send_fds(other, [b"m"], [file.fileno()])
    os._exit(0)
data, fds, flags, _ = socket.recv_fds(one, 10, 4)
os.waitpid(pid, 0)
print(data, len(fds), os.pread(fds[0], 100, 0))
one.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
other.send(b"c")
message, control, _, _ = one.recvmsg(10, 100)
credentials = array.array("i", control[0][2])
print(message, credentials[0] == os.getpid(), list(credentials[1:]))

# Signals: a handler, a time-out, a wait, a descriptor that tells of them.
got = []
signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
signal.raise_signal(signal.SIGUSR1)
print(got == [signal.SIGUSR1])
signal.signal(signal.SIGALRM, lambda number, frame: got.append(number))
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
while got.count(signal.SIGALRM) < 3:
    signal.pause()
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(got) >= 4)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
threading.Thread(target=lambda: os.kill(os.getpid(), signal.SIGUSR2)).start()
print(signal.sigwait([signal.SIGUSR2]) == signal.SIGUSR2, signal.sigtimedwait([signal.SIGUSR2], 0.05))

#!/usr/bin/python3
"""multiprocessing: fork and spawn, pools, queues, named semaphores, shared memory, managers over UNIX sockets."""
import multiprocessing as mp
import os, signal, sys, time
from multiprocessing import shared_memory


def square(n):
    return n * n


def add(counter, lock, times):
    for _ in range(times):
        with lock:
            counter.value += 1


def talk(connection):
    while (text := connection.recv()) != "end":
        connection.send(text.upper())
    connection.close()


def fill(name):
    block = shared_memory.SharedMemory(name=name)
    block.buf[:5] = b"child"
    block.close()


def main():
    for method in ("fork", "spawn", "forkserver"):
        context = mp.get_context(method)
        with context.Pool(2) as pool:
            print(method, pool.map(square, range(6)))
    context = mp.get_context("fork")
    counter, lock = context.Value("i", 0, lock=False), context.Lock()
    children = [context.Process(target=add, args=(counter, lock, 200)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    print(counter.value, [child.exitcode for child in children])

    here, there = context.Pipe()
    child = context.Process(target=talk, args=(there,))
    child.start()
    here.send("hello")
    print(here.recv())
    here.send("end")
    child.join()
    print(child.exitcode)

    queue = context.Queue()
    child = context.Process(target=lambda: [queue.put(n) for n in range(1000)])
    child.start()
    print(sum(queue.get(timeout=30) for _ in range(1000)))
    child.join()

    block = shared_memory.SharedMemory(create=True, size=5000)
    child = context.Process(target=fill, args=(block.name,))
    child.start()
    child.join()
    print(bytes(block.buf[:6]), os.path.exists("/dev/shm/" + block.name))
    block.close()
    block.unlink()

    with context.Manager() as manager:
        shared = manager.dict()
        child = context.Process(target=lambda: shared.update(pid=os.getpid()))
        child.start()
        child.join()
        print(shared["pid"] == child.pid)

    barrier, event = context.Barrier(3), context.Event()
    waiting = [context.Process(target=lambda: (barrier.wait(30), event.wait(30))) for _ in range(2)]
    for child in waiting:
        child.start()
    barrier.wait(30)
    event.set()
    for child in waiting:
        child.join()
    print([child.exitcode for child in waiting])

    child = context.Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join()
    print(child.exitcode == -signal.SIGTERM)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""asyncio: epoll, UNIX sockets, subprocesses, signals, threads."""
import asyncio, os, signal, sys, time


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line[::-1].strip() + b"\n")
        await writer.drain()
    writer.close()


async def ask(number):
    reader, writer = await asyncio.open_unix_connection("socket")
    answers = []
    for turn in range(5):
        writer.write(f"{number}-{turn}\n".encode())
        answers.append((await reader.readline()).decode().strip())
    writer.close()
    await writer.wait_closed()
    return answers


async def main():
    server = await asyncio.start_unix_server(serve, "socket")
    answers = await asyncio.gather(*(ask(number) for number in range(20)))
    print(len(answers), answers[3], answers[19][4])
    server.close()
    await server.wait_closed()

    child = await asyncio.create_subprocess_exec(
        "sort", "-n", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate(b"\n".join(str(n).encode() for n in (10, 9, 100, 1)) + b"\n")
    print(out.split(), child.returncode)
    child = await asyncio.create_subprocess_shell("sleep 60")
    child.terminate()
    print(await child.wait())

    loop = asyncio.get_running_loop()
    got = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, lambda: got.set_result("signal"))
    os.kill(os.getpid(), signal.SIGUSR1)
    print(await asyncio.wait_for(got, 10))
    print(await asyncio.to_thread(lambda: sum(range(1000))))
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.1)
    except asyncio.TimeoutError:
        print("timeout")
    started = time.monotonic()
    await asyncio.gather(*(asyncio.sleep(0.1) for _ in range(100)))
    print(time.monotonic() - started < 5)


asyncio.run(main())

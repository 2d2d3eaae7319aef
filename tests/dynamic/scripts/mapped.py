#!/usr/bin/python3
"""Mappings of files: private ones copied on write, shared ones seen by all, their end, resizing."""
import ctypes, mmap, os, resource, signal, subprocess, sys

with open("file", "wb") as file:
    file.write(b"0123456789" * 1000)
fd = os.open("file", os.O_RDWR)
private = mmap.mmap(fd, 0, access=mmap.ACCESS_COPY)
shared = mmap.mmap(fd, 0)
private[0:3] = b"own"
print(bytes(private[:6]), bytes(shared[:6]), os.pread(fd, 6, 0))
shared[3:6] = b"all"
os.pwrite(fd, b"wr", 8000)
print(bytes(private[:6]), bytes(shared[:6]), os.pread(fd, 6, 0), bytes(shared[8000:8002]), bytes(private[8000:8002]))
pid = os.fork()
if pid == 0:
    private[0:1] = b"C"
    shared[9000:9005] = b"child"
    os._exit(0)
os.waitpid(pid, 0)
print(bytes(private[:3]), bytes(shared[9000:9005]))
print(shared.find(b"child"), shared.rfind(b"789"), len(shared), shared.size())
shared.flush()
shared.resize(20000)
print(len(shared), os.fstat(fd).st_size, bytes(shared[19990:]))
shared.madvise(mmap.MADV_DONTNEED)
print(bytes(shared[3:6]))

# Beyond the file's end within the last page there are zeros, on the pages behind it SIGBUS.
code = """
import mmap, os
fd = os.open("file", os.O_RDWR)
os.ftruncate(fd, 10)
m = mmap.mmap(fd, 10)
os.ftruncate(fd, 8192)
m.resize(8192)
os.ftruncate(fd, 10)
print(m[10:20], flush=True)
m[5000]
"""
child = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE)
print(child.stdout, child.returncode == -signal.SIGBUS)

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
# A reservation of 64 GiB costs nothing; parts of it become memory and files.
PRIVATE, FIXED, ANONYMOUS, NORESERVE = 2, 0x10, 0x20, 0x4000
size = 64 << 30
base = libc.mmap(None, size, 0, PRIVATE | ANONYMOUS | NORESERVE, -1, 0)
print(base not in (None, ctypes.c_void_p(-1).value))
print(libc.mprotect(base + (32 << 30), 1 << 20, 3))
ctypes.memset(base + (32 << 30), 0x41, 1 << 20)
print(libc.mmap(base + 4096, 8192, 1, PRIVATE | FIXED, fd, 0) == base + 4096, ctypes.string_at(base + 4096 + 6, 4))
print(libc.munmap(base, size), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 200_000)

#!/usr/bin/python3
"""Loading libraries at run time, calls back into Python, and variables of threads."""
import ctypes, ctypes.util, threading

libc = ctypes.CDLL("libc.so.6", use_errno=True)
libm = ctypes.CDLL("libm.so.6")
libm.pow.restype, libm.pow.argtypes = ctypes.c_double, [ctypes.c_double, ctypes.c_double]
print(libm.pow(2.0, 0.5) == 2 ** 0.5)

compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 8)(5, 1, 7, 3, 2, 8, 6, 4)
libc.qsort(numbers, 8, 4, compare(lambda a, b: a[0] - b[0]))
print(list(numbers))

# errno is a variable of its own in each thread.
libc.close.argtypes = [ctypes.c_int]
seen = {}


def fail(name, call):
    call()
    seen[name] = ctypes.get_errno()


libc.close(-1)
thread = threading.Thread(target=fail, args=("thread", lambda: libc.open(b"/no/such", 0)))
thread.start()
thread.join()
print(seen, ctypes.get_errno())

for name in ("libz.so.1", "liblzma.so.5", "libsqlite3.so.0", "libcrypto.so.3", "libncursesw.so.6"):
    handle = ctypes.CDLL(name)
    print(name, bool(handle._handle))
sqlite = ctypes.CDLL("libsqlite3.so.0")
sqlite.sqlite3_libversion.restype = ctypes.c_char_p
print(sqlite.sqlite3_libversion().startswith(b"3."))
try:
    ctypes.CDLL("libnothing.so.1")
except OSError as error:
    print(error)


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_long), ("y", ctypes.c_long)]


divide = ctypes.CFUNCTYPE(Point, ctypes.c_long, ctypes.c_long)(("ldiv", libc))
result = divide(17, 5)
print(result.x, result.y)

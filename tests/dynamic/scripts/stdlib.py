#!/usr/bin/python3
"""What a Python program imports first, and what it may find of the system."""
import json, os, platform, subprocess, sys, tempfile, threading, time

print(sys.version_info[:2], sys.platform, platform.machine(), sys.byteorder)
print(json.dumps({"list": [1, 2.5, None], "text": "ü\n"}, ensure_ascii=True))

results = []
threads = [threading.Thread(target=lambda n=n: results.append(n * n)) for n in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(results))

out = subprocess.run(["ls", "-1", "/"], capture_output=True, text=True, check=True).stdout.split()
print([name for name in ("bin", "etc", "proc", "tmp", "usr") if name not in out])
print(subprocess.run("exit 7", shell=True).returncode, subprocess.run(["sh", "-c", "kill -9 $$"]).returncode)
print(subprocess.run(["tr", "a-z", "A-Z"], input=b"shout", stdout=subprocess.PIPE).stdout)
try:
    subprocess.run(["/no/such"])
except FileNotFoundError as error:
    print(error)
try:
    subprocess.run(["sleep", "60"], timeout=0.3)
except subprocess.TimeoutExpired:
    print("timeout")

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "file")
    with open(path, "w") as file:
        file.write("x" * 10000)
    os.link(path, path + "2")
    os.symlink("file", path + "3")
    print(os.stat(path).st_nlink, os.stat(path).st_size, os.readlink(path + "3"), sorted(os.listdir(folder)))
    os.utime(path, ns=(1, 2_000_000_003))
    print(os.stat(path).st_mtime_ns, os.stat(path).st_atime_ns)
print(os.path.exists(folder))

r, w = os.pipe2(os.O_CLOEXEC)
print(os.get_inheritable(r), os.sysconf("SC_PAGE_SIZE"))
before = time.monotonic()
time.sleep(0.05)
print(0.05 <= time.monotonic() - before < 5, time.get_clock_info("monotonic").resolution < 1e-6)
print(os.uname().sysname, os.getpid() == int(os.readlink("/proc/self")))

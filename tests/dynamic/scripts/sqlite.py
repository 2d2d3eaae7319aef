#!/usr/bin/python3
"""SQLite: locks between processes, journals, write-ahead log with its shared memory, mapped files."""
import os, sqlite3, subprocess, sys, threading

if len(sys.argv) > 1:
    connection = sqlite3.connect("data.db", timeout=60, isolation_level=None)
    for number in range(10):
        connection.execute("begin immediate")
        (value,) = connection.execute("select value from counter").fetchone()
        connection.execute("update counter set value = ?", (value + 1,))
        connection.execute("commit")
    sys.exit(0)

for mode in ("delete", "wal"):
    for name in os.listdir("."):
        if name.startswith("data.db"):
            os.unlink(name)
    connection = sqlite3.connect("data.db", isolation_level=None)
    print(connection.execute(f"pragma journal_mode={mode}").fetchone())
    connection.execute("pragma mmap_size=1000000")
    connection.execute("create table counter (value integer)")
    connection.execute("insert into counter values (0)")
    children = [subprocess.Popen([sys.executable, __file__, "child"]) for _ in range(2)]
    print([child.wait() for child in children], connection.execute("select value from counter").fetchone())
    print(sorted(name for name in os.listdir(".") if name.startswith("data.db")))
    connection.execute("create table t (a integer primary key, b text)")
    with connection:
        connection.executemany("insert into t(b) values (?)", ((f"row {n}",) for n in range(2000)))
    print(connection.execute("select count(*), sum(a), max(b) from t").fetchone())
    connection.execute("create index i on t(b)")
    connection.execute("delete from t where a % 3 = 0")
    connection.execute("vacuum")
    print(connection.execute("pragma integrity_check").fetchone())
    other = sqlite3.connect("data.db", timeout=0.1)
    connection.execute("begin exclusive")
    try:
        other.execute("insert into t(b) values ('x')")
        print("not locked")
    except sqlite3.OperationalError as error:
        print(error)
    connection.execute("rollback")
    other.close()
    connection.close()
print(sqlite3.connect(":memory:").execute("select json_extract('{\"a\": [1, 2]}', '$.a[1]')").fetchone())

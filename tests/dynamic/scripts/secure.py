#!/usr/bin/python3
"""OpenSSL: hashes, keys by the command, and a TLS connection over a UNIX socket pair."""
import hashlib, secrets, socket, ssl, subprocess, threading

for name in ("md5", "sha256", "sha3_512", "blake2b"):
    print(name, hashlib.new(name, b"abc").hexdigest()[:32])
print(hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 1000).hex()[:32])
print(len(secrets.token_bytes(16)), secrets.token_bytes(16) != secrets.token_bytes(16))
subprocess.run(
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -days 30"
    " -subj /CN=test -addext subjectAltName=DNS:test", shell=True, check=True, stderr=subprocess.DEVNULL)
left, right = socket.socketpair()


def serve():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert", "key")
    with context.wrap_socket(left, server_side=True) as connection:
        connection.sendall(connection.recv(100).upper())


thread = threading.Thread(target=serve)
thread.start()
context = ssl.create_default_context(cafile="cert")
with context.wrap_socket(right, server_hostname="test") as connection:
    print(connection.version())
    connection.sendall(b"through tls")
    print(connection.recv(100))
thread.join()
print(subprocess.run("echo hello | openssl enc -aes-256-cbc -pbkdf2 -k x | openssl enc -d -aes-256-cbc -pbkdf2 -k x",
                     shell=True, stdout=subprocess.PIPE).stdout)

package main

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

func init() {
	add("files", files)
	add("files_concurrently", filesConcurrently)
	add("directories", directories)
	add("file_errors", fileErrors)
	add("file_times_and_modes", fileTimes)
	add("mapped_file", mappedFile)
	add("copy", copyFile)
	add("locks", locks)
	add("pipe_deadlines", pipeDeadlines)
	add("fifo", fifo)
	add("unix_stream", unixStream)
	add("unix_deadlines", unixDeadlines)
	add("unix_datagram", unixDatagram)
	add("unix_descriptors", unixDescriptors)
	add("http_over_unix", httpOverUnix)
	add("random", random)
	add("archive", archive)
}

// inFolder runs a case in a fresh folder.
func inFolder(body func(dir string) error) error {
	dir, err := os.MkdirTemp("", "gotests")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return body(dir)
}

func files() error {
	return inFolder(func(dir string) error {
		name := filepath.Join(dir, "f")
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.WriteString("hello, world"); err != nil {
			return err
		}
		if _, err := f.WriteAt([]byte("W"), 7); err != nil {
			return err
		}
		part := make([]byte, 5)
		if _, err := f.ReadAt(part, 7); err != nil {
			return err
		}
		if err := f.Truncate(9); err != nil {
			return err
		}
		if _, err := f.Seek(-2, io.SeekEnd); err != nil {
			return err
		}
		rest, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		if err := all(f.Sync(), os.Rename(name, name+"2")); err != nil {
			return err
		}
		info, err := os.Stat(name + "2")
		if err != nil {
			return err
		}
		return all(want("a part", string(part), "World"), want("the rest", string(rest), "Wo"),
			want("the size", info.Size(), 9), want("the mode", info.Mode(), "-rw-r-----"))
	})
}

func filesConcurrently() error {
	return inFolder(func(dir string) error {
		var group sync.WaitGroup
		failures := make(chan error, 200)
		for i := 0; i < 200; i++ {
			i := i
			group.Add(1)
			go func() {
				defer group.Done()
				name := filepath.Join(dir, fmt.Sprintf("sub%d", i%10), fmt.Sprintf("f%d", i))
				err := os.MkdirAll(filepath.Dir(name), 0o755)
				if err == nil {
					err = os.WriteFile(name, bytes.Repeat([]byte{byte(i)}, 5000), 0o644)
				}
				var data []byte
				if err == nil {
					data, err = os.ReadFile(name)
				}
				if err == nil && (len(data) != 5000 || data[4999] != byte(i)) {
					err = errors.New("other content")
				}
				if err != nil {
					failures <- err
				}
			}()
		}
		group.Wait()
		select {
		case err := <-failures:
			return err
		default:
		}
		count := 0
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				count++
			}
			return err
		})
		return all(err, want("files", count, 200))
	})
}

func directories() error {
	return inFolder(func(dir string) error {
		for i := 0; i < 700; i++ {
			if err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("a-rather-long-name-%03d", i)), 0o700); err != nil {
				return err
			}
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for i, entry := range entries {
			if entry.Name() != fmt.Sprintf("a-rather-long-name-%03d", i) || !entry.IsDir() {
				return fmt.Errorf("entry %d is %v", i, entry)
			}
		}
		if err := os.Symlink("a-rather-long-name-005", filepath.Join(dir, "link")); err != nil {
			return err
		}
		real, err := filepath.EvalSymlinks(filepath.Join(dir, "link"))
		return all(err, want("entries", len(entries), 700), want("the link", filepath.Base(real), "a-rather-long-name-005"))
	})
}

func fileErrors() error {
	return inFolder(func(dir string) error {
		_, err := os.Open(filepath.Join(dir, "none"))
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("opening: %v", err)
		}
		if err := os.Mkdir(dir, 0o755); !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("making: %v", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o644); err != nil {
			return err
		}
		if err := os.Remove(dir); !errors.Is(err, syscall.ENOTEMPTY) {
			return fmt.Errorf("removing: %v", err)
		}
		if _, err := os.ReadDir(filepath.Join(dir, "f")); !errors.Is(err, syscall.ENOTDIR) {
			return fmt.Errorf("reading: %v", err)
		}
		long := filepath.Join(dir, strings.Repeat("x", 256))
		if _, err := os.Create(long); !errors.Is(err, syscall.ENAMETOOLONG) {
			return fmt.Errorf("a long name: %v", err)
		}
		return nil
	})
}

func fileTimes() error {
	return inFolder(func(dir string) error {
		name := filepath.Join(dir, "f")
		when := time.Unix(1234567890, 123456789)
		err := all(os.WriteFile(name, nil, 0o644), os.Chtimes(name, when, when), os.Chmod(name, 0o4711),
			os.Chown(name, 12, 34))
		if err != nil {
			return err
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		owner := info.Sys().(*syscall.Stat_t)
		return all(want("the time", info.ModTime().UnixNano(), when.UnixNano()),
			want("the mode", info.Mode(), "-rwx--x--x"), want("the owner", fmt.Sprint(owner.Uid, owner.Gid), "12 34"))
	})
}

func mappedFile() error {
	return inFolder(func(dir string) error {
		f, err := os.Create(filepath.Join(dir, "f"))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Truncate(10000); err != nil {
			return err
		}
		data, err := syscall.Mmap(int(f.Fd()), 0, 10000, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		if err != nil {
			return err
		}
		copy(data[5000:], "mapped")
		part := make([]byte, 6)
		if _, err := f.ReadAt(part, 5000); err != nil {
			return err
		}
		if _, err := f.WriteAt([]byte("written"), 9000); err != nil {
			return err
		}
		seen := string(data[9000:9007])
		return all(syscall.Munmap(data), want("what was mapped", string(part), "mapped"),
			want("what was written", seen, "written"))
	})
}

// io.Copy between files is copy_file_range, from a pipe to a file splice.
func copyFile() error {
	return inFolder(func(dir string) error {
		block := make([]byte, 3<<20)
		if _, err := rand.Read(block); err != nil {
			return err
		}
		source := filepath.Join(dir, "a")
		if err := os.WriteFile(source, block, 0o644); err != nil {
			return err
		}
		in, err := os.Open(source)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.Create(filepath.Join(dir, "b"))
		if err != nil {
			return err
		}
		defer out.Close()
		n, err := io.Copy(out, in)
		if err != nil {
			return err
		}
		copied, err := os.ReadFile(out.Name())
		if err != nil {
			return err
		}
		return all(want("bytes", n, 3<<20), want("the sum", sha256.Sum256(copied), sha256.Sum256(block)))
	})
}

func locks() error {
	return inFolder(func(dir string) error {
		name := filepath.Join(dir, "lock")
		a, err := os.Create(name)
		if err != nil {
			return err
		}
		defer a.Close()
		b, err := os.Open(name)
		if err != nil {
			return err
		}
		defer b.Close()
		if err := syscall.Flock(int(a.Fd()), syscall.LOCK_EX); err != nil {
			return err
		}
		if err := syscall.Flock(int(b.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EWOULDBLOCK {
			return fmt.Errorf("a second lock: %v", err)
		}
		time.AfterFunc(30*time.Millisecond, func() { syscall.Flock(int(a.Fd()), syscall.LOCK_UN) })
		return syscall.Flock(int(b.Fd()), syscall.LOCK_EX)
	})
}

func pipeDeadlines() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	r.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("reading: %v", err)
	}
	w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := w.Write(make([]byte, 1<<20)); n != 65536 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("writing: %d, %v", n, err)
	}
	r.SetReadDeadline(time.Time{})
	if _, err := io.ReadFull(r, make([]byte, 65536)); err != nil {
		return err
	}
	time.AfterFunc(20*time.Millisecond, func() { r.Close() })
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("closing while it reads: %v", err)
	}
	return nil
}

func fifo() error {
	return inFolder(func(dir string) error {
		name := filepath.Join(dir, "fifo")
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			return err
		}
		go func() { os.WriteFile(name, []byte("through the fifo"), 0) }()
		data, err := os.ReadFile(name)
		return all(err, want("what came", string(data), "through the fifo"))
	})
}

func unixStream() error {
	return inFolder(func(dir string) error {
		listener, err := net.Listen("unix", filepath.Join(dir, "s"))
		if err != nil {
			return err
		}
		defer listener.Close()
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					io.Copy(conn, conn)
				}()
			}
		}()
		var group sync.WaitGroup
		failures := make(chan error, 50)
		for i := 0; i < 50; i++ {
			i := i
			group.Add(1)
			go func() {
				defer group.Done()
				conn, err := net.Dial("unix", listener.Addr().String())
				if err != nil {
					failures <- err
					return
				}
				defer conn.Close()
				message := bytes.Repeat([]byte{byte(i)}, 20000)
				go func() {
					conn.Write(message)
					conn.(*net.UnixConn).CloseWrite()
				}()
				back, err := io.ReadAll(conn)
				if err != nil || !bytes.Equal(back, message) {
					failures <- fmt.Errorf("%d bytes back, %v", len(back), err)
				}
			}()
		}
		group.Wait()
		select {
		case err := <-failures:
			return err
		default:
			return nil
		}
	})
}

func unixDeadlines() error {
	return inFolder(func(dir string) error {
		listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
		if err != nil {
			return err
		}
		defer listener.Close()
		listener.SetDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := listener.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("accepting: %v", err)
		}
		listener.SetDeadline(time.Time{})
		conn, err := net.Dial("unix", listener.Addr().String())
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("reading: %v", err)
		}
		_, err = net.Dial("unix", filepath.Join(dir, "none"))
		if !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("dialling: %v", err)
		}
		return nil
	})
}

func unixDatagram() error {
	return inFolder(func(dir string) error {
		a := &net.UnixAddr{Name: filepath.Join(dir, "a"), Net: "unixgram"}
		b := &net.UnixAddr{Name: filepath.Join(dir, "b"), Net: "unixgram"}
		left, err := net.ListenUnixgram("unixgram", a)
		if err != nil {
			return err
		}
		defer left.Close()
		right, err := net.ListenUnixgram("unixgram", b)
		if err != nil {
			return err
		}
		defer right.Close()
		if _, err := left.WriteTo([]byte("a message"), b); err != nil {
			return err
		}
		block := make([]byte, 100)
		n, from, err := right.ReadFromUnix(block)
		if err != nil {
			return err
		}
		return all(want("the message", string(block[:n]), "a message"), want("the sender", from.Name, a.Name))
	})
}

func unixDescriptors() error {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	if err := syscall.Sendmsg(fds[0], []byte("x"), syscall.UnixRights(int(w.Fd())), nil, 0); err != nil {
		return err
	}
	w.Close()
	block, control := make([]byte, 1), make([]byte, 100)
	_, n, _, _, err := syscall.Recvmsg(fds[1], block, control, 0)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseSocketControlMessage(control[:n])
	if err != nil {
		return err
	}
	rights, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	passed := os.NewFile(uintptr(rights[0]), "passed")
	passed.WriteString("by a descriptor")
	passed.Close()
	data, err := io.ReadAll(r)
	return all(err, want("what came", string(data), "by a descriptor"))
}

func httpOverUnix() error {
	return inFolder(func(dir string) error {
		listener, err := net.Listen("unix", filepath.Join(dir, "http"))
		if err != nil {
			return err
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			json.NewEncoder(w).Encode(map[string]any{"path": r.URL.Path, "bytes": len(body)})
		})}
		go server.Serve(listener)
		defer server.Close()
		client := http.Client{Transport: &http.Transport{
			Dial: func(string, string) (net.Conn, error) { return net.Dial("unix", listener.Addr().String()) },
		}}
		for i := 0; i < 20; i++ {
			answer, err := client.Post(fmt.Sprintf("http://unix/p%d", i), "text/plain", bytes.NewReader(make([]byte, i*1000)))
			if err != nil {
				return err
			}
			var got struct {
				Path  string
				Bytes int
			}
			err = json.NewDecoder(answer.Body).Decode(&got)
			answer.Body.Close()
			if err := all(err, want("the path", got.Path, fmt.Sprintf("/p%d", i)), want("bytes", got.Bytes, i*1000)); err != nil {
				return err
			}
		}
		return nil
	})
}

func random() error {
	a, b := make([]byte, 32), make([]byte, 32)
	if _, err := rand.Read(a); err != nil {
		return err
	}
	if _, err := rand.Read(b); err != nil {
		return err
	}
	if bytes.Equal(a, b) || bytes.Equal(a, make([]byte, 32)) {
		return errors.New("not random")
	}
	return nil
}

func archive() error {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	text := strings.Repeat("the quick brown fox ", 10000)
	if _, err := io.WriteString(z, text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	r, err := gzip.NewReader(&packed)
	if err != nil {
		return err
	}
	back, err := io.ReadAll(r)
	return all(err, want("the text", string(back) == text, true))
}

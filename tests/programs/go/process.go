package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func init() {
	add("subprocess", subprocess)
	add("subprocess_status", subprocessStatus)
	add("subprocess_pipeline", subprocessPipeline)
	add("subprocess_many", subprocessMany)
	add("subprocess_killed_in_time", subprocessKilled)
	add("subprocess_attributes", subprocessAttributes)
	add("subprocess_not_there", subprocessNotThere)
	add("start_process_files", startProcessFiles)
	add("signals", signals)
	add("signal_context", signalContext)
	add("signal_flood", signalFlood)
	add("traceback_of_panic", tracebackOfPanic)
	add("traceback_of_fault", tracebackOfFault)
	add("traceback_on_quit", tracebackOnQuit)
	add("deadlock_found", deadlockFound)
	add("stack_overflow_found", stackOverflowFound)
	add("out_of_memory", outOfMemory)
	add("environment", environment)
	add("rlimits", rlimits)
}

// child is what the program does as a process that a case started.
func child(args []string) {
	what := ""
	if len(args) > 0 {
		what = args[0]
	}
	switch what {
	case "echo":
		io.Copy(os.Stdout, os.Stdin)
	case "status":
		n, _ := strconv.Atoi(args[1])
		os.Exit(n)
	case "panic":
		panic("on purpose")
	case "fault":
		var p *node
		fmt.Println(p.right)
	case "wait":
		fmt.Println("ready")
		time.Sleep(100 * time.Second)
	case "deadlock":
		<-make(chan int)
	case "overflow":
		debug.SetMaxStack(2 << 20)
		fmt.Println(endless(1))
	case "memory":
		var kept [][]byte
		for {
			kept = append(kept, make([]byte, 16<<20))
		}
	case "env":
		for _, name := range args[1:] {
			fmt.Println(os.Getenv(name))
		}
		dir, _ := os.Getwd()
		fmt.Println(dir)
	default:
		fmt.Println("unknown child")
		os.Exit(2)
	}
}

func endless(n int) int { return endless(n+1) + 1 }

func self(args ...string) *exec.Cmd {
	return exec.Command("/proc/self/exe", append([]string{"child"}, args...)...)
}

func subprocess() error {
	cmd := self("echo")
	cmd.Stdin = strings.NewReader(strings.Repeat("line\n", 40000))
	out, err := cmd.Output()
	return all(err, want("bytes", len(out), 200000))
}

func subprocessStatus() error {
	for _, n := range []int{0, 1, 77, 255} {
		err := self("status", fmt.Sprint(n)).Run()
		var exit *exec.ExitError
		got := 0
		if errors.As(err, &exit) {
			got = exit.ExitCode()
		} else if err != nil {
			return err
		}
		if got != n {
			return fmt.Errorf("status %d, not %d", got, n)
		}
	}
	return nil
}

// sh, a Go program and sort, connected by pipes of the program's own.
func subprocessPipeline() error {
	first := exec.Command("sh", "-c", "seq 1 500")
	second := self("echo")
	third := exec.Command("sort", "-rn")
	var err error
	if second.Stdin, err = first.StdoutPipe(); err != nil {
		return err
	}
	if third.Stdin, err = second.StdoutPipe(); err != nil {
		return err
	}
	var out bytes.Buffer
	third.Stdout = &out
	for _, cmd := range []*exec.Cmd{third, second, first} {
		if err := cmd.Start(); err != nil {
			return err
		}
	}
	for _, cmd := range []*exec.Cmd{first, second, third} {
		if err := cmd.Wait(); err != nil {
			return err
		}
	}
	line, _, _ := strings.Cut(out.String(), "\n")
	return want("the first line", line, "500")
}

func subprocessMany() error {
	var group sync.WaitGroup
	failures := make(chan error, 40)
	for i := 0; i < 40; i++ {
		i := i
		group.Add(1)
		go func() {
			defer group.Done()
			out, err := exec.Command("echo", fmt.Sprint(i)).Output()
			if err == nil {
				err = want("the output", string(out), fmt.Sprintf("%d\n", i))
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
		return nil
	}
}

func subprocessKilled() error {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := exec.CommandContext(ctx, "sleep", "50").Run()
	if time.Since(start) > 20*time.Second {
		return errors.New("it was not killed")
	}
	return want("the error", err, "signal: killed")
}

func subprocessAttributes() error {
	cmd := exec.Command("sh", "-c", "id -u; id -g; pwd; echo $ONLY; kill -TERM $$")
	cmd.Dir = "/tmp"
	cmd.Env = []string{"ONLY=this", "PATH=/bin:/usr/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: 1234, Gid: 567},
		Setsid:     true,
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := cmd.Output()
	return all(want("the output", strings.Fields(string(out)), "[1234 567 /tmp this]"),
		want("the end", err, "signal: terminated"))
}

func subprocessNotThere() error {
	err := exec.Command("/does/not/exist").Run()
	if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the error is %v", err)
	}
	err = exec.Command("/etc/passwd").Run()
	if !errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("the error is %v", err)
	}
	_, err = exec.LookPath("no-such-program")
	if !errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("the error is %v", err)
	}
	return nil
}

func startProcessFiles() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command("sh", "-c", "echo to-three >&3; ls /proc/self/fd | tr '\\n' ' ' >&3")
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Run(); err != nil {
		return err
	}
	w.Close()
	data, err := io.ReadAll(r)
	r.Close()
	if err != nil {
		return err
	}
	return want("what came", strings.Fields(string(data))[0], "to-three")
}

func signals() error {
	got := make(chan os.Signal, 10)
	signal.Notify(got, syscall.SIGWINCH, syscall.SIGUSR2, syscall.SIGHUP)
	defer signal.Stop(got)
	for _, sig := range []syscall.Signal{syscall.SIGWINCH, syscall.SIGUSR2, syscall.SIGHUP} {
		if err := syscall.Kill(syscall.Getpid(), sig); err != nil {
			return err
		}
		select {
		case have := <-got:
			if have != sig {
				return fmt.Errorf("%v came, not %v", have, sig)
			}
		case <-time.After(10 * time.Second):
			return fmt.Errorf("%v does not come", sig)
		}
	}
	return nil
}

func signalContext() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(10 * time.Second):
		return errors.New("the context does not end")
	}
}

// Signals come while goroutines compute and write files; nothing is lost but repeated signals.
func signalFlood() error {
	got := make(chan os.Signal, 1000)
	signal.Notify(got, syscall.SIGUSR1)
	defer signal.Stop(got)
	stop := make(chan struct{})
	var group sync.WaitGroup
	for g := 0; g < 4; g++ {
		group.Add(1)
		go func() {
			defer group.Done()
			f, err := os.CreateTemp("", "flood")
			if err != nil {
				return
			}
			defer os.Remove(f.Name())
			defer f.Close()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				fmt.Fprintln(f, i)
			}
		}()
	}
	for i := 0; i < 300; i++ {
		syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
	}
	select {
	case <-got:
	case <-time.After(10 * time.Second):
		return errors.New("no signal came")
	}
	close(stop)
	group.Wait()
	return nil
}

// ends runs a child that fails, and looks for texts in what it says.
func ends(cmd *exec.Cmd, status int, texts ...string) error {
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("it ended with %v", err)
	}
	for _, text := range texts {
		if !strings.Contains(said.String(), text) {
			return fmt.Errorf("%q is not in %q", text, said.String())
		}
	}
	return want("the status", exit.ExitCode(), status)
}

func tracebackOfPanic() error {
	return ends(self("panic"), 2, "panic: on purpose", "goroutine 1 [running]:", "main.child(", "process.go:")
}

func tracebackOfFault() error {
	return ends(self("fault"), 2, "panic: runtime error: invalid memory address or nil pointer dereference",
		"[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc=0x", "main.child(")
}

func tracebackOnQuit() error {
	cmd := self("wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return err
	}
	cmd.Process.Signal(syscall.SIGQUIT)
	err = cmd.Wait()
	if !strings.Contains(said.String(), "SIGQUIT: quit") || !strings.Contains(said.String(), "main.child(") {
		return fmt.Errorf("it said %q", said.String())
	}
	return want("the end", err, "exit status 2")
}

func deadlockFound() error {
	return ends(self("deadlock"), 2, "fatal error: all goroutines are asleep - deadlock!")
}

func stackOverflowFound() error {
	cmd := self("overflow")
	return ends(cmd, 2, "stack overflow", "main.endless(")
}

// With a limit on its address space the runtime says that memory is out; nobody else notices.
func outOfMemory() error {
	cmd := exec.Command("sh", "-c", "ulimit -v 1000000; exec "+"/proc/"+fmt.Sprint(os.Getpid())+"/exe child memory")
	return ends(cmd, 2, "out of memory")
}

func environment() error {
	cmd := self("env", "A", "B", "C")
	cmd.Env = []string{"A=1", "B=two words", "A=later"}
	cmd.Dir = "/var/log"
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		return fmt.Errorf("the host's name is %q, %v", host, err)
	}
	who, err := user.Current()
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil || !strings.HasPrefix(exe, "/") {
		return fmt.Errorf("the executable is %q, %v", exe, err)
	}
	return all(want("the output", string(out), "later\ntwo words\n\n/var/log\n"),
		want("the user", who.Username, "root"), want("the user's id", who.Uid, "0"))
}

func rlimits() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	old := limit
	limit.Cur = 40
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old)
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for i := 0; i < 100; i++ {
		f, err := os.Open("/dev/null")
		if errors.Is(err, syscall.EMFILE) {
			return nil
		}
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	return errors.New("a hundred files within a limit of 40")
}

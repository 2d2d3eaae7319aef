package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

func init() {
	add("goroutines", goroutines)
	add("timers", timers)
	add("ticker", ticker)
	add("preemption", preemption)
	add("garbage", garbage)
	add("memory_returned", memoryReturned)
	add("threads_in_syscalls", threadsInSyscalls)
	add("locked_threads_end", lockedThreadsEnd)
	add("mutexes", mutexes)
	add("nil_dereference", nilDereference)
	add("fault_at_address", faultAtAddress)
	add("stack_growth", stackGrowth)
	add("context_timeout", contextTimeout)
	add("procs", procs)
	add("channels", channels)
}

// A thousand goroutines that sleep, compute and hand on.
func goroutines() error {
	var group sync.WaitGroup
	var sum, alive atomic.Int64
	release := make(chan struct{})
	for i := 1; i <= 1000; i++ {
		i := i
		group.Add(1)
		go func() {
			defer group.Done()
			alive.Add(1)
			<-release
			time.Sleep(time.Duration(i%10) * time.Millisecond)
			sum.Add(int64(i))
		}()
	}
	for alive.Load() < 1000 {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n < 1000 {
		return fmt.Errorf("%d goroutines", n)
	}
	close(release)
	group.Wait()
	return want("the sum", sum.Load(), 500500)
}

func timers() error {
	var fired atomic.Int64
	start := time.Now()
	var group sync.WaitGroup
	for i := 0; i < 200; i++ {
		group.Add(1)
		time.AfterFunc(time.Duration(i)*time.Millisecond, func() {
			fired.Add(1)
			group.Done()
		})
	}
	stopped := time.AfterFunc(time.Hour, func() { fired.Add(1000) })
	group.Wait()
	if time.Since(start) < 199*time.Millisecond {
		return errors.New("timers fired early")
	}
	if !stopped.Stop() {
		return errors.New("a timer of an hour has fired")
	}
	return want("fired", fired.Load(), 200)
}

func ticker() error {
	last := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < 10; i++ {
		now := <-tick.C
		if now.Before(last) {
			return errors.New("time went back")
		}
		last = now
	}
	return nil
}

var sink uint64

// A loop without a call in it is only left by a signal (SIGURG) that the runtime sends.
func preemption() error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var stop uint32
	ended := make(chan struct{})
	go func() {
		var n uint64
		for atomic.LoadUint32(&stop) == 0 {
			n++
		}
		sink = n
		close(ended)
	}()
	time.Sleep(time.Millisecond)
	runtime.GC()
	atomic.StoreUint32(&stop, 1)
	<-ended
	return nil
}

type node struct {
	left, right *node
	pad         [64]byte
}

func grow(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: grow(depth - 1), right: grow(depth - 1)}
}

func (n *node) count() int {
	if n == nil {
		return 0
	}
	return 1 + n.left.count() + n.right.count()
}

// Trees made and dropped on several goroutines, with a small heap, so that the collector runs all the time.
func garbage() error {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	results := make(chan int)
	for g := 0; g < 4; g++ {
		go func() {
			total := 0
			for i := 0; i < 30; i++ {
				total += grow(10).count()
			}
			results <- total
		}()
	}
	total := 0
	for g := 0; g < 4; g++ {
		total += <-results
	}
	runtime.ReadMemStats(&after)
	if after.NumGC-before.NumGC < 3 {
		return fmt.Errorf("only %d collections", after.NumGC-before.NumGC)
	}
	return want("nodes", total, 4*30*2047)
}

func resident() int {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return -1
	}
	var size, pages int
	if _, err := fmt.Sscan(string(data), &size, &pages); err != nil {
		return -1
	}
	return pages * os.Getpagesize()
}

// What the program gives back (madvise) is no longer resident.
func memoryReturned() error {
	const size = 48 << 20
	block := make([]byte, size)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	high := resident()
	runtime.KeepAlive(block)
	block = nil
	debug.FreeOSMemory()
	low := resident()
	if high < size || low > high-size/2 {
		return fmt.Errorf("resident: %d with the block, %d without", high, low)
	}
	return nil
}

// Every blocking call of a locked thread needs a thread of its own.
func threadsInSyscalls() error {
	const count = 60
	var pipes [count][2]int
	tids := make(chan int, count)
	var started atomic.Int64
	for i := range pipes {
		if err := syscall.Pipe(pipes[i][:]); err != nil {
			return err
		}
		fd := pipes[i][0]
		go func() {
			runtime.LockOSThread()
			started.Add(1)
			var b [1]byte
			n, err := syscall.Read(fd, b[:])
			if n != 1 || err != nil || b[0] != 'x' {
				tids <- -1
				return
			}
			tids <- syscall.Gettid()
			runtime.UnlockOSThread()
		}()
	}
	// The runtime takes its time to find that a thread is blocked, and then starts another.
	for i := 0; i < 1000 && started.Load() < count; i++ {
		time.Sleep(10 * time.Millisecond)
	}
	different := map[int]bool{}
	for i := range pipes {
		if _, err := syscall.Write(pipes[i][1], []byte("x")); err != nil {
			return err
		}
	}
	for range pipes {
		tid := <-tids
		if tid < 0 {
			return errors.New("a read failed")
		}
		different[tid] = true
	}
	for i := range pipes {
		syscall.Close(pipes[i][0])
		syscall.Close(pipes[i][1])
	}
	return want("threads", len(different), count)
}

func threads() int {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return -1
	}
	return len(entries)
}

// A goroutine that ends locked takes its thread with it.
func lockedThreadsEnd() error {
	before := threads()
	for round := 0; round < 50; round++ {
		done := make(chan int)
		go func() {
			runtime.LockOSThread()
			done <- syscall.Gettid()
		}()
		<-done
	}
	for i := 0; i < 500; i++ {
		if n := threads(); n > 0 && n < before+10 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%d threads before and %d after", before, threads())
}

func mutexes() error {
	var lock sync.RWMutex
	var group sync.WaitGroup
	values := map[int]int{}
	for g := 0; g < 32; g++ {
		g := g
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 500; i++ {
				lock.Lock()
				values[i%7]++
				lock.Unlock()
				lock.RLock()
				_ = values[g%7]
				lock.RUnlock()
			}
		}()
	}
	group.Wait()
	sum := 0
	for _, n := range values {
		sum += n
	}
	return want("the sum", sum, 32*500)
}

// caught runs body and gives the run-time error that it panics with.
func caught(body func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(runtime.Error); ok {
				err = e
			} else {
				err = fmt.Errorf("%v", r)
			}
		}
	}()
	body()
	return nil
}

// SIGSEGV becomes a panic that can be recovered from, many times over.
func nilDereference() error {
	for i := 0; i < 50; i++ {
		var p *node
		err := caught(func() { p.pad[3] = 1 })
		if err == nil || err.Error() != "runtime error: invalid memory address or nil pointer dereference" {
			return fmt.Errorf("the panic says %v", err)
		}
	}
	var zero int
	err := caught(func() { sink = uint64(1 / zero) })
	return want("dividing", err, "runtime error: integer divide by zero")
}

// The address of a fault comes through.
func faultAtAddress() error {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer syscall.Munmap(page)
	fault := caught(func() { page[24] = 1 })
	addressed, ok := fault.(interface{ Addr() uintptr })
	if !ok {
		return fmt.Errorf("no address in %v", fault)
	}
	return want("the address", addressed.Addr(), uintptr(unsafe.Pointer(&page[24])))
}

func deep(n int) int {
	var pad [128]byte
	pad[n%128] = byte(n)
	if n == 0 {
		return int(pad[0])
	}
	return deep(n-1) + 1 + int(pad[(n+1)%128])
}

func stackGrowth() error {
	results := make(chan int)
	for g := 0; g < 8; g++ {
		go func() { results <- deep(20000) }()
	}
	for g := 0; g < 8; g++ {
		if err := want("the depth", <-results, 20000); err != nil {
			return err
		}
	}
	return nil
}

func contextTimeout() error {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	if time.Since(start) < 30*time.Millisecond {
		return errors.New("early")
	}
	return want("the error", ctx.Err(), context.DeadlineExceeded)
}

func procs() error {
	if runtime.NumCPU() < 1 {
		return errors.New("no processor")
	}
	before := runtime.GOMAXPROCS(8)
	defer runtime.GOMAXPROCS(before)
	results := make(chan int)
	for g := 0; g < 8; g++ {
		go func() {
			n := 0
			for i := 0; i < 1000000; i++ {
				n += i & 1
			}
			results <- n
		}()
	}
	for g := 0; g < 8; g++ {
		if err := want("the count", <-results, 500000); err != nil {
			return err
		}
	}
	return nil
}

// The prime sieve: a chain of goroutines, a number handed on from one to the next.
func channels() error {
	numbers := make(chan int)
	stop := make(chan struct{})
	defer close(stop)
	go func(out chan int) {
		for i := 2; ; i++ {
			select {
			case out <- i:
			case <-stop:
				return
			}
		}
	}(numbers)
	prime := 0
	for i := 0; i < 100; i++ {
		prime = <-numbers
		next := make(chan int)
		go func(in chan int, out chan int, prime int) {
			for {
				select {
				case n := <-in:
					if n%prime != 0 {
						select {
						case out <- n:
						case <-stop:
							return
						}
					}
				case <-stop:
					return
				}
			}
		}(numbers, next, prime)
		numbers = next
	}
	return want("the hundredth prime", prime, 541)
}

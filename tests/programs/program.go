// SPDX-License-Identifier: Apache-2.0 OR MIT

// Goroutines, sleeping, files, directories, arguments, variables and a panic that is recovered.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func recovered() (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	var none []int
	return fmt.Sprint(none[len(os.Args)])
}

func main() {
	fmt.Println(os.Args[1:], os.Getenv("COLOUR"))

	// Later goroutines sleep less, so the order is that of the sleeps.
	results := make(chan int)
	begin := time.Now()
	for i := 0; i < 5; i++ {
		go func() {
			time.Sleep(time.Duration(5-i) * 100 * time.Millisecond)
			results <- i
		}()
	}
	for i := 0; i < 5; i++ {
		fmt.Print(<-results, " ")
	}
	fmt.Println(time.Since(begin) >= 500*time.Millisecond)

	var group sync.WaitGroup
	var lock sync.Mutex
	sum := 0
	for i := 1; i <= 1000; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			lock.Lock()
			sum += i
			lock.Unlock()
		}()
	}
	group.Wait()
	fmt.Println(sum)

	check(os.MkdirAll("tree/a/b", 0o777))
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	check(os.WriteFile("tree/a/large", data, 0o666))
	check(os.WriteFile("tree/a/b/text", []byte("one\ntwo\nthree\n"), 0o666))
	back, err := os.ReadFile("tree/a/large")
	check(err)
	fmt.Println(len(back), sha256.Sum256(back) == sha256.Sum256(data))
	file, err := os.Open("tree/a/b/text")
	check(err)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fmt.Print(lines.Text(), ";")
	}
	fmt.Println()
	check(file.Close())
	var names []string
	check(filepath.WalkDir("tree", func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	}))
	sort.Strings(names)
	fmt.Println(names)
	check(os.Rename("tree/a/large", "tree/moved"))
	info, err := os.Stat("tree/moved")
	check(err)
	fmt.Println(info.Size(), info.Mode().IsRegular())
	_, err = os.Stat("tree/a/large")
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	_, err = os.ReadFile("../outside")
	fmt.Println(err != nil)
	check(os.RemoveAll("tree"))
	fmt.Println(recovered())

	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		fmt.Println("input:", input.Text())
	}
	os.Exit(7)
}

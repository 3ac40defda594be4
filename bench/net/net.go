// SPDX-License-Identifier: Apache-2.0 OR MIT
// The network benchmarks in Go: a goroutine per connection. net-go echo|http ADDRESS:PORT
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func echo(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			buffer := make([]byte, 1024)
			for {
				n, err := c.Read(buffer)
				if err != nil {
					return
				}
				if _, err = c.Write(buffer[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, "Hello, world!")
}

func main() {
	l, err := net.Listen("tcp", os.Args[2])
	if err == nil {
		fmt.Println("listening on", l.Addr())
		if os.Args[1] == "echo" {
			err = echo(l)
		} else {
			err = http.Serve(l, http.HandlerFunc(hello))
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// SPDX-License-Identifier: Apache-2.0 OR MIT
// Go's side of the benchmarks: bench spawn | pingpong
package main

import (
	"fmt"
	"os"
	"sort"
	"time"
)

func median(round func()) float64 {
	const rounds = 21
	var ns []float64
	for i := 0; i < rounds; i++ {
		start := time.Now()
		round()
		ns = append(ns, float64(time.Since(start).Nanoseconds()))
	}
	sort.Float64s(ns)
	return ns[rounds/2]
}

func main() {
	switch os.Args[1] {
	case "spawn":
		const n = 20000
		done := make(chan uint64)
		fmt.Printf("spawn_ns %.1f\n", median(func() {
			for i := 0; i < n; i++ {
				go func() { done <- 1 }()
				<-done
			}
		})/n)
	case "pingpong":
		const n = 50000
		there, back := make(chan uint64), make(chan uint64)
		go func() {
			for x := range there {
				back <- x
			}
		}()
		fmt.Printf("round_trip_ns %.1f\n", median(func() {
			for i := 0; i < n; i++ {
				there <- 7
				<-back
			}
		})/n)
	}
}

;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; The trap is named, with the function it happened in.
;; exit: 134
;; error: out of bounds memory access
;; error: culprit
(module
  (table 2 funcref)
  (elem (i32.const 0) $culprit)
  (memory (export "memory") 1)
  (func $culprit (param i32)
    (drop (i32.load offset=4 (i32.const 0xffffffff))))
  (func (export "_start")
    (call $culprit (i32.const 0))))

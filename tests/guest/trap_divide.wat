;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; The trap is named, with the function it happened in.
;; exit: 134
;; error: integer divide by zero
;; error: culprit
(module
  (table 2 funcref)
  (elem (i32.const 0) $culprit)
  (memory (export "memory") 1)
  (func $culprit (param i32)
    (drop (i32.div_s (i32.const 1) (local.get 0))))
  (func (export "_start")
    (call $culprit (i32.const 0))))
